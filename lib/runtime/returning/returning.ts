// Decoding in which tokens that fell return (LazyLLM, arXiv:2407.14057, section 4). Between two pruning stages all blocks see the same tokens: each such section of blocks is a
// graph, and between their runs it is chosen here which tokens go on. A token's keys and values enter a cache behind those that are there, in whatever order tokens return:
// rotary positions are in the keys, and what may see what stands in a mask.
import { Tensor } from "onnxruntime-node";
import type { KvDtype } from "../../checkpoint/kv-dtype.js";
import type { ModelConfig } from "../../checkpoint/types.js";
import { sectionGraph, type Section } from "../../decoder/decode-section.js";
import type { RotaryTables } from "../../decoder/rotary.js";
import type { Method } from "../../methods/method.js";
import { schedule, type Stage } from "../../methods/plan/stages.js";
import { allFinite } from "../finite.js";
import { SECTION, type GraphToLoad } from "../home.js";
import type { HostCache } from "../host-cache.js";
import type { LoadedGraph, Outputs } from "../loaded-graph.js";
import { rotaryFeeds } from "../rotary-feeds.js";
import type { AuxCache } from "./aux-cache.js";
import { chosen } from "./choose.js";

/** What it gets from its model. */
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

/** What steps have computed so far, by layer. */
export interface StepCounts {
  /** Steps: new tokens. */
  readonly steps: number;
  /** Tokens that each block computed: the new ones and those that returned, `[layers]`. */
  readonly tokens: readonly number[];
  /** Of each block the pairs of a computed token with one in the cache or computed beside it, masked ones too, `[layers]`. */
  readonly pairs: readonly number[];
}

/** Tokens on their way through a step. */
interface Going {
  /** Ascending; the last is the new token. */
  readonly positions: readonly number[];
  /** `[positions.length, d]`; null before the first block. */
  readonly hidden: Float32Array | null;
}

/** A section of one step, done: taken over when all are. */
interface Done {
  readonly section: Section;
  readonly positions: readonly number[];
  readonly results: Outputs;
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

/** Steps of a run whose tokens return. Its caches are the run's; the Aux Caches are its own. */
export class Returning {
  private readonly sections: readonly Section[];
  private steps = 0;

  /** @param aux of the tokens that fell at each stage, `[stages]` */
  constructor(
    private readonly source: ReturningSource,
    private readonly method: Method,
    stages: readonly Stage[],
    readonly aux: readonly AuxCache[],
    private readonly tokens: number[] = Array<number>(source.config.layers).fill(0),
    private readonly pairs: number[] = Array<number>(source.config.layers).fill(0),
  ) {
    this.sections = sectionsOf(stages, source.config.layers);
  }

  /** Bytes of the hidden states kept. */
  get bytes(): number {
    return this.aux.reduce((sum, { bytes }) => sum + bytes, 0);
  }

  get counts(): StepCounts {
    return { steps: this.steps, tokens: [...this.tokens], pairs: [...this.pairs] };
  }

  copy(): Returning {
    const copy = new Returning(this.source, this.method, this.sections.slice(0, -1).map(({ last }) => ({ afterLayer: last, present: 0, keep: 0, head: 0, tail: 0 })), this.aux.map((cache) => cache.copy()), [...this.tokens], [...this.pairs]);
    copy.steps = this.steps;
    return copy;
  }

