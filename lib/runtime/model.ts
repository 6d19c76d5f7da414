import { ambientSignal } from "../ambient-signal.js";
import type { ChatMessage } from "../checkpoint/chat-template.js";
import type { KvDtype } from "../checkpoint/kv-dtype.js";
import type { Tokenizer } from "../checkpoint/tokenizer.js";
import type { Checkpoint, ModelConfig } from "../checkpoint/types.js";
import { checkPrompt } from "../checkpoint/validate.js";
import type { Accuracy } from "../decoder/checkpoint-weights.js";
import { batches } from "../decoder/decode-batch.js";
import { loopGraph } from "../decoder/decode-loop.js";
import { RotaryTables } from "../decoder/rotary.js";
import { planFrom, planOf, type Plan, type PlannedModel, type PlanSettings } from "../methods/plan/plan.js";
import { resolveMethod } from "../methods/resolve.js";
import type { Scorer } from "../methods/scorer.js";
import { presets } from "../methods/sdtp.js";
import { listActivations, readCapture, type ActivationInfo, type ActivationsOptions } from "./capture.js";
import { backend } from "./c-api/backend.js";
import { chat, type ChatOptions, type ChatReply } from "./chat.js";
import { computeDtype, kvDtypeOf, overflowAdvice } from "./compute-dtype.js";
import { Decoder } from "./decoder.js";
import { DecodingCuts } from "./decoding-budget.js";
import { openHome } from "./devices/open.js";
import { logitsError } from "./finite.js";
import { formOfGraphs } from "./form-of-graphs.js";
import { Graphs } from "./graphs.js";
import { DECODE, hostHome, type DecodeStep, type Home } from "./home.js";
import type { KvCache } from "./kv-cache.js";
import { requireKvDtype } from "./kv-store.js";
import type { MemoryPlan } from "./memory.js";
import { decodeNotFinite, type Diagnosed } from "./not-finite.js";
import { choose, compute, warm } from "./carry-out.js";
import type { PrefillContext } from "./prefill.js";
import { allPositions } from "./present.js";
import { givenPositions, renewedFrom } from "./renewed.js";
import { Returning } from "./returning/returning.js";
import { sectionsOf, sectionToLoad, type ReturningSource } from "./returning/sections.js";
import { repeating } from "./repeating.js";
import { openModel } from "./open.js";
import { isPluginName } from "./providers/names.js";
import { Room } from "./room.js";
import { Run, type PromptModel, type RewindOptions } from "./run.js";
import { defaultScorer, resolveScorer } from "./scorers.js";
import type { LoadOptions, PrefillSettings } from "./settings.js";
import { speculate } from "./speculate.js";
import { Speculators } from "./speculators.js";
import { stageResult } from "./stage-result.js";

export type { LoadOptions, PrefillSettings } from "./settings.js";

/**
 * Loads a model for inference.
 * @param name as of `openCheckpoint`
 * @throws an error that says what is wrong with the folder, or with the device
 */
export async function load(name = "tiny", options: LoadOptions = {}): Promise<Model> {
  const home = await openHome(options.device, { ...options, modelHash: async () => (await openModel(name, options)).hash() });
  return new Model(await formOfGraphs(await openModel(name, options), home, options), options, home);
}

/** What a prompt is computed with beside its plan. */
interface Asked extends Pick<PrefillSettings, "grows" | "signal" | "onProgress"> {
  readonly reserve: number;
  readonly read: boolean;
}

/** A model ready for inference. Its graphs are built and loaded when first needed and kept. */
export class Model implements PromptModel {
  readonly config: ModelConfig;
  private readonly decoder: Decoder;
  private readonly graphs: Graphs;
  private readonly room: Room;
  private readonly context: PrefillContext;
  private readonly speculators: Speculators;

