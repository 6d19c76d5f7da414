import { readFile } from "node:fs/promises";
import { parseJsonObject } from "../../checkpoint/json.js";
import { localDataset } from "../data/fetch.js";
import type { RulerTask } from "./sample.js";

/** A question, its right answers, the documents that hold them, and others about the same subject. */
interface Question {
  readonly query: string;
  readonly answers: readonly string[];
  readonly documents: readonly string[];
  readonly related: readonly string[];
}

/**
 * RULER's question answering: documents with the answer among others of the same data set, as `sdtp fetch --dataset` brought it.
 * @throws where the data set is not on this machine
 */
export async function questionTask(dataset: "squad" | "hotpotqa", file?: string): Promise<RulerTask> {
  const from = file ?? (await localDataset(dataset)).files[0]!.file;
  const records = (await readFile(from, "utf8")).split("\n").flatMap((line, i) => (line.trim() === "" ? [] : [{ where: `${from}, line ${i + 1}`, fields: parseJsonObject(line, `${from}, line ${i + 1}`) }]));
  const questions = dataset === "squad" ? squad(records) : hotpot(records);
  if (questions.length === 0) throw new Error(`data set: ${from} (no question with an answer in it)`);
  const documents = [...new Set(questions.flatMap((question) => [...question.documents, ...question.related]))].sort();
  return {
    fewest: 1,
    maxNewTokens: 32,
    metric: "string_match_part",
    make(random, size, index) {
      const { query, answers, documents: own, related } = questions[index % questions.length]!;
      const more = Math.max(0, size - own.length);
      const others = more <= related.length ? random.sample(related, more) : [...related, ...fill(documents, new Set([...own, ...related]), more - related.length, (count) => random.int(count))];
      const all = random.sample([...own, ...others], own.length + others.length);
      const context = all.map((document, i) => `Document ${i + 1}:\n${document}`).join("\n\n");
      return { context: `${ASK}\n\nThe following are given documents.\n\n${context}\n\n`, question: `${ASK}\n\nQuestion: ${query}`, answerPrefix: " Answer:", answers };
    },
  };
}

const ASK = "Answer the question based on the given documents. Only give me the answer and do not output any other words.";

/** `count` different documents that are not among `known`, or as many as there are. */
function fill(documents: readonly string[], known: Set<string>, count: number, draw: (count: number) => number): string[] {
  const found: string[] = [];
  for (let tries = 0; found.length < Math.min(count, documents.length - known.size) && tries < 50 * count + 1000; tries++) {
    const document = documents[draw(documents.length)]!;
    if (known.has(document)) continue;
    known.add(document);
    found.push(document);
  }
  return found;
}

type Records = readonly { readonly where: string; readonly fields: Record<string, unknown> }[];

/** rajpurkar/squad_v2: `question`, `context`, `title`, `answers.text` (none: the question cannot be answered). */
function squad(records: Records): Question[] {
  const byTitle = new Map<string, Set<string>>();
  const text = (fields: Record<string, unknown>, name: string, where: string) => stringOf(fields[name], name, where);
  for (const { fields, where } of records) {
    const title = text(fields, "title", where);
    byTitle.set(title, (byTitle.get(title) ?? new Set()).add(text(fields, "context", where)));
  }
  return records.flatMap(({ fields, where }) => {
    const answers = (fields["answers"] as { text?: unknown } | null)?.text;
    if (!Array.isArray(answers) || !answers.every((answer) => typeof answer === "string")) throw new Error(`${where}: answers: ${JSON.stringify(fields["answers"])?.slice(0, 80)} (must have text, an array of strings)`);
    if (answers.length === 0) return [];
    const context = text(fields, "context", where);
    return [{ query: text(fields, "question", where), answers: answers as string[], documents: [context], related: [...byTitle.get(text(fields, "title", where))!].filter((other) => other !== context) }];
  });
}

/** hotpotqa/hotpot_qa: `question`, `answer`, `context.title` and `context.sentences`. */
function hotpot(records: Records): Question[] {
  return records.map(({ fields, where }) => {
    const { title, sentences } = (fields["context"] ?? {}) as { title?: unknown; sentences?: unknown };
    if (!Array.isArray(title) || !Array.isArray(sentences) || title.length !== sentences.length) throw new Error(`${where}: context: ${JSON.stringify(fields["context"])?.slice(0, 80)} (must have title and sentences, as many)`);
    const documents = title.map((name, i) => `${String(name)}\n${(sentences[i] as string[]).join("")}`);
    return { query: stringOf(fields["question"], "question", where), answers: [stringOf(fields["answer"], "answer", where)], documents, related: [] };
  });
}

function stringOf(value: unknown, name: string, where: string): string {
  if (typeof value !== "string") throw new Error(`${where}: ${name}: ${JSON.stringify(value) ?? "missing"} (must be a string)`);
  return value;
}
