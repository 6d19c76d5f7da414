import { Tensor } from "onnxruntime-node";
import { checkPrompt } from "../checkpoint/validate.js";
import type { ModelConfig } from "../checkpoint/types.js";
import type { RotaryTables } from "../decoder/rotary.js";
import { runLoop, type LoopEnd, type LoopStart } from "./decode-loop.js";
import { allFinite } from "./finite.js";
import type { DecodeStep } from "./home.js";
import { HostCache } from "./host-cache.js";
import type { KvCache } from "./kv-cache.js";
import { rotaryFeeds } from "./rotary-feeds.js";
import type { LoadedGraph, Outputs } from "./session.js";

/** A decode step with what its tokens looked at. */
export interface Observation {
  /** `[m, vocabulary]` */
  readonly logits: Float32Array;
  /** For each layer `[m, length]`: the share of attention that each new token pays to each token in the layer's cache, itself included; the mean over heads. */
  readonly attention: readonly Float32Array[];
  /** The same for each key/value head, the mean over the queries that share it: `[layers][kvHeads]`, each `[m, length]`. */
  readonly byHead: readonly (readonly Float32Array[])[];
}

/** What a decoder gets from its model. */
export interface DecoderSource {
  /** Works with the decode graph for such a step. */
  use<T>(step: DecodeStep, work: (session: LoadedGraph) => Promise<T>): Promise<T>;
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

  /** Loads the graphs, so that the first step does not pay for it. */
  async warm(ragged = false): Promise<void> {
    await this.source.use({ count: 1, attention: false, ragged }, async () => {});
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
    return { logits: results["logits"]!.data as Float32Array, attention, byHead };
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

  /** Tokens that `loop` generates at most; null: it cannot. */
  get loopSteps(): number | null {
    return this.source.loopSteps;
  }

  private async step(cache: KvCache, tokens: readonly number[], start: number, turnedBack: number, attention: boolean): Promise<Outputs> {
    checkPrompt(tokens, 0, this.config);
    const count = tokens.length;
    if (start + count - turnedBack > this.config.maxPositions) {
      throw new Error(`position: ${start + count - turnedBack} (the model has ${this.config.maxPositions})`);
    }
    const positions = Array.from({ length: count }, (_, i) => start + i);
    const feeds = this.feeds(tokens, positions, turnedBack);
    const length = Math.max(...cache.lengths) + count;
    const results = await this.source.use({ count, attention, ragged: cache.ragged }, (graph) => cache.step(graph, feeds, this.config, positions)).catch((error: unknown) => {
      throw this.source.explain(error, length);
    });
    const logits = results["logits"]!.data as Float32Array;
    if (!allFinite(logits)) throw await this.source.notFinite(logits, cache, positions, feeds);
    return results;
  }

  /** New tokens as inputs of a decode graph, all but the cache. */
  private feeds(tokens: readonly number[], positions: readonly number[], turnedBack = 0): Record<string, Tensor> {
    const count = tokens.length;
    const feeds: Record<string, Tensor> = {
      ids: new Tensor("int64", BigInt64Array.from(tokens, BigInt), [1, count]),
      positions: new Tensor("int64", BigInt64Array.from(positions, BigInt), [count]),
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