  constructor(
    readonly checkpoint: Checkpoint,
    private readonly options: LoadOptions = {},
    private readonly home: Home = hostHome(options.attention, options.kvDtype),
  ) {
    this.config = checkpoint.config;
    if (options.kvDtype !== undefined) requireKvDtype(options.kvDtype);
    const rotaries = new RotaryTables(this.config);
    this.graphs = new Graphs(checkpoint, options, home);
    this.room = new Room(checkpoint, this.planned, this.graphs, options.memoryLimit, () => home.oneCopy?.() === true, home.memory ?? null);
    const diagnosed: Diagnosed = { checkpoint, graphs: this.graphs, kvDtype: this.kvDtype, accuracy: this.accuracy };
    const { threads, device, memoryLimit } = options;
    this.speculators = new Speculators(checkpoint, (name) => load(name, { ...(threads !== undefined && { threads }), ...(device !== undefined && { device }), ...(memoryLimit !== undefined && { memoryLimit }) }));
    this.context = { home, graphs: this.graphs, room: this.room, rotaries, diagnosed };
    this.decoder = new Decoder(this.config, rotaries, {
      use: async (step: Omit<DecodeStep, "inPlace">, work, onAside) => {
        const inPlace = (home.device === "cpu" || home.isThere?.(DECODE) === false) && (await backend()).library !== null;
        return this.graphs.use(home.decode(this.config, { ...step, inPlace }), false, work, onAside);
      },
      useLoop: (work) => this.graphs.use({ key: "decode loop", build: (g, _, weightsOf) => loopGraph(g, weightsOf, this.config) }, false, work),
      useTogether: (slots, work) => this.graphs.use(home.together!.graph(this.config, slots), false, work),
      together: batches(this.config) ? (home.together ?? null) : null,
      // A loop grows caches inside the graph: in what that computes in.
      loopSteps: this.kvDtype === kvDtypeOf(this.accuracy) ? home.loop : null,
      notFinite: (logits, cache, positions, feeds) => decodeNotFinite(diagnosed, logits, cache, positions, feeds),
      explain: (error, n) => this.room.explain(error, n, { method: presets.baseline, reserve: 0 }),
    });
  }

  get name(): string {
    return this.checkpoint.name;
  }

  /** What the weights are held in (see `Checkpoint`). */
  get dtype(): string {
    return this.checkpoint.dtype;
  }

  /** What the weights were asked to be held in; undefined: as they are stored. */
  get askedDtype(): string | undefined {
    return this.options.dtype;
  }

  /** What is computed in (see `computeDtype`). */
  get computeDtype(): string {
    return computeDtype(this.dtype, this.accuracy);
  }

  private get accuracy(): Accuracy {
    return this.options.accuracy ?? this.home.accuracy;
  }

  /** What the caches hold keys and values in. */
  get kvDtype(): KvDtype {
    return this.options.kvDtype ?? this.home.kvDtype;
  }

  /** Where it runs. */
  get device(): Home["device"] {
    return this.home.device;
  }

  /** Threads asked for; undefined: ONNX Runtime's choice. */
  get threads(): number | undefined {
    return this.options.threads;
  }

  /** Loads the tokenizer once. @throws where the folder has none */
  tokenizer(): Promise<Tokenizer> {
    return this.checkpoint.tokenizer();
  }

  /** Names, shapes and bytes of everything that `prefill` can capture. */
  activations(options: ActivationsOptions = {}): ActivationInfo[] {
    return listActivations(this.config, options);
  }

  /**
   * What happens to a prompt of `length` tokens, in integers: tokens in each block, cache lengths, attention's pieces, bytes, FLOPs; and whether it goes through the
   * blocks as a whole or in pieces.
   * @throws on an unknown method, a length that is no positive integer, a capture of unknown names or above its limit, pieces of what is taken as a whole
   */
  plan(length: number, { preset = "baseline", piece, reserve, ...settings }: Pick<PrefillSettings, "preset" | "piece" | "reserve"> & Omit<PlanSettings, "piece"> = {}): Plan {
    const method = resolveMethod(preset);
    return planOf(method, length, this.planned, { ...settings, piece: this.room.pieceOf(length, method, { piece, ...(reserve !== undefined && { reserve }), ...settings }) });
  }

