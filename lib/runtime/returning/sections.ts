// The blocks between two pruning stages as graphs, and their runs.
import { Tensor } from "onnxruntime-node";
import type { KvDtype } from "../../checkpoint/kv-dtype.js";
import type { ModelConfig } from "../../checkpoint/types.js";
import { sectionGraph, type Section } from "../../decoder/decode-section.js";
import type { RotaryTables } from "../../decoder/rotary.js";
import type { Stage } from "../../methods/plan/stages.js";
import { SECTION, type GraphToLoad } from "../home.js";
import type { HostCache } from "../host-cache.js";
import type { LoadedGraph, Outputs } from "../loaded-graph.js";
import { rotaryFeeds } from "../rotary-feeds.js";
import { int64 } from "../int64.js";

/** What steps get from their model. */
export interface ReturningSource {
  readonly config: ModelConfig;
  readonly kvDtype: KvDtype;
  readonly rotaries: RotaryTables;
  use<T>(graph: GraphToLoad, work: (graph: LoadedGraph) => Promise<T>): Promise<T>;
  /** The error to throw for one of a graph's, with `length` tokens in the cache. */
  explain(error: unknown, length: number): unknown;
  /** The error for logits that are not finite. */
  notFinite(logits: Float32Array): Promise<Error>;
}

/** Tokens on their way through a step. */
export interface Going {
  /** Ascending. */
  readonly positions: readonly number[];
  /** `[positions.length, d]`; null before the first block. */
  readonly hidden: Float32Array | null;
}

/** What a step's sections have in common. */
export interface Step {
  /** The new token. */
  readonly id: number;
  /** By position, all up to the new token's: 1 where a token is chosen. */
  readonly selected: Uint8Array;
  /** Bytes that the attention scores of one run may take. */
  readonly scoreBytes: number;
  /** Of each block, added to: see `StepCounts`. */
  readonly pairs: number[];
}

/** What a section's run gave. */
export interface Ran {
  /** After its blocks, `[m, d]`; of the last section empty. */
  readonly hidden: Float32Array;
  /** Outputs of the run that the new token was in, and the tokens that were in it. */
  readonly results: Outputs;
  readonly together: readonly number[];
}

/** The blocks between stages. */
export function sectionsOf(stages: readonly Stage[], layers: number): Section[] {
  const ends = [...stages.map(({ afterLayer }) => afterLayer).filter((end) => end < layers - 1), layers - 1];
  return ends.map((last, i) => ({ first: i === 0 ? 0 : ends[i - 1]! + 1, last }));
}

/** The graph of a section. */
export function sectionToLoad(config: ModelConfig, section: Section, kvDtype: KvDtype): GraphToLoad {
  return { key: `${SECTION} ${section.first}-${section.last}`, build: (g, weights) => sectionGraph(g, weights, config, section, kvDtype) };
}

/** All of a section's tokens, a part after the other: each finds the keys and values of those before it in the cache. */
export async function runSection(source: ReturningSource, section: Section, cache: HostCache, { positions, hidden }: Going, step: Step): Promise<Ran> {
  const { config, kvDtype } = source;
  const d = config.hiddenSize;
  const after: Float32Array[] = [];
  for (let from = 0; ; ) {
    const held = cache.layer(section.first).positions;
    const to = Math.min(positions.length, from + Math.max(1, Math.floor(step.scoreBytes / (4 * config.heads * (held.length + positions.length)))));
    const together = positions.slice(from, to);
    const part: Going = { positions: together, hidden: hidden && hidden.subarray(from * d, to * d) };
    const results = await source.use(sectionToLoad(config, section, kvDtype), (graph) => run(source, graph, section, cache, part, step, held)).catch((error: unknown) => {
      throw source.explain(error, held.length + positions.length);
    });
    for (let layer = section.first; layer <= section.last; layer++) {
      step.pairs[layer]! += together.length * (cache.layer(layer).length + together.length);
      cache.layer(layer).append({ key: results[`key.${layer}`]!.data as Float32Array, value: results[`value.${layer}`]!.data as Float32Array }, together.length, together);
    }
    if (results["after"]) after.push(results["after"].data as Float32Array);
    if (to === positions.length) return { hidden: gathered(after), results, together };
    from = to;
  }
}

function run({ config, rotaries }: ReturningSource, graph: LoadedGraph, { first, last }: Section, cache: HostCache, { positions, hidden }: Going, { id, selected }: Step, held: Int32Array): Promise<Outputs> {
  const m = positions.length;
  const feeds: Record<string, Tensor> = {
    ...(hidden ? { hidden: new Tensor("float32", hidden, [1, m, config.hiddenSize]) } : { ids: new Tensor("int64", BigInt64Array.of(BigInt(id)), [1, 1]) }),
    positions: int64(positions),
    ...rotaryFeeds(rotaries.rows(positions, selected.length)),
    self_bias: new Tensor("float32", causal(m), [m, m]),
  };
  let capacity = 0;
  for (let layer = first; layer <= last; layer++) {
    Object.assign(feeds, cache.layer(layer).namedFeeds(String(layer), positions, null, false));
    capacity = feeds[`past_key.${layer}`]!.dims[3]!;
  }
  feeds["bias"] = new Tensor("float32", visible(held, positions, selected, capacity), [m, capacity]);
  return graph.run(Object.fromEntries(graph.inputNames.map((name) => [name, feeds[name]!])), graph.outputNames);
}

/** `[m, capacity]`: a token sees a slot's where that one is chosen and does not come after it. */
function visible(held: Int32Array, positions: readonly number[], selected: Uint8Array, capacity: number): Float32Array {
  const bias = new Float32Array(positions.length * capacity).fill(-Infinity);
  positions.forEach((position, row) => {
    for (let slot = 0; slot < held.length; slot++) if (selected[held[slot]!] && held[slot]! <= position) bias[row * capacity + slot] = 0;
  });
  return bias;
}

/** `[m, m]`: a token sees itself and those before it. */
function causal(m: number): Float32Array {
  const bias = new Float32Array(m * m);
  for (let row = 0; row < m; row++) bias.fill(-Infinity, row * m + row + 1, (row + 1) * m);
  return bias;
}

/** One after the other. */
export function gathered(parts: readonly Float32Array[]): Float32Array {
  const all = new Float32Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}
