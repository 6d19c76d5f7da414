import { Tensor } from "onnxruntime-node";
import { checkPrompt } from "../checkpoint/validate.js";
import type { ModelConfig } from "../checkpoint/types.js";
import type { RotaryTables } from "../decoder/rotary.js";
import { runLoop, type LoopEnd, type LoopStart } from "./decode-loop.js";
import { allFinite } from "./finite.js";
import type { DecodeStep, Together } from "./home.js";
import { HostCache } from "./host-cache.js";
import type { KvCache } from "./kv-cache.js";
import { rotaryFeeds } from "./rotary-feeds.js";
import type { LoadedGraph, Outputs } from "./session.js";
import { int64 } from "./int64.js";

/** A decode step with what its tokens looked at. */
export interface Observation {
  /** `[m, vocabulary]` */
  readonly logits: Float32Array;
  /** For each layer `[m, length]`: the share of attention that each new token pays to each token in the layer's cache, itself included; the mean over heads. */
  readonly attention: readonly Float32Array[];
  /** The same for each key/value head, the mean over the queries that share it: `[layers][kvHeads]`, each `[m, length]`. */
  readonly byHead: readonly (readonly Float32Array[])[];
  /** Queries of each layer after rotary embedding, `[m, heads * headDim]`. */
  readonly queries: readonly Float32Array[];
}

/** Further tokens of one sequence, to be computed in one run with those of others. */
export interface JointTokens {
  readonly cache: KvCache;
  readonly tokens: readonly number[];
  /** Position of the first of them. */
  readonly start: number;
  /** See `extend`. */
  readonly turnedBack: number;
  /** Give the logits after each of them; default: after the last. */
  readonly each?: boolean;
}

/** What a decoder gets from its model. */
export interface DecoderSource {
  /** Works with the decode graph for such a step. @param onAside see `SessionSettings` */
  use<T>(step: Omit<DecodeStep, "inPlace">, work: (session: LoadedGraph) => Promise<T>, onAside?: () => void): Promise<T>;
  /** Works with the graph that decodes up to so many sequences in one run. */
  useTogether<T>(slots: number, work: (graph: LoadedGraph) => Promise<T>): Promise<T>;
  /** Runs that graph; null: the device has none. */
  readonly together: Together | null;
  /** Works with the graph that generates in a loop. */
  useLoop<T>(work: (graph: LoadedGraph) => Promise<T>): Promise<T>;
  readonly loopSteps: number | null;
  /** The error for a step that gave logits that are not finite. @param feeds of a decode graph that makes the step, beside the cache's */
  notFinite(logits: Float32Array, cache: KvCache, positions: readonly number[], feeds: Readonly<Record<string, Tensor>>): Promise<Error>;
  /** The error to throw for one of the graph's, with `length` tokens in the cache. */
  explain(error: unknown, length: number): unknown;
}

/** Runs decode graphs over caches of one home. */
export class Decoder {
  constructor(
    private readonly config: ModelConfig,
    private readonly rotaries: RotaryTables,
    private readonly source: DecoderSource,
  ) {}

  /** Loads the graphs, so that the first step does not pay for it. @param onAside see `SessionSettings` */
  async warm(ragged = false, onAside?: () => void): Promise<void> {
    await this.source.use({ count: 1, attention: false, ragged }, async () => {}, onAside);
    if (this.source.loopSteps !== null) await this.source.useLoop(async () => {});
  }

  /** Appends `tokens` at positions `start …` to the cache, turned as if they stood `turnedBack` earlier. @returns logits `[tokens.length, vocabulary]` */
  async extend(cache: KvCache, tokens: readonly number[], start: number, turnedBack = 0): Promise<Float32Array> {
    const results = await this.step(cache, tokens, start, turnedBack, false);
    return results["logits"]!.data as Float32Array;
  }

