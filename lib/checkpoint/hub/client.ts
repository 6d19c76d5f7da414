import { datasetInfo, downloadFile, listFiles, modelInfo } from "@huggingface/hub";
import { checkPath, type HubName } from "./name.js";
import type { HubSettings } from "./settings.js";

/** A file of a repository, as the hub lists it. */
export interface HubFile {
  readonly path: string;
  readonly size: number;
  /** Of its bytes: sha256 of large files, git's sha1 of others. */
  readonly hash: { readonly kind: "sha256" | "git"; readonly hex: string };
}

/** The parts of the hub that are used here. What it says against a request becomes one sentence. */
export class HubClient {
  constructor(private readonly settings: HubSettings, private readonly name: HubName, private readonly signal?: AbortSignal) {}

  /** The commit that the revision stands for. */
  async commit(): Promise<string> {
    const { id, type, revision } = this.name;
    const sha: unknown = await this.asked(async (given) => {
      const wanted = { name: id, revision, additionalFields: ["sha" as const], ...given };
      return (type === "model" ? await modelInfo(wanted) : await datasetInfo(wanted)).sha;
    });
    if (typeof sha !== "string" || !/^[0-9a-f]{40}$/.test(sha)) throw new Error(`hub: ${id}: the hub at ${this.settings.endpoint} gives no commit for ${revision}`);
    return sha;
  }

  /** All files at a commit. */
  async files(commit: string): Promise<HubFile[]> {
    return this.asked(async (given) => {
      const found: HubFile[] = [];
      for await (const { type, path, size, oid, lfs } of listFiles({ repo: this.repo, revision: commit, recursive: true, ...given })) {
        if (type !== "file") continue;
        checkPath(path, this.name.id);
        const hash = lfs ? { kind: "sha256" as const, hex: lfs.oid } : { kind: "git" as const, hex: oid ?? "" };
        if (!/^[0-9a-f]{40,64}$/.test(hash.hex)) throw new Error(`hub: ${this.name.id}: ${path} has no hash that can be checked`);
        found.push({ path, size: lfs?.size ?? size, hash });
      }
      return found;
    });
  }

  /** The bytes of a file from `start` on. */
  async stream(commit: string, path: string, start: number): Promise<ReadableStream<Uint8Array>> {
    return this.asked(async (given) => {
      const blob = await downloadFile({ repo: this.repo, path, revision: commit, ...given });
      if (!blob) throw new Error(`hub: ${this.name.id} has no file ${path}`);
      return (start === 0 ? blob : blob.slice(start)).stream() as unknown as ReadableStream<Uint8Array>;
    });
  }

  private get repo() {
    return { type: this.name.type, name: this.name.id } as const;
  }

  private async asked<T>(request: (given: { hubUrl: string; fetch: typeof fetch; accessToken?: string }) => Promise<T>): Promise<T> {
    let refused: Response | undefined;
    let answered = false;
    const watched: typeof fetch = async (url, init) => {
      answered = false;
      const response = await fetch(url, { ...init, ...(this.signal && { signal: this.signal }) });
      if (!response.ok) refused = response;
      answered = true;
      return response;
    };
    const { endpoint, token } = this.settings;
    if (token !== undefined && !token.startsWith("hf_")) throw new Refused("HF_TOKEN: what is set is no token of the hub (must begin with hf_; unset it, or take one from the settings of your account there)");
    try {
      return await request({ hubUrl: endpoint, fetch: watched, ...(token !== undefined && { accessToken: token }) });
    } catch (error) {
      this.signal?.throwIfAborted();
      throw refused ? this.refusal(refused, error as Error) : answered ? this.misunderstood(error as Error) : this.unreachable(error as Error);
    }
  }

  private refusal(response: Response, error: Error): Error {
    const { id, type, revision } = this.name;
    const { endpoint, token } = this.settings;
    const page = `${endpoint}/${type === "dataset" ? "datasets/" : ""}${id}`;
    const code = response.headers.get("X-Error-Code") ?? "";
    const said = (response.headers.get("X-Error-Message") ?? error.message.replace(/\.? URL: .*$/s, "")).replace(/\s+/g, " ").replace(/[. ]+$/, "").slice(0, 300);
    const account = token === undefined ? "set HF_TOKEN to a token of an account that has it" : "HF_TOKEN is of an account that has it not";
    if (code === "GatedRepo" || /gated|restricted|awaiting a review/i.test(said)) return new Refused(`hub: ${id} is gated: ${said} (ask for access at ${page}; ${account})`);
    if (code === "RevisionNotFound") return new Refused(`hub: ${id} has no revision ${revision}: ${said} (its branches and tags: ${page}/tree/main)`);
    if (code === "RepoNotFound" || response.status === 404 || response.status === 401) return new Refused(`hub: no ${type} ${id}, or a private one: ${said} (check the name at ${endpoint}; for a private one ${account})`);
    if (response.status === 403) return new Refused(`hub: ${id} is not given out: ${said} (${account})`);
    const passing = response.status >= 500 || response.status === 429 || response.status === 408;
    return new Error(`hub: ${id}: ${endpoint} answers ${response.status}: ${said} (${passing ? "try again later" : "check HF_ENDPOINT: what answers there may be no hub"})`);
  }

  /** Something answered, as a proxy's page does, but not as the hub would. */
  private misunderstood(error: Error): Error {
    if (error.message.startsWith("hub: ")) return error;
    return new Error(`hub: ${this.settings.endpoint} does not answer as the hub does: ${error.message.replace(/\s+/g, " ").slice(0, 200)} (check HF_ENDPOINT, and whether a proxy or a login page stands between; what the cache holds can be used with HF_HUB_OFFLINE=1)`);
  }

  private unreachable(error: Error): Error {
    if (error.message.startsWith("hub: ")) return error;
    const cause = (error as { cause?: { message?: string; code?: string } }).cause;
    const why = [error.message, cause?.code ?? cause?.message].filter((part) => part !== undefined && part !== "").join(": ");
    return new Error(`hub: ${this.settings.endpoint} cannot be reached: ${why} (check the network and HF_ENDPOINT; what the cache holds can be used with HF_HUB_OFFLINE=1)`);
  }
}

/** What asking again does not change. */
export class Refused extends Error {}
