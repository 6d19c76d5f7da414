import { Tensor } from "onnxruntime-node";
import type { ModelConfig } from "../checkpoint/types.js";
import { prefillGraph } from "../decoder/prefill.js";
import type { RotaryTables } from "../decoder/rotary.js";
import { graphKey, planFeeds, type Plan } from "../methods/plan/plan.js";
import type { Scorer } from "../methods/scorer.js";
import { allFinite } from "./finite.js";
import type { Graphs } from "./graphs.js";
import type { GraphToLoad, Home } from "./home.js";
import type { KvCache } from "./kv-cache.js";
import { prefillNotFinite, type Diagnosed } from "./not-finite.js";
import { positionsByHead, presentPositions } from "./present.js";
import type { Room } from "./room.js";
import type { Repeating } from "./repeating.js";
import { rotaryFeeds } from "./rotary-feeds.js";
import type { Outputs } from "./session.js";
import { cutByPreference, cutByRepetition } from "./shared-budget.js";
import { AuxCache } from "./returning/aux-cache.js";
import type { CacheResult } from "./stage-result.js";
import { int64 } from "./int64.js";

/** What prefilling needs of its model. */
export interface PrefillContext {
  readonly home: Home;
  readonly graphs: Graphs;
  readonly room: Room;
  readonly rotaries: RotaryTables;
  readonly diagnosed: Diagnosed;
}

export interface ComputeOptions {
  /** Load the graph for this alone. */
  readonly once: boolean;
  /** Tokens to make room for after the prompt. */
  readonly reserve: number;
  /** Make it as they come. */
  readonly grows?: boolean | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Of the sequence that the tokens are the start of; default: all of it. */
  readonly length?: number;
  /** How the prompt is repeated, where its plan wants that. */
  readonly repeating?: Repeating | null;
  /** Positions that the cache is to know the tokens by; default: their places. */
  readonly known?: Int32Array;
  /** They stand there too, and are turned so; default: they are turned by their places. */
  readonly restored?: boolean;
  /** Told, of a prompt in pieces, which share of it is done. */
  readonly onProgress?: ((share: number) => void) | undefined;
}

/** A plan that was carried out. */
export interface Prefilled {
  readonly results: Outputs;
  /** Original positions kept at each stage. */
  readonly kept: readonly Int32Array[];
  /** Scores of the tokens present at each stage. */
  readonly scores: readonly Float32Array[];
  /** Original positions of the tokens present in each block. */
  readonly positions: readonly Int32Array[];
  /** What each layer's cache was cut down to, scores read; null: nothing. */
  readonly selections: readonly CacheResult[] | null;
  readonly kv: KvCache;
  /** Hidden states of the tokens that fell at each stage with blocks after it; null: none may return. */
  readonly aux: readonly AuxCache[] | null;
  readonly logits: Float32Array;
  readonly prefillSeconds: number;
}

/** The graph of a plan. @param finite tells of each activation whether it is finite */
export function planGraph({ home, diagnosed }: PrefillContext, plan: Plan, scorer: Scorer | null, finite = false): GraphToLoad {
  const { stages, attention, capture, evicts, cache, shared, again } = plan;
  const evict = evicts && home.evictsInGraph;
  const { config } = diagnosed.checkpoint;
  return {
    key: graphKey(plan, scorer?.key ?? null, { evictsInGraph: home.evictsInGraph, finite }),
    prompt: true,
    build: (g, weights) => prefillGraph(g, weights, { config, stages: stages.map(({ afterLayer }) => afterLayer), scorer, attention, headsApart: home.headsApart === true, works: home.works ?? 1, cache: shared === "heads" ? null : cache, cutLater: shared === "layers", evict, finite, choose: again !== null, aux: plan.method.revives === true, ...(capture && { capture: capture.names }) }),
  };
}

