import { environment } from "../bench/environment.js";
import { digest } from "../bench/sweep/identity.js";
import { type ItemData, promptsMark } from "../evaluate/item-data.js";
import type { wantedRows } from "../evaluate/run.js";
import type { EvaluationItem, EvaluationTask } from "../evaluate/task.js";

/** Prompts of one job. */
const SLICE = 8;

/** Some prompts of a task, and the configurations that are to be measured on them. */
export interface Slice {
  readonly items: readonly EvaluationItem[];
  /** Numbers of the configurations. */
  readonly which: readonly number[];
  /** Of its rows, prompt after prompt. */
  readonly keys: readonly string[];
}

/** Neighbouring prompts of which the same configurations are missing. */
export function slicesOf(task: EvaluationTask, missing: Awaited<ReturnType<typeof wantedRows>>): Slice[] {
  const of = new Map<EvaluationItem, (typeof missing)[number][]>();
  for (const row of missing) of.set(row.item, [...(of.get(row.item) ?? []), row]);
  const slices = new Map<string, { items: EvaluationItem[]; which: number[]; keys: string[] }>();
  for (const [place, item] of task.items.entries()) {
    const own = of.get(item);
    if (!own) continue;
    const which = own.map(({ configuration }) => configuration);
    // By its place in the task, so that another coordinator with the same left to do makes the same slices.
    const name = `${Math.floor(place / SLICE)} ${which.join(",")}`;
    const slice = slices.get(name) ?? { items: [], which, keys: [] };
    slice.items.push(item);
    slice.keys.push(...own.map(({ key }) => key));
    slices.set(name, slice);
  }
  return [...slices.values()];
}

/** A job is the rows that it gives, by what decides them, and the versions that measure them. */
export function qualityId(keys: readonly string[]): string {
  return digest({ rows: keys, versions: environment().versions });
}

/** The prompts of a slice as they go to another machine. @throws where they are made of more than data */
export function packed({ name }: EvaluationTask, items: readonly EvaluationItem[]): { readonly text: string; readonly tokens: string } {
  const data = items.map((item): ItemData => {
    if (!item.data) throw new Error(`task: ${name} (its prompts are made in this process alone: measure it without a queue)`);
    return item.data;
  });
  return { text: JSON.stringify(data), tokens: promptsMark(items) };
}
