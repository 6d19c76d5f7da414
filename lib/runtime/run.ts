import { inspect } from "node:util";
import { formatBytes } from "../checkpoint/free-space.js";
import type { KvDtype } from "../checkpoint/kv-dtype.js";
import { checkPrompt } from "../checkpoint/validate.js";
import type { Tokenizer } from "../checkpoint/tokenizer.js";
import type { Checkpoint, ModelConfig } from "../checkpoint/types.js";
import type { KvPolicy, Method } from "../methods/method.js";
import type { TokenPlan } from "../methods/plan/plan.js";
import type { Activation } from "./capture.js";
import type { Decoder, JointTokens, Observation } from "./decoder.js";
import type { DecodingCuts } from "./decoding-budget.js";
import type { HostCache } from "./host-cache.js";
import type { CopyOptions, KvCache } from "./kv-cache.js";
import { renewedFrom } from "./renewed.js";
import type { Returning, StepCounts } from "./returning/returning.js";
import { saveRun } from "./save-run.js";
import type { Provider } from "./session.js";
import type { PrefillSettings } from "./settings.js";
import type { CacheResult, StageResult } from "./stage-result.js";

export type { CacheResult, StageResult } from "./stage-result.js";

/** A model as far as prompts and what comes of them go. */
export interface PromptModel {
  readonly name: string;
  readonly config: ModelConfig;
  readonly checkpoint: Checkpoint;
  readonly device: Provider;
  readonly dtype: string;
  readonly computeDtype: string;
  readonly kvDtype: KvDtype;
  readonly threads: number | undefined;
  tokenizer(): Promise<Tokenizer>;
  prefill(ids: readonly number[], settings?: PrefillSettings): Promise<Run>;
}

export interface RunState {
  readonly ids: readonly number[];
  /** What was to happen to the prompt. */
  readonly plan: TokenPlan;
  readonly scorer: string | null;
  readonly stages: readonly StageResult[];
  /** Of a method with a cache budget, by layer; null: none, or not known (a run from a file). */
  readonly selections?: readonly CacheResult[] | null;
  readonly kv: KvCache;
  /** Logits of the last token, `[vocabulary]`. */
  readonly logits: Float32Array;
  /** Seconds for the prompt: the graph's run and the compaction of the cache. */
  readonly prefillSeconds: number;
  readonly activations: ReadonlyMap<string, Activation>;
  /** What the run goes on with; or, of a run that was loaded, where it is from. */
  readonly source: ModelSource | LoadedSource;
  /** Keeps the cache within a budget while decoding; null or absent: nothing does. */
  readonly cuts?: DecodingCuts | null;
  /** Steps in which tokens that fell may return; null or absent: they may not. */
  readonly returning?: Returning | null;
  /** How far back from its position each new token is turned: the tokens that a prompt started anew without; default 0. */
  readonly turnedBack?: number;
  /** Position the next token will have; default: after the prompt. */
  readonly position?: number;
  /** Tokens between the prompt's end and that position; default: none. */
  readonly appended?: readonly number[];
  readonly kvLengthsAfterPrefill?: readonly number[];
}

export interface RewindOptions {
  /** Tokens to make room for. */
  readonly room: number;
  /** Those after the tokens up to there, where they are known; default: the run has none until it is extended, but at its own end. */
  readonly logits?: Float32Array;
}

/** What a run goes on with. */
export interface ModelSource {
  readonly model: PromptModel;
  /**
   * The cache of the prompt and of the tokens appended to it, computed anew as the start of a sequence of `length` tokens, whose rotary
   * frequencies may be others (see `renewedFrom`). The same tokens are kept at each stage, and all that were appended.
   */
  readonly renewed: (ids: readonly number[], run: Pick<Run, "ids" | "stages" | "plan">, length: number) => Promise<KvCache>;
  /** Null where the cache was read back from its device: it can be looked at only. */
  readonly decoder: Decoder | null;
}

/** A run from a file has no model: only what was saved. */
export interface LoadedSource {
  readonly file: string;
  readonly modelName: string;
  readonly texts: readonly string[] | null;
}

