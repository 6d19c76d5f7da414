// The cases of cases.json with the values that reference.py made of them.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { packageRoot } from "../../../lib/checkpoint/package-root.js";
import { defineScorer } from "../../../lib/methods/scorer.js";
import type { UserMethod } from "../../../lib/methods/method.js";
import type { Model } from "../../../lib/runtime/model.js";
import type { Checkpoint } from "../../../lib/checkpoint/types.js";
import { SaliencyMeter } from "../../../lib/train/saliency.js";
import { hashedCheckpoint, type HashedCheckpoint, type Split } from "./weights.js";

interface Cases {
  readonly prompt: readonly number[];
  /** Tokens that are appended after it, step by step. */
  readonly steps: readonly (readonly number[])[];
  /** Positions kept after blocks. */
  readonly stages: readonly { readonly after: number; readonly kept: readonly number[] }[];
  /** Fields that all configurations have. */
  readonly common: Readonly<Record<string, unknown>>;
  readonly cases: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
}

/** Logits that transformers gives. */
interface Values {
  readonly tensors: Readonly<Record<string, readonly number[]>>;
  /** `[vocabulary]`, after the prompt. */
  readonly prefill: readonly number[];
  /** After each token decoded. */
  readonly decode: readonly (readonly number[])[];
  /** For each block that a stage stands after: the gradient's norm at each token, of the mean cross-entropy of all next tokens. */
  readonly saliency: readonly (readonly number[])[];
  readonly pruned: readonly number[];
  readonly prunedDecode: readonly (readonly number[])[];
}

const read = (file: string): unknown => JSON.parse(readFileSync(join(packageRoot(), "test", "reference", "transformers", file), "utf8"));

export const cases = read("cases.json") as Cases;
export const reference = read("values.json") as { readonly transformers: string; readonly torch: string; readonly cases: Readonly<Record<string, Values>> };

const LAYERS = cases.common["num_hidden_layers"] as number;

export const configOf = (name: string): Record<string, unknown> => ({ ...cases.common, ...cases.cases[name] });

/** The case as a model folder. @param rename what a tensor is called in the file @param split what is in the file in its place */
export const checkpointOf = (name: string, rename?: (tensor: string) => string, split?: Split): HashedCheckpoint => hashedCheckpoint(configOf(name), LAYERS, reference.cases[name]!.tensors, rename, split);

/** A preset and a scorer that keep exactly the positions of the cases. */
export const preset: UserMethod = {
  name: "cases", baseDepth: LAYERS,
  stages: cases.stages.map(({ after, kept }, stage) => ({ afterBlock: after, ratio: (kept.length + 0.5) / (stage === 0 ? cases.prompt.length : cases.stages[stage - 1]!.kept.length) })),
};
export const scorer = defineScorer("cases", (g, { positions, stage }) => {
  const kept = new Set(cases.stages[stage]!.kept);
  return g.gather(g.constant("float32", cases.prompt.map((_, position) => Number(kept.has(position)))), positions);
});

/** Largest differences to transformers' logits, each relative to the largest logit of its row. */
export interface Differences {
  readonly prefill: number;
  readonly decode: number;
  readonly pruned: number;
  readonly prunedDecode: number;
}

/** The saliency of each token after the blocks of the stages: the largest difference, relative to the largest value of a block. */
export async function compareSaliency(name: string, checkpoint: Checkpoint): Promise<number> {
  const meter = await SaliencyMeter.create(checkpoint, { blocks: cases.stages.map(({ after }) => after), target: "gradnorm", loss: "all", objective: "cross-entropy", threads: 1 });
  const { values } = await meter.measure({ ids: [...cases.prompt], promptLength: cases.prompt.length - 1 });
  await meter.release();
  return Math.max(...values.map((row, block) => difference(row, reference.cases[name]!.saliency[block]!)));
}

/** Runs a case. @param part `prefill`: only the prompt, whose other differences are then 0 @throws where other positions are kept */
export async function compare(name: string, model: Model, part: "prefill" | "all" = "all"): Promise<Differences> {
  const values = reference.cases[name]!;
  const run = await model.prefill(cases.prompt);
  const prefill = difference(run.logits, values.prefill);
  if (part === "prefill") return { prefill, decode: 0, pruned: 0, prunedDecode: 0 };
  const decode = await steps(run, values.decode);
  const short = await model.prefill(cases.prompt, { preset, scorer, kvPolicy: "retain" });
  short.stages.forEach((stage, index) => {
    if (stage.kept.join() !== cases.stages[index]!.kept.join()) throw new Error(`${name}: stage ${index} kept ${stage.kept.join()}`);
  });
  const pruned = difference(short.logits, values.pruned);
  return { prefill, decode, pruned, prunedDecode: await steps(short, values.prunedDecode) };
}

async function steps(run: Awaited<ReturnType<Model["prefill"]>>, expected: readonly (readonly number[])[]): Promise<number> {
  let [largest, at] = [0, 0];
  for (const step of cases.steps) {
    const logits = await run.extend(step);
    const size = logits.length / step.length;
    for (let i = 0; i < step.length; i++) largest = Math.max(largest, difference(logits.subarray(i * size, (i + 1) * size), expected[at++]!));
  }
  return largest;
}

function difference(actual: ArrayLike<number>, expected: readonly number[]): number {
  if (actual.length !== expected.length) return Infinity;
  const scale = Math.max(...expected.map(Math.abs));
  const worst = expected.reduce((most, value, i) => Math.max(most, Math.abs(actual[i]! - value)), 0);
  return Number.isNaN(worst) ? Infinity : worst / scale;
}

/** Experts as they are published: a matrix each, where transformers holds all in one. Other tensors stay as they are. */
export function published(name: string): Split {
  const type = cases.cases[name]!["model_type"] as string;
  const mixtral = type === "mixtral";
  if (!mixtral && !/^qwen\d_moe$/.test(type)) return (tensor) => [tensor];
  return ({ name, shape, values, dtype }) => {
    const [, before, kind] = /^(.*)mlp\.experts\.(gate_up_proj|down_proj)$/.exec(name) ?? [];
    if (before === undefined) return [{ name: mixtral ? name.replace(".mlp.gate.", ".block_sparse_moe.gate.") : name, shape, values, dtype }];
    const [count, rows, width] = shape as [number, number, number];
    const parts = kind === "down_proj" ? [mixtral ? "w2" : "down_proj"] : mixtral ? ["w1", "w3"] : ["gate_proj", "up_proj"];
    const height = rows / parts.length;
    return Array.from({ length: count }, (_, expert) => parts.map((part, i) => ({
      name: `${before}${mixtral ? "block_sparse_moe" : "mlp"}.experts.${expert}.${part}.weight`, shape: [height, width], dtype,
      values: values.slice((expert * rows + i * height) * width, (expert * rows + (i + 1) * height) * width),
    }))).flat();
  };
}
