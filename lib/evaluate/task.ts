import { checkPrompt } from "../checkpoint/validate.js";
import type { Model } from "../runtime/model.js";
import type { Run } from "../runtime/run.js";
import type { ItemData } from "./item-data.js";

/** A prompt and how what follows it is graded. */
export interface EvaluationItem {
  /** Unique within the task. */
  readonly id: string;
  /** What results are broken down by: `{ length: 1024, depth: 0.5 }`. */
  readonly group: Readonly<Record<string, string | number>>;
  readonly promptIds: readonly number[];
  /** Tokens that follow the prompt at most: room is made for them, and the model must have positions for them. */
  readonly reserve: number;
  /** What it is made of, so that another process makes the same of it; absent: it is made in this process alone. */
  readonly data?: ItemData;
  /** Continues the prefilled run, which may be used up. */
  grade(run: Run): Promise<Outcome>;
}

export interface Outcome {
  readonly metrics: Readonly<Record<string, number>>;
  /** Seconds of all that came after prefill, and the tokens that were decoded in them. */
  readonly decodeSeconds: number;
  readonly decodedTokens: number;
  /** Seconds in which a question was appended to the prefilled prompt, not counted in `decodeSeconds`. */
  readonly appendSeconds?: number;
  /** What the model said. */
  readonly output?: string;
  /** Metrics of several questions put to one prompt, by what tells them apart. */
  readonly cells?: readonly Readonly<Record<string, string | number>>[];
}

/** Prompts of one kind, the same for every configuration. */
export interface EvaluationTask {
  readonly name: string;
  /** Everything that decides the prompts and the grading: rows of other settings are not taken for this task's. */
  readonly settings: Readonly<Record<string, unknown>>;
  /** The metric to compare by, and which way is better. */
  readonly metric: string;
  readonly better: "higher" | "lower";
  readonly items: readonly EvaluationItem[];
}

/** The share `fraction` of the items, spread evenly over all of them; the same ones every time. */
export function fractionOf<T>(items: readonly T[], fraction: number): T[] {
  if (!(fraction > 0 && fraction <= 1)) throw new Error(`fraction: ${fraction} (must be above 0 and at most 1)`);
  const kept = items.filter((_, i) => Math.floor((i + 1) * fraction) > Math.floor(i * fraction));
  return kept.length > 0 ? kept : items.slice(0, 1);
}

/**
 * The prompts that are named, by themselves or as `TASK:ITEM`; tasks without one are left out.
 * @throws on a name that no prompt has
 */
export function chosenItems(tasks: readonly EvaluationTask[], names: readonly string[]): EvaluationTask[] {
  const left = new Set(names);
  const chosen = tasks.map((task) => ({
    ...task, items: task.items.filter(({ id }) => {
      const own = [id, `${task.name}:${id}`].filter((name) => names.includes(name));
      for (const name of own) left.delete(name);
      return own.length > 0;
    }),
  }));
  const unknown = [...left][0];
  if (unknown !== undefined) throw new Error(`item: ${unknown} (is none of these prompts: ${tasks.flatMap(({ name, items }) => items.slice(0, 2).map(({ id }) => `${name}:${id}`)).slice(0, 6).join(", ")}, …)`);
  return chosen.filter(({ items }) => items.length > 0);
}

/** Before anything is measured. @throws on a prompt that with what follows it is beyond the model's positions, by its task and name */
export function checkItems({ config }: Pick<Model, "config">, tasks: readonly EvaluationTask[]): void {
  for (const { name, items } of tasks) {
    for (const { id, promptIds, reserve } of items) {
      try {
        checkPrompt(promptIds, reserve, config);
      } catch (error) {
        throw new Error(`${name}, ${id}: ${(error as Error).message}`);
      }
    }
  }
}