  /**
   * One further token: every stage chooses among all tokens so far by what this one looks at, and blocks compute those chosen that they have not yet.
   * Where it fails, caches are as before.
   * @returns logits, `[vocabulary]`
   */
  async step(cache: HostCache, id: number, position: number): Promise<Float32Array> {
    const { config, use } = this.source;
    // What a prompt of so many tokens would keep.
    const stages = schedule(this.method, position + 1, config.layers);
    const all: Done[] = [];
    const fallen: { readonly stage: number; readonly position: number; readonly hidden: Float32Array }[] = [];
    let selected: Uint8Array = new Uint8Array(position + 1).fill(1);
    let going: Going = { positions: [position], hidden: null };
    for (const [s, section] of this.sections.entries()) {
      const tokens = s === 0 ? going : this.joined(going, s - 1, selected);
      const held = cache.layer(section.first).positions;
      const results = await use(sectionToLoad(config, section, this.source.kvDtype), (graph) => this.run(graph, section, cache, tokens, id, selected, held)).catch((error: unknown) => {
        throw this.source.explain(error, Math.max(...cache.lengths) + tokens.positions.length);
      });
      all.push({ section, positions: tokens.positions, results });
      if (section.last === config.layers - 1) break;
      const hidden = results["after"]!.data as Float32Array;
      const stays = chosen(stages[s]!, present(selected), byPosition(results["attention"]!.data as Float32Array, held, tokens.positions, selected));
      const row = (i: number) => hidden.slice(i * config.hiddenSize, (i + 1) * config.hiddenSize);
      tokens.positions.forEach((at, i) => stays[at] || fallen.push({ stage: s, position: at, hidden: row(i) }));
      const left = [...tokens.positions.keys()].filter((i) => stays[tokens.positions[i]!]);
      going = { positions: left.map((i) => tokens.positions[i]!), hidden: gathered(left.map(row), config.hiddenSize) };
      selected = stays;
    }
    const logits = all.at(-1)!.results["logits"]!.data as Float32Array;
    if (!allFinite(logits)) throw await this.source.notFinite(logits);
    this.takeOver(cache, all);
    for (const { stage, position: at, hidden } of fallen) this.aux[stage]!.put(at, hidden);
    this.steps++;
    return logits;
  }

  /** Those that go on and those that return from a stage's Aux Cache. */
  private joined(going: Going, stage: number, selected: Uint8Array): Going {
    const { hiddenSize: d } = this.source.config;
    const aux = this.aux[stage]!;
    const own = new Map(going.positions.map((position, i) => [position, going.hidden!.subarray(i * d, (i + 1) * d)]));
    const positions = [...going.positions, ...aux.positions.filter((position) => selected[position] && !own.has(position))].sort((a, b) => a - b);
    return { positions, hidden: gathered(positions.map((position) => own.get(position) ?? aux.get(position)), d) };
  }

  private run(graph: LoadedGraph, { first, last }: Section, cache: HostCache, { positions, hidden }: Going, id: number, selected: Uint8Array, held: Int32Array): Promise<Outputs> {
    const { config, rotaries } = this.source;
    const m = positions.length;
    const feeds: Record<string, Tensor> = {
      ...(hidden ? { hidden: new Tensor("float32", hidden, [1, m, config.hiddenSize]) } : { ids: new Tensor("int64", BigInt64Array.of(BigInt(id)), [1, 1]) }),
      positions: new Tensor("int64", BigInt64Array.from(positions, BigInt), [m]),
      ...rotaryFeeds(rotaries.rows(positions)),
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

  private takeOver(cache: HostCache, all: readonly Done[]): void {
    for (const [s, { section, positions, results }] of all.entries()) {
      const m = positions.length;
      for (let layer = section.first; layer <= section.last; layer++) {
        this.tokens[layer]! += m;
        this.pairs[layer]! += m * (cache.layer(layer).length + m);
        cache.layer(layer).append({ key: results[`key.${layer}`]!.data as Float32Array, value: results[`value.${layer}`]!.data as Float32Array }, m, positions);
      }
      // The blocks after that stage have it now.
      if (s > 0) for (const position of positions) this.aux[s - 1]!.forget(position);
    }
  }
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

/** Scores by position. @param paid `[capacity + m]` */
function byPosition(paid: Float32Array, held: Int32Array, positions: readonly number[], selected: Uint8Array): Float32Array {
  const scores = new Float32Array(selected.length);
  held.forEach((position, slot) => (scores[position] = paid[slot]!));
  const capacity = paid.length - positions.length;
  positions.forEach((position, i) => (scores[position] = paid[capacity + i]!));
  return scores;
}

function present(selected: Uint8Array): number[] {
  const positions: number[] = [];
  selected.forEach((is, position) => is && positions.push(position));
  return positions;
}

function gathered(rows: readonly Float32Array[], width: number): Float32Array {
  const all = new Float32Array(rows.length * width);
  rows.forEach((row, i) => all.set(row, i * width));
  return all;
}
