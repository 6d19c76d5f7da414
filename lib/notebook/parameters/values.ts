import { readFile } from "node:fs/promises";
import { parseDocument } from "yaml";
import type { Json } from "../../jupyter/messages.js";
import { ExactNumber, parseExact } from "../json.js";
import { UsageError, type Values } from "./parameter.js";

/**
 * A value from the command line: JSON where it parses, in which NaN and Infinity may stand too, else the text itself. A whole number
 * that no number holds exactly is a bigint.
 */
export function parseValue(text: string): Json {
  try {
    // Marks stand for what JSON has not; a text of one's own does not begin with this character.
    const json = text.replace(/"(?:\\.|[^"\\])*"|-?\b(?:NaN|Infinity)\b/g, (token) => (token.startsWith('"') ? token : `"${MARK}${token}"`));
    return exact(parseExact(json)) as Json;
  } catch {
    return text;
  }
}

const MARK = "\uFDD1";

function exact(value: unknown): unknown {
  if (value instanceof ExactNumber) return /^-?\d+$/.test(value.text) && BigInt(value.text) !== BigInt(Number(value)) ? BigInt(value.text) : Number(value);
  if (typeof value === "string") return value.startsWith(MARK) ? Number(value.slice(MARK.length)) : value;
  if (typeof value === "bigint") return Number.isSafeInteger(Number(value)) ? Number(value) : value;
  if (Array.isArray(value)) return value.map(exact);
  return typeof value === "object" && value !== null ? Object.fromEntries(Object.entries(value).map(([key, item]) => [key, exact(item)])) : value;
}

/**
 * Values from a YAML or JSON file.
 * @throws UsageError that names the file, and line and column where it is no YAML
 */
export async function readValues(file: string): Promise<Values> {
  const value = await readYaml(file);
  if (!isObject(value)) throw new UsageError(`parameters: ${file} (must be a mapping of names to values)`);
  return value;
}

/**
 * Parameter sets from a YAML or JSON file: a list of mappings is one run each; a mapping of names to lists is a run
 * for each combination, the last name varying fastest.
 * @throws UsageError
 */
export async function readMatrix(file: string): Promise<Values[]> {
  const value = await readYaml(file);
  const sets = Array.isArray(value) ? value : isObject(value) ? combinations(value, file) : undefined;
  if (!sets?.every(isObject)) throw new UsageError(`matrix: ${file} (must be a list of mappings, or a mapping of names to lists)`);
  if (sets.length === 0) throw new UsageError(`matrix: ${file} (has no parameter set)`);
  return sets;
}

function combinations(lists: Values, file: string): Values[] {
  return Object.entries(lists).reduce<Values[]>((sets, [name, list]) => {
    if (!Array.isArray(list)) throw new UsageError(`matrix: ${file} (${name}: must be a list of values)`);
    return sets.flatMap((set) => list.map((value) => ({ ...set, [name]: value })));
  }, [{}]);
}

async function readYaml(file: string): Promise<unknown> {
  const text = await readFile(file, "utf8").catch((error: NodeJS.ErrnoException) => {
    throw new UsageError(`parameters: ${file} (${error.code === "ENOENT" ? "no such file" : (error.code ?? error.message)})`);
  });
  const document = parseDocument(text, { prettyErrors: true, intAsBigInt: true });
  const [error] = document.errors;
  if (error) throw new UsageError(`parameters: ${file} (${error.message.split("\n")[0]?.replace(/:$/, "")})`);
  return exact(document.toJS());
}

function isObject(value: unknown): value is Values {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
