import type { HubFile } from "./client.js";

/** What is read of a model folder beside weights. */
const companions = /^(config\.json|generation_config\.json|quantize_config\.json|quant_config\.json|tokenizer\.json|tokenizer_config\.json|special_tokens_map\.json|added_tokens\.json|chat_template\.(jinja|json)|additional_chat_templates\/[^/]+\.jinja)$/;

const indexes = ["model.safetensors.index.json", "pytorch_model.bin.index.json"] as const;

/** What to bring of a repository: these files, and those that an index among them names. */
export interface Needed {
  readonly files: readonly HubFile[];
  readonly index: string | null;
}

/**
 * The files of a model that are used here: configuration, tokenizer, chat templates, and weights once, safetensors before PyTorch's.
 * @param file a GGUF file that was asked for: that one and its other parts @param include patterns: what matches them, and no more
 * @throws an error that names the files that are there where none fits
 */
export function neededFiles(files: readonly HubFile[], id: string, file: string | null, include: readonly string[] = []): Needed {
  const at = new Map(files.map((each) => [each.path, each]));
  if (include.length > 0) {
    const found = files.filter(({ path }) => include.some((pattern) => glob(pattern).test(path)));
    if (found.length === 0) throw new Error(`hub: ${id} has no file like ${include.join(", ")} (has ${listed(files)})`);
    return { files: found, index: null };
  }
  if (file !== null) {
    if (!at.has(file)) throw new Error(`hub: ${id} has no file ${file} (has ${listed(files, /\.gguf$/i)})`);
    const part = /^(.*-)\d{5}(-of-\d{5}\.gguf)$/i.exec(file);
    const parts = part ? files.filter(({ path }) => path.startsWith(part[1]!) && path.endsWith(part[2]!) && /^\d{5}$/.test(path.slice(part[1]!.length, -part[2]!.length))) : [at.get(file)!];
    return { files: parts, index: null };
  }
  const found = files.filter(({ path }) => companions.test(path));
  const single = ["model.safetensors", "pytorch_model.bin"];
  if (at.has("config.json")) for (const [i, name] of indexes.entries()) {
    const index = at.get(name);
    if (index) return { files: [...found, index], index: name };
    const whole = at.get(single[i]!);
    if (whole) return { files: [...found, whole], index: null };
  }
  const ggufs = wholeGgufs(files.map(({ path }) => path));
  if (ggufs.length === 1) return neededFiles(files, id, ggufs[0]!);
  if (ggufs.length > 1) throw new Error(`hub: ${id} has ${ggufs.length} GGUF files (name one: ${ggufs.slice(0, 20).map((path) => `${id}:${path}`).join(", ")}${ggufs.length > 20 ? ", …" : ""})`);
  if (!at.has("config.json")) throw new Error(`hub: ${id} is no model that can be loaded: no config.json and no GGUF file (has ${listed(files)})`);
  throw new Error(`hub: ${id} has no weights that can be read: ${[...single, ...indexes].join(", ")} or a GGUF file (has ${listed(files)})`);
}

/** Paths of GGUF files; of one in parts, the first. */
export function wholeGgufs(paths: readonly string[]): string[] {
  return paths.filter((path) => /\.gguf$/i.test(path) && !/-(?!00001)\d{5}-of-\d{5}\.gguf$/i.test(path) && !/(^|\/)mmproj[^/]*$/i.test(path));
}

/** The files that an index of weights names. @param where named in errors @throws where it is none, or names what is not there */
export function indexedFiles(json: unknown, files: readonly HubFile[], where: string): HubFile[] {
  const map = (json as { weight_map?: unknown } | null)?.weight_map;
  if (typeof map !== "object" || map === null) throw new Error(`hub: ${where}: weight_map: missing (must be an object of tensors and their files)`);
  const at = new Map(files.map((each) => [each.path, each]));
  return [...new Set(Object.values(map as Record<string, unknown>))].map((path) => {
    const file = typeof path === "string" ? at.get(path) : undefined;
    if (!file) throw new Error(`hub: ${where}: weight_map names ${JSON.stringify(path)} (the repository has no such file)`);
    return file;
  });
}

function listed(files: readonly HubFile[], of = /./): string {
  const paths = files.map(({ path }) => path).filter((path) => of.test(path));
  return paths.length === 0 ? "none" : `${paths.slice(0, 12).join(", ")}${paths.length > 12 ? `, … ${paths.length} in all` : ""}`;
}

/** `*` and `?` as shells have them, across folders too. */
const glob = (pattern: string): RegExp => new RegExp(`^${pattern.replace(/[$()+.[\\\]^{|}/]/g, "\\$&").replaceAll("*", ".*").replaceAll("?", ".")}$`, "s");