  /**
   * Loads the graphs that `prefill` with these settings and the decoding after it need,
   * so that a measurement does not include it.
   * @param length tokens of the prompt to come
   */
  async warm(length: number, { scorer, ...settings }: Pick<PrefillSettings, "preset" | "scorer" | "kvPolicy" | "piece" | "reserve"> = {}): Promise<void> {
    const plan = this.plan(length, settings);
    const resolved = await this.scorer(plan, scorer);
    // One core loads the graph that decodes, another what the prompt needs: as soon as it is known that there is room.
    let decoding = Promise.resolve();
    const decode = async () => {
      if (plan.method.revives) return;
      const begun = new Promise<void>((resolve) => (decoding = this.decoder.warm(plan.cache?.some(({ safe }) => safe !== null), resolve)));
      await Promise.race([begun, decoding]);
    };
    try {
      if (plan.method.speculation) {
        if (plan.again!.n < length) await (await this.speculators.of(resolved!)).warm(length - 1);
        await decode();
      } else await warm(this.context, plan, resolved, decode);
      if (plan.again) await warm(this.context, plan.again, null);
      if (plan.method.revives) for (const section of sectionsOf(plan.stages, this.config.layers)) await this.graphs.load(sectionToLoad(this.config, section, this.kvDtype));
    } finally {
      await decoding;
    }
  }

  /**
   * What a prompt of `length` tokens takes, in bytes: weights, cache, activations.
   * @throws on an unknown preset or a length that is no positive integer
   */
  memory(length: number, { preset = "baseline", reserve = 128, piece }: Pick<PrefillSettings, "preset" | "reserve" | "piece"> = {}): MemoryPlan {
    return this.room.plan(length, 2, { method: resolveMethod(preset), reserve, piece });
  }

  /**
   * Runs the prompt through the model, pruning as the preset says, and compacts the cache.
   * @param ids token ids of the prompt, `[n]`
   * @throws on an empty prompt, ids outside the vocabulary, a prompt beyond the model's positions; before anything runs,
   * on a prompt that memory does not hold, on a capture of unknown names or above the limit; on logits or scores that are not finite, with the
   * first block that is not
   */
  async prefill(ids: readonly number[], settings: PrefillSettings = {}): Promise<Run> {
    const { reserve = 128, grows, scores: read = false, signal = ambientSignal(), onProgress } = settings;
    signal?.throwIfAborted();
    checkPrompt(ids, 0, this.config);
    const { preset, kvPolicy, capture, captureLimit, piece } = settings;
    const plan = this.plan(ids.length, { ...(preset !== undefined && { preset }), ...(piece !== undefined && { piece }), reserve, kvPolicy, capture, captureLimit });
    const scorer = await this.scorer(plan, settings.scorer);
    if (plan.method.revives && renewedFrom(this.config) !== null) throw new Error(`preset ${plan.method.name}: tokens that return (the model's rotary frequencies change with the length of its sequence)`);
    const asked = await repeating(this.checkpoint, ids, plan);
    if (plan.method.speculation) return this.speculated(ids, plan, scorer!, { reserve, grows, read, signal, onProgress });
    if (plan.again) return this.startAnew(ids, plan, scorer!, { reserve, grows, read, signal, onProgress });
    const { results, kept, scores, positions, selections, kv, aux, logits, prefillSeconds } = await compute(this.context, ids, plan, scorer, { once: plan.capture !== null, reserve, grows, signal, onProgress, repeating: asked });
    return new Run({
      ids,
      plan,
      scorer: scorer?.name ?? null,
      stages: plan.stages.map((stage, s) => stageResult(stage, s === 0 ? allPositions(ids.length) : kept[s - 1]!, kept[s]!, read ? scores[s]! : null)),
      cuts: selections && DecodingCuts.start(plan, selections, this.config.attentionScale),
      returning: aux && new Returning(this.returningSource, plan.method, plan.stages, aux),
      selections: selections && selections.map((selection) => ({ ...selection, scores: read ? selection.scores : null })),
      kv,
      logits,
      prefillSeconds,
      activations: plan.capture ? readCapture(this.config, plan.capture, results, positions) : new Map(),
      source: { model: this, decoder: this.decoder, renewed: (all, run, length) => this.renewed(all, run, length) },
    });
  }

