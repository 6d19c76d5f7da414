import { basename } from "node:path";
import { parseJsonObject } from "../../checkpoint/json.js";
import { readText } from "../../files.js";
import { withOwnIds } from "../file-names.js";

/** A line of a data file. */
export interface LongbenchRecord {
  readonly id: string;
  /** Name of the data set; null where the line is a whole prompt of unknown kind. */
  readonly dataset: string | null;
  readonly input: string;
  /** null in the layout that has the whole prompt in `input`. */
  readonly context: string | null;
  readonly answers: readonly string[];
  readonly classes: readonly string[];
  /** Length of the context in words, as the record states it; null: it does not. */
  readonly length: number | null;
}

/**
 * Reads data files, JSON lines: LongBench's layout (`input`, `context`, `answers`, `all_classes`, `dataset`, `_id`), or `input`
 * (the whole prompt) and `answers` alone.
 * @param dataset overrides what lines and file names say
 * @param called what ids begin with; default: the file's name
 * @throws an error that names file, line and field
 */
export async function readLongbench(file: string, dataset?: string, called?: string): Promise<LongbenchRecord[]> {
  const text = await readText("data file", file);
  const name = basename(file).replace(/\.jsonl?$/, "");
  const records = text.split("\n").flatMap((line, index) => (line.trim() === "" ? [] : [parse(line, `${file}, line ${index + 1}`, `${called ?? name}/${index}`, dataset ?? null, name, called ?? name)]));
  if (records.length === 0) throw new Error(`data file: ${file} (no lines in it)`);
  return withOwnIds(records);
}

function parse(line: string, where: string, id: string, dataset: string | null, fileName: string, called: string): LongbenchRecord {
  const fields = parseJsonObject(line, where);
  const fail = (field: string, right: string): never => {
    throw new Error(`${where}: ${field}: ${JSON.stringify(fields[field]) ?? "missing"} (must be ${right})`);
  };
  const { input, context, all_classes: classes, length } = fields;
  if (fields["answers"] === undefined && (fields["outputs"] !== undefined || fields["answer"] !== undefined)) {
    throw new Error(`${where}: answers: missing (these are not LongBench's lines; RULER's, kvpress's, lm-eval's and LongBench v2's are read by: sdtp evaluate prompts)`);
  }
  // One answer may stand by itself.
  const answers = typeof fields["answers"] === "string" ? [fields["answers"]] : fields["answers"];
  if (typeof input !== "string") fail("input", "a string");
  if (context !== undefined && context !== null && typeof context !== "string") fail("context", "a string");
  const strings = (list: unknown): list is string[] => Array.isArray(list) && list.every((item) => typeof item === "string");
  if (!strings(answers) || answers.length === 0) fail("answers", "a string, or an array of strings, at least one");
  if (classes !== undefined && classes !== null && !strings(classes)) fail("all_classes", "an array of strings, or null");
  if (length !== undefined && length !== null && !(typeof length === "number" && length >= 0)) fail("length", "a number of words");
  const hasContext = typeof context === "string";
  return {
    id: typeof fields["_id"] === "string" ? `${called}/${fields["_id"]}` : id,
    dataset: dataset ?? (hasContext ? (typeof fields["dataset"] === "string" ? fields["dataset"] : fileName) : null),
    input: input as string,
    context: hasContext ? context : null,
    answers: answers as string[],
    classes: (classes as string[] | null | undefined) ?? [],
    length: (length as number | null | undefined) ?? null,
  };
}
