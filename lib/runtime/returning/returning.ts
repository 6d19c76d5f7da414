// Decoding in which tokens that fell return (LazyLLM, arXiv:2407.14057, section 4). Between two pruning stages all blocks see the same tokens: each such section of blocks is a
// graph, and between their runs it is chosen here which tokens go on. A token's keys and values enter a cache behind those that are there, in whatever order tokens return:
// rotary positions are in the keys, and what may see what stands in a mask.
import type { Section } from "../../decoder/decode-section.js";
import type { Method } from "../../methods/method.js";
import { SCORE_BYTES } from "../../methods/plan/pieces.js";
import { schedule, type Stage } from "../../methods/plan/stages.js";
import { allFinite } from "../finite.js";
import type { HostCache } from "../host-cache.js";
import type { AuxCache } from "./aux-cache.js";
import { chosen } from "./choose.js";
import { gathered, runSection, sectionsOf, type Going, type ReturningSource } from "./sections.js";

/** What steps have computed so far, by layer. */
export interface StepCounts {
  /** Steps: new tokens. */
  readonly steps: number;
  /** Tokens that each block computed: the new ones and those that returned, `[layers]`. */
  readonly tokens: readonly number[];
  /** Of each block the pairs of a computed token with one in the cache or computed beside it, masked ones too, `[layers]`. */
  readonly pairs: readonly number[];
}

/** Steps of a run whose tokens return. Its caches are the run's; the Aux Caches are its own. */
export class Returning {
  private readonly sections: readonly Section[];
  private steps = 0;
  private going = false;

  /** @param aux of the tokens that fell at each stage, `[stages]` */
  constructor(
    private readonly source: ReturningSource,
    private readonly method: Method,
    stages: readonly Stage[],
    readonly aux: readonly AuxCache[],
    /** Bytes that the attention scores of one run may take: where more tokens return, they are computed a part after the other. */
    private readonly scoreBytes = SCORE_BYTES,
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

  /** In the middle of a step: caches are to be left alone. */
  get underWay(): boolean {
    return this.going;
  }

  copy(): Returning {
    const copy = new Returning(this.source, this.method, this.sections.slice(0, -1).map(({ last }) => ({ afterLayer: last, present: 0, keep: 0, head: 0, tail: 0 })), this.aux.map((cache) => cache.copy()), this.scoreBytes, [...this.tokens], [...this.pairs]);
    copy.steps = this.steps;
    return copy;
  }

  /**
   * One further token: every stage chooses among all tokens so far by what this one looks at, and blocks compute those chosen that they have not yet.
   * Where it fails, caches are as before.
   * @returns logits, `[vocabulary]`
   */
  async step(cache: HostCache, id: number, position: number): Promise<Float32Array> {
    const before = cache.lengths;
    this.going = true;
    try {
      return await this.through(cache, id, position);
    } catch (error) {
      cache.layers.forEach((layer, l) => layer.drop(layer.length - before[l]!));
      throw error;
    } finally {
      this.going = false;
    }
  }

  private async through(cache: HostCache, id: number, position: number): Promise<Float32Array> {
    const { config } = this.source;
    // What a prompt of so many tokens would keep.
    const stages = schedule(this.method, position + 1, config.layers);
    const computed: (readonly number[])[] = [];
    const fallen: { readonly stage: number; readonly position: number; readonly hidden: Float32Array }[] = [];
    const pairs = this.pairs.map(() => 0);
    let selected: Uint8Array = new Uint8Array(position + 1).fill(1);
    let going: Going = { positions: [position], hidden: null };
    for (const [s, section] of this.sections.entries()) {
      const tokens = s === 0 ? going : this.joined(going, s - 1, selected);
      computed.push(tokens.positions);
      const { hidden, results, together } = await runSection(this.source, section, cache, tokens, { id, selected, scoreBytes: this.scoreBytes, pairs });
      if (section.last === config.layers - 1) {
        const logits = results["logits"]!.data as Float32Array;
        if (!allFinite(logits)) throw await this.source.notFinite(logits);
        this.done(computed, fallen, pairs);
        return logits;
      }
      const held = cache.layer(section.first).positions;
      const stays = chosen(stages[s]!, present(selected), byPosition(results["attention"]!.data as Float32Array, held.subarray(0, held.length - together.length), together, position + 1));
      const row = (i: number) => hidden.slice(i * config.hiddenSize, (i + 1) * config.hiddenSize);
      tokens.positions.forEach((at, i) => stays[at] || fallen.push({ stage: s, position: at, hidden: row(i) }));
      const left = [...tokens.positions.keys()].filter((i) => stays[tokens.positions[i]!]);
      going = { positions: left.map((i) => tokens.positions[i]!), hidden: gathered(left.map(row)) };
      selected = stays;
    }
    throw new Error("step: no section holds the last block");
  }

  /** Takes over what a whole step has changed beside the caches. @param computed tokens of each section @param pairs of each block */
  private done(computed: readonly (readonly number[])[], fallen: readonly { readonly stage: number; readonly position: number; readonly hidden: Float32Array }[], pairs: readonly number[]): void {
    this.sections.forEach(({ first, last }, s) => {
      for (let layer = first; layer <= last; layer++) {
        this.tokens[layer]! += computed[s]!.length;
        this.pairs[layer]! += pairs[layer]!;
      }
      // The blocks after that stage have them now.
      if (s > 0) for (const position of computed[s]!) this.aux[s - 1]!.forget(position);
    });
    for (const { stage, position, hidden } of fallen) this.aux[stage]!.put(position, hidden);
    this.steps++;
  }

  /** Those that go on and those that return from a stage's Aux Cache. */
  private joined(going: Going, stage: number, selected: Uint8Array): Going {
    const { hiddenSize: d } = this.source.config;
    const aux = this.aux[stage]!;
    const own = new Map(going.positions.map((position, i) => [position, going.hidden!.subarray(i * d, (i + 1) * d)]));
    const positions = [...going.positions, ...aux.positions.filter((position) => selected[position] && !own.has(position))].sort((a, b) => a - b);
    return { positions, hidden: gathered(positions.map((position) => own.get(position) ?? aux.get(position))) };
  }
}

/** Scores by position. @param paid `[capacity + m]` */
function byPosition(paid: Float32Array, held: Int32Array, positions: readonly number[], length: number): Float32Array {
  const scores = new Float32Array(length);
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