  /** A prompt of which this model sees only what a smaller one chose, at the positions that it has. */
  private async speculated(ids: readonly number[], plan: Plan, scorer: Scorer, { reserve, grows, read, signal, onProgress }: Asked): Promise<Run> {
    if (renewedFrom(this.config) !== null) throw new Error(`preset ${plan.method.name}: a prompt that others are missing from when the first block sees it (the model's rotary frequencies change with the length of its sequence)`);
    const [stage] = plan.stages;
    const all = stage!.keep === ids.length;
    const speculator = await this.speculators.of(scorer);
    const started = performance.now();
    const { kept, scores } = all ? { kept: allPositions(ids.length), scores: new Float32Array(ids.length) } : await speculate(speculator, ids, stage!, plan.method.speculation!, signal);
    const seconds = (performance.now() - started) / 1e3;
    const { kv, logits, prefillSeconds } = await compute(this.context, [...kept].map((position) => ids[position]!), plan.again!, null, { once: false, reserve, grows, signal, onProgress, length: ids.length, known: kept, restored: true });
    return new Run({
      ids, plan, kv, logits,
      scorer: scorer.name,
      stages: [stageResult(stage!, allPositions(ids.length), kept, read ? scores : null)],
      prefillSeconds: seconds + prefillSeconds,
      activations: new Map(),
      source: { model: this, decoder: this.decoder, renewed: (all, run, length) => this.renewed(all, run, length) },
    });
  }

  /** A prompt that goes through the first blocks, and then from the start again with the tokens that their stage kept. */
  private async startAnew(ids: readonly number[], plan: Plan, scorer: Scorer, { reserve, grows, read, signal, onProgress }: Asked): Promise<Run> {
    if (renewedFrom(this.config) !== null) throw new Error(`preset ${plan.method.name}: a prompt that starts anew (the model's rotary frequencies change with the length of its sequence)`);
    const { kept, scores, seconds } = await choose(this.context, ids, plan, scorer, { reserve, signal, onProgress });
    const { kv, logits, prefillSeconds } = await compute(this.context, [...kept].map((position) => ids[position]!), plan.again!, null, { once: false, reserve, grows, signal, onProgress, known: kept });
    return new Run({
      ids, plan, kv, logits,
      scorer: scorer.name,
      stages: [stageResult(plan.stages[0]!, allPositions(ids.length), kept, read ? scores : null)],
      prefillSeconds: seconds + prefillSeconds,
      activations: new Map(),
      turnedBack: ids.length - kept.length,
      source: { model: this, decoder: this.decoder, renewed: (all, run, length) => this.renewed(all, run, length) },
    });
  }

  /**
   * The assistant's answer to a conversation, in the format of the model's chat template.
   * @throws where the model has no chat template, the template refuses the messages, or as `prefill` does
   * @example
   * const { text } = await model.chat([{ role: "user", content: "Who was Ahab?" }], { onText: (piece) => process.stdout.write(piece) });
   */
  chat(messages: readonly ChatMessage[], options: ChatOptions = {}): Promise<ChatReply> {
    return chat(this, messages, options);
  }

  /** Whether sequences can be computed together here (see `extendTogether`): on the CPU, and not with ALiBi. */
  get together(): boolean {
    return this.decoder.together;
  }

  /** Loads the graph that `extendTogether` runs. */
  warmTogether(slots: number): Promise<void> {
    return this.decoder.warmTogether(slots);
  }

  /**
   * Further tokens of several runs in one run of one graph: products with weights are of all of them together, attention is of each apart, over its own
   * cache. Each run gets the numbers that it would have alone.
   * @param all runs of this model that have a place in it (`run.joint`), at most `slots`; all but one with a single token
   * @param slots sequences that the graph has room for; each number is a graph of its own
   * @returns of each the logits after its last token `[vocabulary]`, or with `each` after all `[tokens.length, vocabulary]`; the error of a run whose logits are not finite
   */
  async extendTogether(all: readonly { readonly run: Run; readonly tokens: readonly number[]; readonly each?: boolean }[], slots: number): Promise<(Float32Array | Error)[]> {
    const parts = all.map(({ run, tokens, each = false }) => {
      const { joint } = run;
      if (!joint || run.model !== this) throw new Error("run: it has no place in a run with others (extend it by itself)");
      return { ...joint, tokens, each };
    });
    const given = await this.decoder.extendTogether(parts, slots);
    given.forEach((logits, i) => logits instanceof Error || all[i]!.run.took(all[i]!.tokens, logits));
    return given;
  }

