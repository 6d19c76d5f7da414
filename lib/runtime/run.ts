import type { KvPolicy, Preset, Stage } from "../pruning/schedule.js";
import type { Decoder } from "./decoder.js";
import type { HostCache } from "./host-cache.js";

/** What a stage did with the tokens before it. */
export interface StageResult extends Stage {
  /** Original positions of the tokens kept, ascending. */
  readonly kept: Int32Array;
  /** Original positions of the tokens present before the stage. */
  readonly presentPositions: Int32Array;
  /** Score of each token present, where they were asked for. */
  readonly scores: Float32Array | null;
}

export interface RunState {
  readonly ids: readonly number[];
  readonly preset: Preset;
  readonly scorer: string | null;
  readonly kvPolicy: KvPolicy;
  readonly stages: readonly StageResult[];
  readonly kv: HostCache;
  /** Logits of the last token, `[vocabulary]`. */
  readonly logits: Float32Array;
  /** Seconds for the prompt: the graph's run and the compaction of the cache. */
  readonly prefillSeconds: number;
  readonly decoder: Decoder;
}

/** A prompt that was prefilled: its cache, what was pruned, and the place from which generation goes on. */
export class Run {
  readonly ids: readonly number[];
  readonly preset: Preset;
  /** Name of the scorer, null where nothing prunes. */
  readonly scorer: string | null;
  readonly kvPolicy: KvPolicy;
  readonly stages: readonly StageResult[];
  readonly kv: HostCache;
  readonly prefillSeconds: number;
  /** KV length of each layer right after prefill, read off the cache. */
  readonly kvLengthsAfterPrefill: readonly number[];
  private current: Float32Array;
  private next: number;
  private readonly decoder: Decoder;

  constructor(state: RunState) {
    this.ids = state.ids;
    this.preset = state.preset;
    this.scorer = state.scorer;
    this.kvPolicy = state.kvPolicy;
    this.stages = state.stages;
    this.kv = state.kv;
    this.prefillSeconds = state.prefillSeconds;
    this.kvLengthsAfterPrefill = state.kv.lengths;
    this.current = state.logits;
    this.next = state.ids.length;
    this.decoder = state.decoder;
  }

  /** Logits for the next token, `[vocabulary]`. */
  get logits(): Float32Array {
    return this.current;
  }

  /** Position the next token will have. */
  get position(): number {
    return this.next;
  }

  /** Original positions of the prompt's tokens that every stage kept. */
  get kept(): Int32Array {
    return this.stages.at(-1)?.kept ?? Int32Array.from(this.ids, (_, position) => position);
  }

  /**
   * Appends tokens and returns the logits after each of them, `[tokens.length, vocabulary]`.
   * @throws on an id outside the vocabulary, or beyond the model's positions
   */
  async extend(tokens: readonly number[]): Promise<Float32Array> {
    const logits = await this.decoder.extend(this.kv, tokens, this.next);
    this.next += tokens.length;
    const size = logits.length / tokens.length;
    this.current = logits.subarray(logits.length - size);
    return logits;
  }

  /** A second run from the same point: another continuation without prefilling again. */
  fork(): Run {
    const copy = new Run({
      ids: this.ids,
      preset: this.preset,
      scorer: this.scorer,
      kvPolicy: this.kvPolicy,
      stages: this.stages,
      kv: this.kv.clone(),
      logits: this.current,
      prefillSeconds: this.prefillSeconds,
      decoder: this.decoder,
    });
    copy.next = this.next;
    return copy;
  }
}