/** A prompt that was prefilled: its cache, what was pruned, and the place from which generation goes on. */
export class Run {
  readonly ids: readonly number[];
  /** What was to happen to the prompt, in integers. */
  readonly plan: TokenPlan;
  /** Name of the scorer, null where nothing prunes. */
  readonly scorer: string | null;
  readonly stages: readonly StageResult[];
  /** What each layer's cache was cut down to; null where the method has no cache budget, or for a run from a file. */
  readonly selections: readonly CacheResult[] | null;
  readonly prefillSeconds: number;
  /** KV length of each layer right after prefill, read off the cache. */
  readonly kvLengthsAfterPrefill: readonly number[];
  /** What `capture` asked for, by name. */
  readonly activations: ReadonlyMap<string, Activation>;
  private readonly turnedBack: number;
  private readonly cuts: DecodingCuts | null;
  private readonly returning: Returning | null;
  private current: Float32Array;
  private next: number;
  private cache: KvCache;
  /** Tokens after the prompt. */
  private readonly appended: number[];
  private readonly source: RunState["source"];
  private readonly shared: Shared;

  constructor(state: RunState, shared: Shared = { unpruned: null, texts: null }) {
    this.ids = state.ids;
    this.plan = state.plan;
    this.scorer = state.scorer;
    this.stages = state.stages;
    this.selections = state.selections ?? null;
    this.cache = state.kv;
    this.appended = [...(state.appended ?? [])];
    this.prefillSeconds = state.prefillSeconds;
    this.kvLengthsAfterPrefill = state.kvLengthsAfterPrefill ?? state.kv.lengths;
    this.activations = state.activations;
    this.current = state.logits;
    this.next = state.position ?? state.ids.length;
    this.source = state.source;
    this.turnedBack = state.turnedBack ?? 0;
    this.cuts = state.cuts ?? null;
    this.returning = state.returning ?? null;
    this.shared = shared;
  }

  /** The method that pruned. */
  get preset(): Method {
    return this.plan.method;
  }

  get kvPolicy(): KvPolicy {
    return this.plan.kvPolicy;
  }

  /** Tokens that each layer's heads are to hold now, by the rule of a budget kept while decoding; null: there is none. */
  get lengthsByRule(): readonly number[] | null {
    return this.cuts?.lengths ?? null;
  }

  /** The key/value cache, as it is now. */
  get kv(): KvCache {
    // Tokens that return come behind those that are there: in order they are put for whoever looks.
    if (this.returning && !this.returning.underWay) (this.cache as HostCache).sort();
    return this.cache;
  }

  /** Bytes of the hidden states that fallen tokens may return from, as it is now (the Aux Cache of LazyLLM); 0 where none may. */
  get auxBytes(): number {
    return this.returning?.bytes ?? 0;
  }

  /** Original positions of the tokens that may return, by the stage that they fell at, ascending; null where none may, or for a run from a file. */
  get auxPositions(): readonly Int32Array[] | null {
    return this.returning && this.returning.aux.map(({ positions }) => positions);
  }

  /** What steps have computed since the prompt, where tokens return and it is not known beforehand; else null. */
  get stepCounts(): StepCounts | null {
    return this.returning && this.returning.counts;
  }

  /** The model that made the run; null for a run from a file. */
  get model(): PromptModel | null {
    return "model" in this.source ? this.source.model : null;
  }

