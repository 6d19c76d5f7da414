/** A file of a package on an index. */
export interface IndexFile {
  readonly name: string;
  readonly url: string;
  /** Hex; null: the index does not say. */
  readonly sha256: string | null;
  readonly yanked: boolean;
}

/** The index that is asked where none is named: `PIP_INDEX_URL`, as for pip, else the public one. */
export const packageIndex = (env: NodeJS.ProcessEnv = process.env): string => env["PIP_INDEX_URL"] || "https://pypi.org/simple";

/**
 * The files of a package, by the simple repository API: its JSON form (PEP 691) where the index has it, else its HTML (PEP 503).
 * @param index its address, with name and password where it wants them
 * @throws an error of one sentence: no index, no such package, unreachable
 */
export async function packageFiles(index: string, name: string, signal?: AbortSignal): Promise<IndexFile[]> {
  const response = await ask(`${requireIndex(index)}/${name}/`, "application/vnd.pypi.simple.v1+json, text/html;q=0.5", signal);
  if (response.status === 404) throw new Error(`package: ${name} (is not on ${shown(index)})`);
  if (!response.ok) throw new Error(`package index: ${shown(index)} (answers ${response.status} for ${name})`);
  if (/json/.test(response.headers.get("content-type") ?? "")) return fromJson(await response.json().catch(() => null), response.url, index);
  return fromHtml(await response.text(), response.url);
}

/** A file's bytes as they come. @throws where the index does not give it */
export async function fileStream(file: IndexFile, index: string, signal?: AbortSignal): Promise<{ readonly body: AsyncIterable<Uint8Array>; readonly bytes: number | null }> {
  // What the index is asked with is not for others.
  const url = new URL(file.url);
  const own = new URL(requireIndex(index));
  if (url.host === own.host) [url.username, url.password] = [own.username, own.password];
  const response = await ask(url.href, "*/*", signal);
  if (!response.ok || !response.body) throw new Error(`package index: ${url.host} (answers ${response.status} for ${file.name})`);
  const length = Number(response.headers.get("content-length"));
  return { body: response.body as unknown as AsyncIterable<Uint8Array>, bytes: length > 0 ? length : null };
}

function requireIndex(index: string): string {
  if (!URL.canParse(index) || !/^https?:$/.test(new URL(index).protocol)) throw new Error(`package index: ${index} (must be an address as https://HOST/simple)`);
  return index.replace(/\/+$/, "");
}

/** An address without the password in it. */
const shown = (address: string): string => {
  const url = new URL(address);
  return `${url.protocol}//${url.host}${url.pathname}`;
};

async function ask(address: string, accept: string, signal: AbortSignal | undefined): Promise<Response> {
  const url = new URL(address);
  const { username, password } = url;
  url.username = url.password = "";
  const authorization: Record<string, string> = username ? { authorization: `Basic ${Buffer.from(`${decodeURIComponent(username)}:${decodeURIComponent(password)}`).toString("base64")}` } : {};
  try {
    return await fetch(url, { headers: { accept, ...authorization }, ...(signal && { signal }) });
  } catch (error) {
    signal?.throwIfAborted();
    const cause = (error as Error).cause;
    throw new Error(`package index: ${url.host} (cannot be reached: ${cause instanceof Error ? cause.message : (error as Error).message}; --index or PIP_INDEX_URL names another)`);
  }
}

function fromJson(page: unknown, base: string, index: string): IndexFile[] {
  const files = (page as { files?: unknown } | null)?.files;
  if (!Array.isArray(files)) throw new Error(`package index: ${shown(index)} (answers with something else than a list of files)`);
  return (files as { filename?: unknown; url?: unknown; hashes?: { sha256?: unknown }; yanked?: unknown }[]).flatMap(({ filename, url, hashes, yanked }) =>
    typeof filename === "string" && typeof url === "string" ? [{ name: filename, url: new URL(url, base).href, sha256: typeof hashes?.sha256 === "string" ? hashes.sha256 : null, yanked: Boolean(yanked) }] : []);
}

async function fromHtml(page: string, base: string): Promise<IndexFile[]> {
  const { Parser } = await import("htmlparser2");
  const files: IndexFile[] = [];
  let link: Record<string, string> | null = null;
  let text = "";
  const parser = new Parser({
    onopentag(name, attributes) {
      if (name !== "a") return;
      link = attributes;
      text = "";
    },
    ontext: (part) => void (text += part),
    onclosetag(name) {
      if (name !== "a" || !link) return;
      const url = new URL(link["href"] ?? "", base);
      const sha256 = /^#sha256=([0-9a-f]{64})$/i.exec(url.hash)?.[1]?.toLowerCase() ?? null;
      url.hash = "";
      files.push({ name: text.trim(), url: url.href, sha256, yanked: "data-yanked" in link });
      link = null;
    },
  });
  parser.end(page);
  return files;
}
