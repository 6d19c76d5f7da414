import { readFile } from "node:fs/promises";

/**
 * Reads a JSON file whose top level is an object.
 * @throws an error that names the file: missing, not JSON, not an object.
 */
export async function readJsonObject(file: string): Promise<Record<string, unknown>> {
  const text = await readFile(file, "utf8").catch((error: NodeJS.ErrnoException) => {
    throw new Error(`${file}: ${error.code === "ENOENT" ? "no such file" : error.message}`);
  });
  return parseJsonObject(text, file);
}

/** The object that a text is. @param where begins the message of an error: not JSON, not an object */
export function parseJsonObject(text: string, where: string): Record<string, unknown> {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new Error(`${where}: not JSON: ${(error as Error).message}`);
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) throw new Error(`${where}: not a JSON object`);
  return value as Record<string, unknown>;
}

/** JSON with the keys of every object sorted and no white space: equal values give equal text. */
export function canonicalJson(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join(",")}]`;
  if (typeof value === "object" && value !== null) {
    const entries = Object.entries(value).filter(([, item]) => item !== undefined);
    entries.sort(([a], [b]) => (a < b ? -1 : 1));
    return `{${entries.map(([key, item]) => `${JSON.stringify(key)}:${canonicalJson(item)}`).join(",")}}`;
  }
  return JSON.stringify(value) ?? "null";
}

/**
 * First key that appears twice at the top level of a JSON object, if any. `JSON.parse` keeps the last silently.
 * @param text valid JSON of an object
 */
export function duplicateKey(text: string): string | undefined {
  const seen = new Set<string>();
  let depth = 0;
  // Strings, with their colon when they are keys; or one bracket.
  for (const [token, string, colon] of text.matchAll(/("[^"\\]*(?:\\.[^"\\]*)*")\s*(:?)|[[\]{}]/g)) {
    if (string === undefined) depth += token === "{" || token === "[" ? 1 : -1;
    else if (depth === 1 && colon) {
      const key = JSON.parse(string) as string;
      if (seen.has(key)) return key;
      seen.add(key);
    }
  }
  return undefined;
}