  /** As `extend`, and what the tokens look at, from a graph of its own that is loaded when first needed. */
  async observe(cache: KvCache, tokens: readonly number[], start: number, turnedBack = 0): Promise<Observation> {
    if (cache.ragged) throw new Error("observe: attention by position is not to be had where the heads of a layer hold different numbers of tokens (a method without budgets by head has it)");
    const before = cache.lengths;
    const results = await this.step(cache, tokens, start, turnedBack, true);
    const byHead = before.map((length, layer) => {
      const { data, dims } = results[`attention.${layer}`]!;
      const [heads, m, row] = [dims[0]!, dims[1]!, dims[2]!];
      return Array.from({ length: heads }, (_, head) => filledSlots((data as Float32Array).subarray(head * m * row, (head + 1) * m * row), row, length, m));
    });
    const attention = byHead.map((heads) => heads[0]!.map((_, i) => heads.reduce((sum, paid) => sum + paid[i]!, 0) / heads.length));
    return { logits: results["logits"]!.data as Float32Array, attention, byHead, queries: before.map((_, layer) => results[`query.${layer}`]!.data as Float32Array) };
  }

  /**
   * Generates greedily inside the graph, as many tokens as one run does at most.
   * @param start logits and position that it starts from
   */
  async loop(cache: KvCache, start: LoopStart): Promise<LoopEnd> {
    if (!(cache instanceof HostCache)) throw new Error(`loop: a cache in ${cache.home} (must be in this process's memory)`);
    const room = this.config.maxPositions - start.position;
    if (room < 1) throw new Error(`position: ${start.position + 1} (the model has ${this.config.maxPositions})`);
    const steps = Math.min(start.steps, room);
    const end = await this.source.useLoop((graph) => runLoop(graph, this.config, this.rotaries, cache, { ...start, steps })).catch((error: unknown) => {
      throw this.source.explain(error, Math.max(...cache.lengths) + steps);
    });
    if (!allFinite(end.logits)) {
      const positions = end.tokens.map((_, i) => start.position + i);
      throw await this.source.notFinite(end.logits, cache, positions, this.feeds(end.tokens, positions));
    }
    return end;
  }

  /** Whether `extendTogether` works with this model on its device. */
  get together(): boolean {
    return this.source.together !== null;
  }

  /** Loads the graph of `extendTogether`. */
  async warmTogether(slots: number): Promise<void> {
    await this.source.useTogether(slots, async () => {});
  }

  /**
   * As `extend`, of several sequences in one run over one copy of the weights: each gets the numbers that it would have alone.
   * @param all at most `slots`, with caches of one home that are not ragged; only one of them may be of several tokens
   * @returns of each its logits, `[vocabulary]` or `[tokens.length, vocabulary]`; or the error where they are not finite
   */
  async extendTogether(all: readonly JointTokens[], slots: number): Promise<(Float32Array | Error)[]> {
    const { together } = this.source;
    if (!together) throw new Error("decode: several sequences in one run (this device has a run for each)");
    // The first slot is the one that takes several tokens.
    const order = all.map((_, i) => i).sort((a, b) => all[b]!.tokens.length - all[a]!.tokens.length);
    const sorted = order.map((i) => all[i]!);
    if (sorted.length > slots || sorted.slice(1).some(({ tokens }) => tokens.length !== 1)) throw new Error(`decode: ${sorted.map(({ tokens }) => tokens.length).join(", ")} tokens in one run (of at most ${slots} sequences, all but one of one token)`);
    const parts = sorted.map((each) => ({ ...each, positions: this.positions(each) }));
    const feeds = parts.map(({ tokens, positions, turnedBack }) => this.feeds(tokens, positions, turnedBack));
    const rows = parts.map(({ tokens }, i) => parts.slice(0, i).reduce((sum, part) => sum + part.tokens.length, 0) + tokens.length);
    const wanted = parts.map(({ tokens, each }, i) => (each ? tokens.map((_, t) => rows[i]! - tokens.length + t) : [rows[i]! - 1]));
    const joint = { ...stacked(feeds), wanted: int64(wanted.flat()) };
    const length = Math.max(...parts.map(({ cache, tokens }) => Math.max(...cache.lengths) + tokens.length));
    const results = await this.source.useTogether(slots, (graph) => together.step(graph, joint, this.config, parts, slots)).catch((error: unknown) => {
      throw this.source.explain(error, length);
    });
    const logits = results["logits"]!.data as Float32Array;
    const given: (Float32Array | Error)[] = [];
    let row = 0;
    for (const [i, { cache, positions }] of parts.entries()) {
      const own = logits.subarray(row * this.config.vocabSize, (row += wanted[i]!.length) * this.config.vocabSize);
      given[order[i]!] = allFinite(own) ? own : await this.source.notFinite(own, cache, positions, feeds[i]!);
    }
    return given;
  }