/** Carries out a plan on a prompt as a whole: one run of its graph, and the compaction of the cache. */
export async function computeWhole(context: PrefillContext, ids: readonly number[], plan: Plan, scorer: Scorer | null, { once, reserve, grows, signal, length = ids.length, repeating, known, restored = false }: ComputeOptions): Promise<Prefilled> {
  const more = grows ? 0 : reserve;
  const { home, graphs, room, diagnosed } = context;
  const { config } = diagnosed.checkpoint;
  const graph = planGraph(context, plan, scorer);
  await room.make(graph.key, plan, reserve);
  const feeds = prefillFeeds(context, ids, plan, length, restored ? known! : null);
  const done = (results: Outputs, kept: readonly Int32Array[], positions: readonly Int32Array[], selections: readonly CacheResult[] | null, kv: KvCache, prefillSeconds: number, aux: readonly AuxCache[] | null = null): Prefilled =>
    ({ results, kept, scores: plan.stages.map((_, stage) => results[`scores.${stage}`]!.data as Float32Array), positions, selections, kv, aux, logits: results["logits"]!.data as Float32Array, prefillSeconds });
  const prefilled = await graphs.use(graph, once, async (session) => {
    const started = performance.now();
    const results = await session.run(feeds, session.outputNames, { signal });
    const kept = plan.stages.map((_, stage) => Int32Array.from(results[`kept.${stage}`]!.data as BigInt64Array, Number));
    const positions = presentPositions(plan.stages, kept, ids.length, config.layers);
    if (plan.shared) {
      const whole = await home.cache(config, session, results, positions, null, 0);
      const selections = plan.shared === "layers" ? cutByPreference(plan, results, positions, config.kvHeads) : await cutByRepetition(context, plan, ids, whole, positions, repeating!, signal);
      const kv = await whole.keeping(selections.map((selection) => selection.kept), more);
      whole.dispose();
      return done(results, kept, positions, selections, kv, (performance.now() - started) / 1e3);
    }
    const selections = plan.cache && plan.cache.map((_, layer): CacheResult => ({
      present: positions[layer]!,
      kept: positionsByHead(results[`cache.${layer}.kept`]!.data as BigInt64Array, positions[layer]!, config.kvHeads),
      scores: results[`cache.${layer}.scores`]!.data as Float32Array,
    }));
    const kv = await home.cache(config, session, results, selections?.map(({ kept }) => kept) ?? (known ? positions.map(() => known) : positions), plan.evicts ? kept.at(-1)! : null, more);
    const aux = plan.method.revives ? fallen(plan, results, kept, positions, config) : null;
    return done(results, kept, positions, selections, kv, (performance.now() - started) / 1e3, aux);
  }).catch((error: unknown) => {
    throw room.explain(error, ids.length, { method: plan.method, reserve });
  });
  const { kept, scores, positions, selections, kv, logits } = prefilled;
  if (![logits, ...scores].every(allFinite)) {
    kv.dispose();
    throw await prefillNotFinite(diagnosed, { graph: planGraph(context, plan, scorer, true), feeds, stages: plan.stages, scorer, kept, positions, scores, logits });
  }
  const bad = selections?.findIndex((selection) => !allFinite(selection.scores!)) ?? -1;
  if (bad >= 0) {
    kv.dispose();
    throw new Error(`cache scores in block ${bad}: not finite (${plan.method.name}'s way of scoring fails on this prompt; the model's own numbers are finite)`);
  }
  return prefilled;
}

/** What fell at each stage that blocks come after, with the hidden states that the graph gave. */
function fallen({ stages }: Plan, results: Outputs, kept: readonly Int32Array[], positions: readonly Int32Array[], { layers, hiddenSize }: ModelConfig): AuxCache[] {
  return stages.filter(({ afterLayer }) => afterLayer < layers - 1).map(({ afterLayer }, stage) => {
    const stays = new Set(kept[stage]!);
    return AuxCache.of(positions[afterLayer]!.filter((position) => !stays.has(position)), results[`aux.${stage}`]!.data as Float32Array, hiddenSize);
  });
}

/** The tokens that a plan's first pass keeps, where the prompt is to start anew on them: one run of the blocks up to its stage. */
export async function chooseWhole(context: PrefillContext, ids: readonly number[], plan: Plan, scorer: Scorer, { reserve, signal }: Pick<ComputeOptions, "reserve" | "signal">): Promise<{ kept: Int32Array; scores: Float32Array; seconds: number }> {
  const { graphs, room } = context;
  const graph = planGraph(context, plan, scorer);
  await room.make(graph.key, plan, reserve);
  const feeds = prefillFeeds(context, ids, plan, ids.length, null);
  const chosen = await graphs.use(graph, false, async (session) => {
    const started = performance.now();
    const results = await session.run(feeds, session.outputNames, { signal });
    const kept = Int32Array.from(results["kept.0"]!.data as BigInt64Array, Number);
    return { kept, scores: results["scores.0"]!.data as Float32Array, seconds: (performance.now() - started) / 1e3 };
  }).catch((error: unknown) => {
    throw room.explain(error, ids.length, { method: plan.method, reserve });
  });
  if (!allFinite(chosen.scores)) throw new Error(`scores after block ${plan.stages[0]!.afterLayer}: not finite (scorer ${scorer.name}; a prompt without pruning tells in which block numbers went wrong)`);
  return chosen;
}

function prefillFeeds({ rotaries }: PrefillContext, ids: readonly number[], plan: Plan, length: number, at: Int32Array | null): Record<string, Tensor> {
  const n = ids.length;
  const counts = Object.entries(planFeeds(plan)).map(([name, count]) => [name, new Tensor("int64", BigInt64Array.of(BigInt(count)), [1])] as const);
  const expected = plan.cache?.flatMap(({ scoring }) => (scoring.kind === "expected attention" ? [scoring.future] : []))[0];
  const futures = expected === undefined ? [] : Object.entries(rotaryFeeds(rotaries.mean(n, expected))).map(([name, tensor]) => [`future.${name}`, tensor] as const);
  return { ids: int64(ids, [1, n]), ...rotaryFeeds(at ? rotaries.rows(at, length) : rotaries.prompt(n, length)), ...Object.fromEntries(futures), ...Object.fromEntries(counts) };
}