  get modelName(): string {
    return "model" in this.source ? this.source.model.name : this.source.modelName;
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
   * @throws on an id outside the vocabulary, beyond the model's positions, or for a run from a file
   */
  async extend(tokens: readonly number[]): Promise<Float32Array> {
    const decoder = this.decoder();
    if (this.returning) return this.oneByOne(this.returning, tokens);
    await this.renew(tokens.length);
    if (this.cuts?.watches) return (await this.observe(tokens)).logits;
    const logits = await decoder.extend(this.kv, tokens, this.next, this.turnedBack);
    this.cuts?.after(this.kv as HostCache, tokens.length, null);
    this.advance(tokens, logits);
    return logits;
  }

  /** As `extend`, and what each new token looks at in every layer; from a graph of its own, loaded when first needed. */
  async observe(tokens: readonly number[]): Promise<Observation> {
    const decoder = this.decoder();
    if (this.returning) throw new Error(`observe: attention by layer is not to be had where tokens return between blocks (preset ${this.preset.name}; a method whose tokens do not return has it)`);
    await this.renew(tokens.length);
    const observed = await decoder.observe(this.kv, tokens, this.next, this.turnedBack);
    this.cuts?.after(this.kv as HostCache, tokens.length, observed);
    this.advance(tokens, observed.logits);
    return observed;
  }

  /**
   * Generates greedily, in one run of a graph with the loop inside, where the model's device works so; else null.
   * @param steps tokens at most; it may be fewer @param stops ids after which it ends
   */
  async loop(steps: number, stops: readonly number[]): Promise<number[] | null> {
    const decoder = this.decoder();
    if (decoder.loopSteps === null || this.cache.ragged || this.turnedBack > 0 || this.cuts || this.returning) return null;
    const switching = renewedFrom(this.model!.config);
    const before = switching === null || this.next >= switching ? Infinity : switching - this.next;
    await this.renew(1);
    const { tokens, logits } = await decoder.loop(this.kv, { logits: this.current, position: this.next, steps: Math.min(steps, decoder.loopSteps, before), stops });
    this.next += tokens.length;
    this.appended.push(...tokens);
    this.current = logits;
    return tokens;
  }

  /**
   * The run's place in a run of the graph for several sequences: where further tokens would stand. Null where they must be computed alone: where the
   * device knows no such graph, heads hold different numbers of tokens, a budget is kept while decoding, tokens return, or rotary frequencies change with the length.
   */
  get joint(): Pick<JointTokens, "cache" | "start" | "turnedBack"> | null {
    if (!("model" in this.source) || !this.source.decoder?.together || this.cache.ragged || this.cuts || this.returning || renewedFrom(this.source.model.config) !== null) return null;
    return { cache: this.kv, start: this.next, turnedBack: this.turnedBack };
  }

  /** Takes over tokens that were computed with those of other runs. @param logits after the last of them, or after each */
  took(tokens: readonly number[], logits: Float32Array): void {
    const { vocabSize } = this.model!.config;
    this.next += tokens.length;
    this.appended.push(...tokens);
    this.current = logits.subarray(logits.length - vocabSize);
  }

  /** All tokens so far: the prompt's and those after it. */
  get tokens(): number[] {
    return [...this.ids, ...this.appended];
  }

  /** A second run from the same point: another continuation without prefilling again. @param room tokens to make room for; default: as here */
  fork({ room }: Pick<CopyOptions, "room"> = {}): Run {
    return new Run({ ...this.state(), kv: this.kv.clone(room === undefined ? {} : { room }), cuts: this.cuts && this.cuts.copy(), returning: this.returning && this.returning.copy() }, this.shared);
  }

  /** See `Model.rewound`. @param plan of a prompt of `length` tokens */
  rewound(length: number, { room, logits }: RewindOptions, plan: TokenPlan): Run {
    const [drop, pruned] = [this.next - length, this.stages.length > 0 || this.plan.cache !== null];
    const least = pruned ? this.ids.length : 1;
    if (length < least || drop < 0) throw new Error(`length: ${length} (must be ${least} … ${this.next})`);
    if (this.cuts) throw new Error("run: an earlier point (its cache was cut down while it was decoded)");
    if (this.returning) throw new Error("run: an earlier point (tokens have returned to its cache, or may have, that were not there then)");
    const there = logits ?? (drop > 0 ? new Float32Array(0) : this.current);
    const { kvLengthsAfterPrefill, ...state } = { ...this.state(), kv: this.kv.clone({ drop, room }), position: length, logits: there, appended: this.appended.slice(0, Math.max(0, length - this.ids.length)) };
    if (length >= this.ids.length) return new Run({ ...state, kvLengthsAfterPrefill }, this.shared);
    return new Run({ ...state, ids: this.ids.slice(0, length), plan, activations: new Map() });
  }

  /**
   * The same with its cache in this process's memory, to be looked at and saved, not continued: a copy read back from the
   * device, or the run itself where its cache is there already.
   */
  async toHost(): Promise<Run> {
    if (this.kv.home === "host") return this;
    const source = "model" in this.source ? { ...this.source, decoder: null } : this.source;
    return new Run({ ...this.state(), kv: await this.kv.toHost(), source }, this.shared);
  }

  /** Frees what the cache holds on a device: soon, instead of when it is collected. The run cannot be continued then. */
  dispose(): void {
    this.kv.dispose();
  }

  /**
   * The same prompt without pruning, right after its prefill: computed once, on demand, and kept as long as this run
   * and its forks. Fork it before generating. Of a run that pruned nothing and generated nothing, the run itself.
   * @throws for a run from a file
   */
  unpruned(): Promise<Run> {
    if (this.stages.length === 0 && !this.plan.cache && this.next === this.ids.length) return Promise.resolve(this);
    if (!("model" in this.source)) return Promise.reject(new Error(`run: ${this.source.file} (a saved run has no model to compute the unpruned one with; give that run instead)`));
    const { model } = this.source;
    if (!this.shared.unpruned) {
      this.shared.unpruned = model.prefill(this.ids);
      this.shared.unpruned.catch(() => (this.shared.unpruned = null));
    }
    return this.shared.unpruned;
  }

  /**
   * The text of each token of the prompt; null where the model has no tokenizer. A character that is spread over several
   * tokens stands at the last of them, the others have none.
   */
  async texts(): Promise<readonly string[] | null> {
    if (!("model" in this.source)) return this.source.texts;
    const tokenizer = await this.source.model.tokenizer().catch(() => null);
    if (!tokenizer) return null;
    const stream = tokenizer.decodeStream();
    let held = 0;
    return (this.shared.texts ??= this.ids.map((id) => {
      const text = stream.push(id);
      held = text === "" ? held + 1 : 0;
      // No character has more than 4 bytes: what is still unfinished then is no text.
      if (held < 4) return text;
      held = 0;
      return stream.end();
    }));
  }

  /**
   * Writes the run to a safetensors file: cache, positions, scores, captured activations, and in the metadata what made
   * them. `loadRun` reads it, and so does any reader of the format. Never half a file.
   */
  async save(file: string): Promise<void> {
    await saveRun(this, file);
  }

  /** One line, not the caches' numbers. */
  [inspect.custom](): string {
    const lengths = new Set(this.kv.lengths);
    const held = lengths.size === 1 ? `${[...lengths][0]}` : `${Math.min(...lengths)} to ${Math.max(...lengths)}`;
    const scored = this.scorer ? `, scorer ${this.scorer}` : "";
    return `Run { ${this.modelName}, ${this.preset.name}${scored}, prompt length ${this.ids.length}, KV length ${held} in ${this.kv.layers.length} layers, ${formatBytes(this.kv.bytes)} }`;
  }

  private decoder(): Decoder {
    if ("decoder" in this.source) {
      if (this.source.decoder) return this.source.decoder;
      throw new Error("run: its cache was read back from the device, to be looked at (continue the run that is on the device)");
    }
    throw new Error(`run: ${this.source.file} (a saved run can be looked at and compared, not continued)`);
  }

  /** Before `count` tokens are appended that take the sequence to where other rotary frequencies begin: the cache anew, by those. */
  private async renew(count: number): Promise<void> {
    if (!("model" in this.source)) return;
    const { model, renewed } = this.source;
    const from = renewedFrom(model.config);
    if (from === null || this.next > from || this.next + count <= from) return;
    const cache = await renewed([...this.ids, ...this.appended], this, this.next + count);
    this.cache.dispose();
    this.cache = cache;
  }

  /** Every token chooses for itself what returns. */
  private async oneByOne(returning: Returning, tokens: readonly number[]): Promise<Float32Array> {
    const { config } = this.model!;
    checkPrompt(tokens, 0, config);
    if (this.next + tokens.length > config.maxPositions) throw new Error(`position: ${this.next + tokens.length} (the model has ${config.maxPositions})`);
    const all = new Float32Array(tokens.length * config.vocabSize);
    for (const [i, id] of tokens.entries()) {
      const logits = await returning.step(this.cache as HostCache, id, this.next);
      all.set(logits, i * config.vocabSize);
      this.advance([id], logits);
    }
    return all;
  }

  private advance(tokens: readonly number[], logits: Float32Array): void {
    const count = tokens.length;
    this.next += count;
    this.appended.push(...tokens);
    const size = logits.length / count;
    this.current = logits.subarray(logits.length - size);
  }

  private state(): RunState {
    const { ids, plan, scorer, stages, selections, kv, prefillSeconds, activations, source, appended, kvLengthsAfterPrefill, turnedBack, cuts, returning } = this;
    return { ids, plan, scorer, stages, selections, kv, prefillSeconds, activations, source, appended, kvLengthsAfterPrefill, turnedBack, cuts, returning, logits: this.current, position: this.next };
  }
}

/** What forks of one run have in common. */
interface Shared {
  unpruned: Promise<Run> | null;
  texts: readonly string[] | null;
}
