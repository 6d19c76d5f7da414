// A model cut into several GGUF files: https://github.com/ggml-org/llama.cpp/tree/master/tools/gguf-split
import { existsSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { readGgufHeader, type GgufHeader, type GgufTensor } from "./header.js";

const pattern = /^(.*)-(\d{5})-of-(\d{5})\.gguf$/i;
const MOST_PARTS = 99999;

/** The name of another part of the same model; null where a name is not that of a part. */
export function partName(path: string, part: number): string | null {
  const match = pattern.exec(basename(path));
  return match && join(dirname(path), `${match[1]}-${String(part).padStart(5, "0")}-of-${match[3]}${path.slice(-5)}`);
}

/**
 * Reads the header of a GGUF file, and where it is one of several parts, of all of them: the first one's metadata, the tensors of all.
 * @param path of the file, of a split model of any part
 * @throws an error that names the file: a part that is missing, one that says another number or count than its name or the first,
 * tensors in two parts, more or fewer tensors than the first part counts
 */
export async function readGguf(path: string): Promise<GgufHeader> {
  const given = await readGgufHeader(path);
  const count = field(given, "split.count", path) ?? 1;
  if (count === 1) return given;
  if (count < 1 || count > MOST_PARTS) throw new Error(`${path}: split.count: ${count} (must be 1 to ${MOST_PARTS})`);
  const named = pattern.exec(basename(path));
  if (!named) throw new Error(`${path}: one of ${count} parts, whose name does not say which (must end with -00001-of-${String(count).padStart(5, "0")}.gguf)`);
  if (Number(named[3]) !== count) throw new Error(`${path}: split.count: ${count} (its name says ${Number(named[3])})`);
  const paths = Array.from({ length: count }, (_, i) => partName(path, i + 1)!);
  const missing = paths.filter((part) => !existsSync(part));
  if (missing.length > 0) {
    const others = missing.length > 3 ? ` and ${missing.length - 3} more` : "";
    throw new Error(`${path}: ${missing.length} of its ${count} parts missing: ${missing.slice(0, 3).map((part) => basename(part)).join(", ")}${others} (must be in the same folder)`);
  }
  const tensors = new Map<string, GgufTensor>();
  let first = given;
  for (const [index, part] of paths.entries()) {
    const header = part === path ? given : await readGgufHeader(part);
    if (index === 0) first = header;
    for (const [name, right] of [["split.count", count], ["split.no", index]] as const) {
      const value = field(header, name, part);
      if (value !== right) throw new Error(`${part}: ${name}: ${value ?? "missing"} (must be ${right})`);
    }
    for (const tensor of header.tensors.values()) {
      const before = tensors.get(tensor.name);
      if (before) throw new Error(`${part}: tensor ${tensor.name}: is in ${before.file} too`);
      tensors.set(tensor.name, tensor);
    }
  }
  const counted = field(first, "split.tensors.count", paths[0]!);
  if (counted !== undefined && counted !== tensors.size) throw new Error(`${paths[0]}: split.tensors.count: ${counted} (its ${count} parts hold ${tensors.size})`);
  return { metadata: first.metadata, tensors };
}

function field({ metadata }: GgufHeader, name: string, file: string): number | undefined {
  const value = metadata[name];
  if (value !== undefined && !Number.isSafeInteger(value)) throw new Error(`${file}: ${name}: ${JSON.stringify(String(value))} (must be an integer)`);
  return value as number | undefined;
}
