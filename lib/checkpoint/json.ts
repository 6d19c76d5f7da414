import { readFile } from "node:fs/promises";
import { placeholder, PLACEHOLDER_BYTES } from "./placeholder.js";

/**
 * Reads a JSON file whose top level is an object. NaN and Infinity, which Python writes and JSON does not have, become those words: whoever asks for a
 * number there refuses them.
 * @throws an error that names the file: missing, not JSON, not an object.
 */
export async function readJsonObject(file: string): Promise<Record<string, unknown>> {
  const text = await readFile(file, "utf8").catch((error: NodeJS.ErrnoException) => {
    throw new Error(`${file}: ${error.code === "ENOENT" ? "no such file" : error.code === "EISDIR" ? "is a folder (must be a JSON file)" : error.message}`);
  });
  return parseJsonObject(text, file, parsedAsPython);
}

/**
 * The object that a text is. A byte order mark is passed over.
 * @param where begins the message of an error: not JSON, not an object
 */
export function parseJsonObject(text: string, where: string, parse: (text: string) => unknown = JSON.parse): Record<string, unknown> {
  const plain = text.startsWith("\ufeff") ? text.slice(1) : text;
  let value: unknown;
  try {
    value = parse(plain);
  } catch (error) {
    const other = placeholder(Buffer.from(text.slice(0, PLACEHOLDER_BYTES)));
    if (other !== null) throw new Error(`${where}: ${other}`);
    if (text.includes("\u0000") || text.includes("\ufffd")) throw new Error(`${where}: not JSON: no UTF-8 text (save it as UTF-8)`);
    // Node quotes what is around the place, line breaks and all.
    throw new Error(`${where}: not JSON: ${(error as Error).message.replace(/\s+/g, " ")}`);
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) throw new Error(`${where}: not a JSON object`);
  return value as Record<string, unknown>;
}

function parsedAsPython(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    let words = 0;
    // A string, which stays, or one of Python's words.
    const given = text.replace(/"(?:[^"\\]|\\.)*"|-?\bInfinity\b|\bNaN\b/g, (token) => (token.startsWith('"') ? token : (words++, `"${token}"`)));
    if (words === 0) throw error;
    return JSON.parse(given);
  }
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