  /**
   * A second run from an earlier point of one, whose cache holds none of the tokens since.
   * @param run of this model @param length tokens up to there: within the prompt only where nothing was pruned
   * @throws on a length that is not there, or where a budget was kept while decoding
   */
  rewound(run: Run, length: number, options: RewindOptions): Run {
    return run.rewound(length, options, length < run.ids.length && length > 0 ? this.plan(length) : run.plan);
  }

  /** Frees the loaded graphs. The model can be used again; they are loaded anew. */
  async release(): Promise<void> {
    await this.graphs.release();
    await this.speculators.release();
  }

  /** What plans depend on beside method and length. */
  private get planned(): PlannedModel {
    // Caches and activations of a plugin's provider are in this machine's memory too.
    return { config: this.config, plain: this.home.attention(this.config) === "plain", cpu: this.home.device === "cpu" || isPluginName(this.home.device), pieces: this.home.pieces, ragged: this.home.ragged, worker: this.options.worker === true, kvDtype: this.kvDtype, way: this.home.inPieces?.way() ?? null };
  }

  /** The scorer of a plan's stages; null where it has none. */
  private async scorer({ stages, method }: Plan, asked: string | Scorer | undefined): Promise<Scorer | null> {
    if (stages.length === 0) return null;
    const scorer = asked ?? method.scorer;
    const resolved = typeof scorer === "string" ? await resolveScorer(scorer, this.checkpoint) : scorer;
    if (method.revives && resolved?.name !== method.scorer) throw new Error(`preset ${method.name}: scorer ${resolved?.name ?? "none"} (its decoding steps choose as the prompt did: must be ${method.scorer})`);
    if (method.speculation && resolved?.speculator === undefined) throw new Error(`preset ${method.name}: scorer ${resolved?.name ?? "none"} (another model chooses: must be speculator:MODEL, a smaller model of the same tokenizer)`);
    if (!method.speculation && resolved?.speculator !== undefined) throw new Error(`preset ${method.name}: scorer speculator (chooses before the first block: for the method specprefill alone)`);
    if (scorer === undefined) return defaultScorer(this.checkpoint);
    return resolved!;
  }

  private get returningSource(): ReturningSource {
    const { graphs, rotaries, diagnosed } = this.context;
    return {
      config: this.config, kvDtype: this.kvDtype, rotaries,
      use: (graph, work) => graphs.use(graph, false, work),
      explain: (error, n) => this.room.explain(error, n, { method: presets.baseline, reserve: 0 }),
      notFinite: (logits) => logitsError(diagnosed.checkpoint, logits, overflowAdvice(diagnosed.accuracy)),
    };
  }

  /** See `ModelSource.renewed`. */
  private async renewed(ids: readonly number[], { ids: prompt, stages, plan }: Pick<Run, "ids" | "stages" | "plan">, length: number): Promise<KvCache> {
    const added = ids.length - prompt.length;
    const longer = (count: number) => count + added;
    const counts = {
      ...plan, n: ids.length, tokens: plan.tokens.map(longer), kvLengths: plan.kvLengths.map(longer),
      stages: plan.stages.map((stage) => ({ ...stage, present: longer(stage.present), keep: longer(stage.keep), head: 0, tail: added })),
    };
    const again = planFrom(counts, this.planned, { piece: this.room.pieceOf(ids.length, plan.method, { reserve: 128 }) });
    const scorer = stages.length ? givenPositions(stages.map(({ kept }) => kept), ids.length) : null;
    return (await compute(this.context, ids, again, scorer, { once: stages.length > 0, reserve: 128, length })).kv;
  }
}
