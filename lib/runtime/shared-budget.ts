import { Tensor } from "onnxruntime-node";
import { reconstructGraph } from "../decoder/reconstruct.js";
import type { RotaryTables } from "../decoder/rotary.js";
import { bestOfAll, bestRows, layerBudgets } from "../methods/cache/share.js";
import { SCORE_BYTES } from "../methods/plan/pieces.js";
import type { Plan } from "../methods/plan/plan.js";
import { allFinite } from "./finite.js";
import type { Graphs } from "./graphs.js";
import type { GraphToLoad } from "./home.js";
import type { KvCache } from "./kv-cache.js";
import type { Diagnosed } from "./not-finite.js";
import type { Repeating } from "./repeating.js";
import { rotaryFeeds } from "./rotary-feeds.js";
import type { Outputs } from "./session.js";
import type { CacheResult } from "./stage-result.js";
import { int64 } from "./int64.js";

/** Layers that share a budget by preference: what each keeps, from what the prefill graph told. @param positions present in each layer */
export function cutByPreference({ cache, method }: Plan, results: Outputs, positions: readonly Int32Array[], kvHeads: number): CacheResult[] {
  const { dispersion, shift } = method.cache!.layers!.preference!;
  const selections = cache!;
  const preferences = selections.map((_, layer) => {
    const [width, change] = results[`cache.${layer}.preference`]!.data as Float32Array;
    return Math.max(0, width!) ** (1 / dispersion) * Math.max(0, change!) ** (1 / shift);
  });
  const total = selections.reduce((sum, { keep, head, tail }) => sum + keep - head - tail, 0);
  const budgets = layerBudgets(preferences, total, selections.map(({ present, head, tail }) => present - head - tail));
  return selections.map(({ present, head, tail }, layer) => {
    const scores = finite(results[`cache.${layer}.scores`]!.data as Float32Array, layer, method.name);
    const keep = budgets[layer]! + head + tail;
    const kept = Array.from({ length: kvHeads }, (_, h) => bestRows(scores.subarray(h * present, (h + 1) * present), keep, head, tail).map((row) => positions[layer]![row]!));
    return { present: positions[layer]!, kept, scores };
  });
}

/** What a repetition needs of its model. */
interface Repeater {
  readonly graphs: Graphs;
  readonly rotaries: RotaryTables;
  readonly diagnosed: Diagnosed;
}

/** Heads of all layers that share a budget by what a repetition of the prompt looks at: the prompt once more, part by part, on top of its whole cache. */
export async function cutByRepetition({ graphs, rotaries, diagnosed }: Repeater, plan: Plan, ids: readonly number[], whole: KvCache, positions: readonly Int32Array[], { from, requests }: Repeating, signal: AbortSignal | undefined): Promise<CacheResult[]> {
  const { config } = diagnosed.checkpoint;
  const scoring = plan.method.cache!.scoring;
  if (scoring.kind !== "reconstruction") throw new Error(`cache scoring: ${scoring.kind} (only a reconstruction repeats the prompt)`);
  const { chunk } = scoring;
  const sinks = plan.cache![0]!.head;
  const scores = positions.map(({ length }) => new Float32Array(config.kvHeads * length));
  for (const [part, request] of requests.entries()) {
    signal?.throwIfAborted();
    const [start, end] = [from + part * chunk, Math.min(ids.length, from + (part + 1) * chunk)];
    const tokens = [...request, ...ids.slice(start, end)];
    const at = tokens.map((_, i) => ids.length + i);
    const chunks = 2 ** Math.max(0, Math.ceil(Math.log2((4 * config.heads * tokens.length * (ids.length + tokens.length)) / SCORE_BYTES)));
    // Slots of the part's tokens, as many as are present in each layer.
    const before = (present: Int32Array, end: number) => present.reduce((count, position) => count + Number(position < end), 0);
    const spans = positions.map((present) => [before(present, start), before(present, end)] as const);
    const one = (value: number) => new Tensor("int64", BigInt64Array.of(BigInt(value)), [1]);
    const feeds = {
      ids: int64(tokens, [1, tokens.length]),
      positions: int64(at),
      ...rotaryFeeds(rotaries.rows(at, ids.length)),
      // Before the first of them is repeated there are no sinks beside it.
      sinks: one(Math.min(sinks, start)),
      ...Object.fromEntries(spans.flatMap(([a, b], layer) => [[`from.${layer}`, one(a)], [`to.${layer}`, one(b)]])),
    };
    const graph: GraphToLoad = { key: `reconstruct ${chunks}`, prompt: true, build: (g, weights) => reconstructGraph(g, weights, config, { kvDtype: diagnosed.kvDtype, chunks }) };
    await graphs.use(graph, false, async (session) => {
      const results = await whole.look(session, feeds, config, at);
      spans.forEach(([a, b], layer) => {
        const [length, size] = [positions[layer]!.length, b - a];
        const looked = results[`scores.${layer}`]!.data as Float32Array;
        for (let h = 0; h < config.kvHeads; h++) scores[layer]!.set(looked.subarray(h * size, (h + 1) * size), h * length + a);
      });
    });
  }
  scores.forEach((layer, l) => finite(layer, l, plan.method.name));
  return bestOfAll(scores, plan.cache!, config.kvHeads).map((heads, layer) => ({
    present: positions[layer]!, kept: heads.map((rows) => rows.map((row) => positions[layer]![row]!)), scores: scores[layer]!,
  }));
}

function finite(scores: Float32Array, layer: number, method: string): Float32Array {
  if (!allFinite(scores)) throw new Error(`cache scores in block ${layer}: not finite (${method}'s way of scoring fails on this prompt; the model's own numbers may be finite)`);
  return scores;
}
