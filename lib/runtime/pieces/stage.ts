import { Tensor } from "onnxruntime-node";
import type { StateName } from "../../decoder/stage.js";
import type { ModelConfig } from "../../checkpoint/types.js";
import { planFeeds, type Plan } from "../../methods/plan/plan.js";
import { stagePlace } from "../../methods/plan/stages.js";
import { allFinite } from "../finite.js";
import { int64 } from "../int64.js";
import type { HostKv, KvCache } from "../kv-cache.js";
import type { LoadedGraph } from "../loaded-graph.js";
import type { Segment } from "./segments.js";

/** What is there of the tokens at a stage. */
export interface AtStage {
  /** Original places, `[n]`. */
  readonly present: Int32Array;
  /** `[n, width]` each. */
  readonly states: ReadonlyMap<StateName, Float32Array>;
  /** Of the blocks before it. */
  readonly cache: KvCache;
  /** Scores of the stage before, of these tokens; null: it is the first. */
  readonly carried: Float32Array | null;
}

export interface Choice {
  /** Which of the tokens stay, ascending. */
  readonly rows: Int32Array;
  readonly scores: Float32Array;
}

/** Numbers of one token. */
export const stateWidth = ({ hiddenSize, heads, headDim }: ModelConfig, name: StateName): number => (name === "queries" ? heads * headDim : hiddenSize);

/** Runs a stage. @throws where a score is not finite */
export async function choiceOf(graph: LoadedGraph, config: ModelConfig, plan: Pick<Plan, "stages" | "cache" | "shared">, { from, to, stage }: Segment, { present, states, cache, carried }: AtStage, signal?: AbortSignal): Promise<Choice> {
  const { index, needs } = stage!;
  const n = present.length;
  const feeds: Record<string, Tensor> = Object.fromEntries(Object.entries(planFeeds(plan)).map(([name, count]) => [name, new Tensor("int64", BigInt64Array.of(BigInt(count)), [1])]));
  for (const [name, rows] of states) feeds[name] = new Tensor("float32", rows.subarray(0, n * stateWidth(config, name)), [1, n, stateWidth(config, name)]);
  feeds["positions"] = int64(present);
  if (needs.keys) feeds["keys"] = new Tensor("float32", await keysOf(config, cache, to - from), [1, config.kvHeads, n, config.headDim]);
  if (carried) feeds["scores"] = new Tensor("float32", carried, [n]);
  const results = await graph.run(Object.fromEntries(graph.inputNames.map((name) => [name, feeds[name]!])), graph.outputNames, { signal });
  const scores = results["scored"]!.data as Float32Array;
  if (!allFinite(scores)) throw new Error(`scores ${stagePlace(to)}: not finite at token ${present[scores.findIndex((score) => !Number.isFinite(score))]} (stage ${index} of a prompt in pieces; as a whole it tells in which block numbers went wrong)`);
  return { rows: Int32Array.from(results["rows"]!.data as BigInt64Array, Number), scores };
}

async function keysOf({ kvHeads, headDim }: ModelConfig, cache: KvCache, layer: number): Promise<Float32Array> {
  const held = ((await cache.toHost()) as HostKv).layer(layer);
  const keys = new Float32Array(kvHeads * held.length * headDim);
  for (let head = 0; head < kvHeads; head++) keys.set(held.key(head), head * held.length * headDim);
  return keys;
}

/** Moves rows, ascending, to the front. */
export function keepRows(states: Float32Array, rows: Int32Array, width: number): void {
  rows.forEach((row, at) => states.copyWithin(at * width, row * width, (row + 1) * width));
}