  /** Tokens that `loop` generates at most; null: it cannot. */
  get loopSteps(): number | null {
    return this.source.loopSteps;
  }

  private async step(cache: KvCache, tokens: readonly number[], start: number, turnedBack: number, attention: boolean): Promise<Outputs> {
    const count = tokens.length;
    const positions = this.positions({ tokens, start, turnedBack });
    const feeds = this.feeds(tokens, positions, turnedBack);
    const length = Math.max(...cache.lengths) + count;
    const results = await this.source.use({ count, attention, ragged: cache.ragged }, (graph) => cache.step(graph, feeds, this.config, positions)).catch((error: unknown) => {
      throw this.source.explain(error, length);
    });
    const logits = results["logits"]!.data as Float32Array;
    if (!allFinite(logits)) throw await this.source.notFinite(logits, cache, positions, feeds);
    return results;
  }

  /** @throws on an id outside the vocabulary, or beyond the model's positions */
  private positions({ tokens, start, turnedBack }: Pick<JointTokens, "tokens" | "start" | "turnedBack">): number[] {
    checkPrompt(tokens, 0, this.config);
    const count = tokens.length;
    if (start + count - turnedBack > this.config.maxPositions) {
      throw new Error(`position: ${start + count - turnedBack} (the model has ${this.config.maxPositions})`);
    }
    return Array.from({ length: count }, (_, i) => start + i);
  }

  /** New tokens as inputs of a decode graph, all but the cache. */
  private feeds(tokens: readonly number[], positions: readonly number[], turnedBack = 0): Record<string, Tensor> {
    const count = tokens.length;
    const feeds: Record<string, Tensor> = {
      ids: int64(tokens, [1, count]),
      positions: int64(positions),
      ...rotaryFeeds(this.rotaries.rows(positions.map((position) => position - turnedBack))),
    };
    return feeds;
  }
}

/** Rows `[m, row]` over all slots and the new tokens -> `[m, length + m]`, without the slots that are empty. */
function filledSlots(data: Float32Array, row: number, length: number, m: number): Float32Array {
  const out = new Float32Array(m * (length + m));
  for (let i = 0; i < m; i++) {
    out.set(data.subarray(i * row, i * row + length), i * (length + m));
    out.set(data.subarray((i + 1) * row - m, (i + 1) * row), i * (length + m) + length);
  }
  return out;
}

/** The inputs of several sequences' tokens as those of one run: `ids` side by side, all else row after row. */
function stacked(all: readonly Readonly<Record<string, Tensor>>[]): Record<string, Tensor> {
  return Object.fromEntries(Object.keys(all[0]!).map((name) => {
    const parts = all.map((feeds) => feeds[name]!);
    const axis = name === "ids" ? 1 : 0;
    const { type, dims, data } = parts[0]!;
    const joined = new (data.constructor as Float32ArrayConstructor)(parts.reduce((sum, part) => sum + part.size, 0));
    let at = 0;
    for (const part of parts) {
      joined.set(part.data as Float32Array, at);
      at += part.size;
    }
    const count = parts.reduce((sum, part) => sum + part.dims[axis]!, 0);
    return [name, new Tensor(type as "float32", joined, dims.map((size, i) => (i === axis ? count : size)))];
  }));
}
