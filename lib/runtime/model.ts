import { Tensor } from "onnxruntime-node";
import { ambientSignal, unlessAborted } from "../ambient-signal.js";
import type { ChatMessage } from "../checkpoint/chat-template.js";
import { openCheckpoint, type OpenOptions } from "../checkpoint/open.js";
import type { Tokenizer } from "../checkpoint/tokenizer.js";
import type { Checkpoint, ModelConfig } from "../checkpoint/types.js";
import { checkPrompt } from "../checkpoint/validate.js";
import type { KvDtype } from "../decoder/cache-input.js";
import type { Accuracy } from "../decoder/checkpoint-weights.js";
import { loopGraph } from "../decoder/decode-loop.js";
import { planAttention, prefillGraph } from "../decoder/prefill.js";
import { RotaryTables } from "../decoder/rotary.js";
import { resolvePreset, schedule, tokensPerBlock, type KvPolicy, type Preset, type Stage, type UserPreset } from "../methods/plan/stages.js";
import type { Scorer } from "../methods/scorer.js";
import { listActivations, planCapture, readCapture, type Activation, type ActivationInfo, type ActivationsOptions, type CapturePlan } from "./capture.js";
import { chat, type ChatOptions, type ChatReply } from "./chat.js";
import { computeDtype } from "./compute-dtype.js";
import { Decoder } from "./decoder.js";
import type { Device } from "./devices/names.js";
import { openHome } from "./devices/open.js";
import { allFinite } from "./finite.js";
import { Graphs } from "./graphs.js";
import { hostHome, type AttentionKind, type DecodeStep, type GraphToLoad, type Home } from "./home.js";
import { requireKvDtype } from "./kv-store.js";
import { isOutOfMemory, memoryError, memoryLimit, memoryPlan, type MemoryPlan } from "./memory.js";
import { decodeNotFinite, prefillNotFinite, type Diagnosed } from "./not-finite.js";
import { allPositions, presentPositions } from "./present.js";
import type { KvCache } from "./kv-cache.js";
import { givenPositions } from "./renewed.js";
import { rotaryFeeds } from "./rotary-feeds.js";
import { Run } from "./run.js";
import { defaultScorer, resolveScorer } from "./scorers.js";
import { stageResult } from "./stage-result.js";

export interface LoadOptions extends OpenOptions {
  /** Threads for one operator; default: ONNX Runtime's choice. */
  readonly threads?: number;
  /** `fused` (default on the CPU): memory linear in the prompt length. `plain`: attention spelled out, quadratic memory. */
  readonly attention?: AttentionKind;
  /** Where to run: `cpu` (default), `webgpu`, `cuda`, or `auto`: the best that computes what the CPU does (`sdtp doctor` shows it). */
  readonly device?: Device;
  /**
   * Run graphs in a thread of their own, so that this one stays free: timers, streaming, a stop button in the middle of a prompt. Caches live there
   * (`run.toHost()` reads one back). CPU only.
   */
  readonly worker?: boolean;
  /** Told, once a process, what `auto` found; default: stderr. */
  readonly onDevice?: (message: string) => void;
  /**
   * What activations are rounded to where they meet weights. `int8` (default on the CPU): blocks of 32, where the weights are int8 or int4. `float32`
   * (default elsewhere): not at all; on the CPU exact and many times slower with such weights. `float16`: always, weights stay 16-bit on the device; only
   * on a GPU that has 16-bit numbers.
   */
  readonly accuracy?: Accuracy;
  /** What the caches hold keys and values in: fp32 (default), fp16 (half the memory), int8 (a quarter); each token then costs more time. */
  readonly kvDtype?: KvDtype;
  /** Bytes that the model may take; default: what the process has and the machine has left. A prompt that needs more is refused. */
  readonly memoryLimit?: number;
}

export interface PrefillSettings {
  /** A shipped preset's name or one's own; default `baseline`. */
  readonly preset?: string | UserPreset;
  /** A scorer's name or one made with `defineScorer`; default: the model's best. */
  readonly scorer?: string | Scorer;
  /** What the caches keep of pruned tokens; default: the preset's. */
  readonly kvPolicy?: KvPolicy;
  /** Read the scores of each stage as well; default false. */
  readonly scores?: boolean;
  /** Tokens to make room for after the prompt; default 128. */
  readonly reserve?: number;
  /** Activations to read as well, by name (see `activations`). They need a graph of their own, built for this run alone. */
  readonly capture?: readonly string[];
  /** Bytes that captured activations may take; default 1 GiB. */
  readonly captureLimit?: number;
  /**
   * Ends the wait for a prompt with an AbortError at once where the model runs in a worker (its run goes on to its end there, for nobody; what comes
   * next waits for that). Elsewhere a run cannot be interrupted: the error comes after it.
   */
  readonly signal?: AbortSignal;
}

/**
 * Loads a model for inference.
 * @param name a model folder, a hub-cache folder, `tiny` (the embedded model) or `synthetic:NAME`
 * @throws an error that says what is wrong with the folder, or with the device
 * @example
 * const model = await sdtp.load("tiny");
 * const mine = await sdtp.load("/path/to/model", { dtype: "int8" });
 */
export async function load(name = "tiny", options: LoadOptions = {}): Promise<Model> {
  const home = await openHome(options.device, options);
  return new Model(await openCheckpoint(name, options), options, home);
}

/** What one run of a prefill graph is asked for. */
interface ComputeOptions {
  readonly preset: Preset;
  readonly planned: readonly Stage[];
  readonly scorer: Scorer | null;
  readonly evict: boolean;
  readonly capture: CapturePlan | null;
  /** Load the graph for this alone. */
  readonly once: boolean;
  readonly reserve: number;
  readonly signal?: AbortSignal | undefined;
  /** Of the sequence that the tokens are the start of; default: all of it. */
  readonly length?: number;
}

interface PlanSettings {
  readonly preset: Preset;
  readonly reserve: number;
}

/** A model ready for inference. Its graphs are built and loaded when first needed and kept. */
export class Model {
  readonly config: ModelConfig;
  private readonly rotaries: RotaryTables;
  private readonly decoder: Decoder;
  private readonly graphs: Graphs;

  constructor(
    readonly checkpoint: Checkpoint,
    private readonly options: LoadOptions = {},
    private readonly home: Home = hostHome(options.attention, options.kvDtype),
  ) {
    this.config = checkpoint.config;
    if (options.kvDtype !== undefined) requireKvDtype(options.kvDtype);
    this.rotaries = new RotaryTables(this.config);
    this.graphs = new Graphs(checkpoint, options, home);
    this.decoder = new Decoder(this.config, this.rotaries, {
      use: (step: DecodeStep, work) => this.graphs.use(home.decode(this.config, step), false, work),
      useLoop: (work) => this.graphs.use({ key: "decode loop", build: (g, _, weightsOf) => loopGraph(g, weightsOf, this.config) }, false, work),
      loopSteps: home.loop,
      notFinite: (logits, cache, positions, feeds) => decodeNotFinite(this.diagnosed, logits, cache, positions, feeds),
      explain: (error, n) => this.explain(error, n, { preset: resolvePreset("baseline"), reserve: 0 }),
    });
  }

  get name(): string {
    return this.checkpoint.name;
  }

  /** What the weights are held in (see `Checkpoint`). */
  get dtype(): string {
    return this.checkpoint.dtype;
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
    return this.options.kvDtype ?? "fp32";
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
   * Loads the graphs that `prefill` with these settings and the decoding after it need,
   * so that a measurement does not include it.
   * @param length tokens of the prompt to come
   */
  async warm(length: number, { preset = "baseline", scorer, kvPolicy }: Pick<PrefillSettings, "preset" | "scorer" | "kvPolicy"> = {}): Promise<void> {
    const resolved = resolvePreset(preset);
    const planned = schedule(resolved, length, this.config.layers);
    const evict = (kvPolicy ?? resolved.kvPolicy) === "evict" && planned.length > 0;
    const graph = this.prefillGraph(length, planned, planned.length ? await this.scorer(scorer) : null, evict);
    await this.makeRoom(graph, length, { preset: resolved, reserve: 0 });
    await this.graphs.load(graph);
    await this.decoder.warm();
  }

  /**
   * What a prompt of `length` tokens takes, in bytes: weights, cache, activations.
   * @throws on an unknown preset or a length that is no positive integer
   */
  memory(length: number, { preset = "baseline", reserve = 128 }: Pick<PrefillSettings, "preset" | "reserve"> = {}): MemoryPlan {
    const resolved = resolvePreset(preset);
    return this.plan(length, 2, { preset: resolved, reserve });
  }

  /**
   * Runs the prompt through the model, pruning as the preset says, and compacts the cache.
   * @param ids token ids of the prompt, `[n]`
   * @throws on an empty prompt, ids outside the vocabulary, a prompt beyond the model's positions; before anything runs,
   * on a prompt that memory does not hold, on a capture of unknown names or above the limit; on logits or scores that are not finite, with the
   * first block that is not
   */
  async prefill(ids: readonly number[], settings: PrefillSettings = {}): Promise<Run> {
    const { reserve = 128, scores = false, signal = ambientSignal() } = settings;
    signal?.throwIfAborted();
    checkPrompt(ids, 0, this.config);
    const preset = resolvePreset(settings.preset ?? "baseline");
    const kvPolicy = settings.kvPolicy ?? preset.kvPolicy;
    const planned = schedule(preset, ids.length, this.config.layers);
    const capture = settings.capture?.length ? planCapture(this.config, settings.capture, planned, ids.length, settings.captureLimit) : null;
    const scorer = planned.length ? await this.scorer(settings.scorer) : null;
    const evict = kvPolicy === "evict" && planned.length > 0;
    const { results, kept, positions, kv, prefillSeconds } = await this.compute(ids, { preset, planned, scorer, evict, capture, once: capture !== null, reserve, signal });
    const stageScores = planned.map((_, stage) => results[`scores.${stage}`]!.data as Float32Array);
    const activations = capture ? readCapture(this.config, capture, results, positions) : new Map<string, Activation>();

    const present = (stage: number) => (stage === 0 ? allPositions(ids.length) : kept[stage - 1]!);
    const stages = planned.map((stage, index) =>
      stageResult(stage, present(index), kept[index]!, scores ? stageScores[index]! : null));
    return new Run({
      ids,
      preset,
      scorer: scorer?.name ?? null,
      kvPolicy,
      stages,
      kv,
      logits: results["logits"]!.data as Float32Array,
      prefillSeconds,
      activations,
      source: { model: this, decoder: this.decoder },
    });
  }

  /**
   * The cache of a run's prompt and of the tokens appended to it, computed anew as the start of a sequence of `length` tokens, whose rotary
   * frequencies may be others (see `renewedFrom`). The same tokens are kept at each stage, and all that were appended.
   * @param ids of the prompt and of what was appended, `[n]`
   */
  async renewedCache(ids: readonly number[], run: Pick<Run, "ids" | "stages" | "preset" | "kvPolicy">, length: number): Promise<KvCache> {
    const added = ids.length - run.ids.length;
    const planned = run.stages.map(({ afterLayer, present, keep }) => ({ afterLayer, present: present + added, keep: keep + added, head: 0, tail: added }));
    const scorer = planned.length ? givenPositions(run.stages.map(({ kept }) => kept), ids.length) : null;
    const evict = run.kvPolicy === "evict" && planned.length > 0;
    return (await this.compute(ids, { preset: run.preset, planned, scorer, evict, capture: null, once: planned.length > 0, reserve: 128, length })).kv;
  }

  /** One run of a prefill graph. */
  private async compute(ids: readonly number[], { preset, planned, scorer, evict, capture, once, reserve, signal, length = ids.length }: ComputeOptions) {
    const graph = this.prefillGraph(ids.length, planned, scorer, evict, { capture });
    await this.makeRoom(graph, ids.length, { preset, reserve });
    const feeds = this.prefillFeeds(ids, planned, length);
    const { results, kept, positions, kv, prefillSeconds } = await this.graphs.use(graph, once, async (session) => {
      const started = performance.now();
      const results = await unlessAborted(session.run(feeds, session.outputNames), signal);
      const kept = planned.map((_, stage) => Int32Array.from(results[`kept.${stage}`]!.data as BigInt64Array, Number));
      const positions = presentPositions(planned, kept, ids.length, this.config.layers);
      const kv = await this.home.cache(this.config, session, results, positions, evict ? kept.at(-1)! : null, reserve);
      return { results, kept, positions, kv, prefillSeconds: (performance.now() - started) / 1e3 };
    }).catch((error: unknown) => {
      throw this.explain(error, ids.length, { preset, reserve });
    });
    const stageScores = planned.map((_, stage) => results[`scores.${stage}`]!.data as Float32Array);
    if (![results["logits"]!.data as Float32Array, ...stageScores].every(allFinite)) {
      kv.dispose();
      throw await prefillNotFinite(this.diagnosed, {
        graph: this.prefillGraph(ids.length, planned, scorer, evict, { finite: true }),
        feeds, stages: planned, scorer, kept, positions, scores: stageScores, logits: results["logits"]!.data as Float32Array,
      });
    }
    return { results, kept, positions, kv, prefillSeconds };
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

  /** Frees the loaded graphs. The model can be used again; they are loaded anew. */
  async release(): Promise<void> {
    await this.graphs.release();
  }

  private async scorer(scorer: string | Scorer | undefined): Promise<Scorer> {
    if (scorer === undefined) return defaultScorer(this.checkpoint);
    return typeof scorer === "string" ? resolveScorer(scorer, this.checkpoint) : scorer;
  }

  private prefillGraph(n: number, planned: readonly Stage[], scorer: Scorer | null, evicted: boolean, { capture = null, finite = false }: { capture?: CapturePlan | null; finite?: boolean } = {}): GraphToLoad {
    const stages = planned.map(({ afterLayer }) => afterLayer);
    // In pieces on the CPU alone: what it is good for, and where it was measured.
    const fewest = this.home.device === "cpu" ? Math.min(...tokensPerBlock(planned, n, this.config.layers)) : 0;
    const attention = planAttention(this.config, n, { plain: this.home.attention(this.config) === "plain", fewest });
    const evict = evicted && this.home.evictsInGraph;
    return {
      key: `prefill ${Object.values(attention).join(" ")} ${stages.join(",")} ${scorer?.key ?? ""}${evict ? " evict" : ""}${capture ? ` ${capture.key}` : ""}${finite ? " finite" : ""}`,
      build: (g, weights) => prefillGraph(g, weights, { config: this.config, stages, scorer, attention, evict, finite, ...(capture && { capture: capture.names }) }),
    };
  }

  /** What is needed to find where numbers went wrong. */
  private get diagnosed(): Diagnosed {
    return { checkpoint: this.checkpoint, graphs: this.graphs, kvDtype: this.kvDtype, accuracy: this.accuracy };
  }

  private get memoryLimit(): number {
    // How much a GPU has, ONNX Runtime does not say.
    return this.options.memoryLimit ?? (this.home.device === "cpu" ? memoryLimit() : Infinity);
  }

  private plan(n: number, graphs: number, settings: PlanSettings): MemoryPlan {
    return memoryPlan(this.checkpoint, n, { ...settings, plain: this.home.attention(this.config) === "plain", cpu: this.home.device === "cpu", graphs, kvDtype: this.kvDtype });
  }

  private makeRoom({ key }: GraphToLoad, n: number, settings: PlanSettings): Promise<void> {
    return this.graphs.makeRoom(key, n, this.memoryLimit, (length, graphs) => this.plan(length, graphs, settings));
  }

  /** An error that says that memory ran out gets the plan's numbers; others stay as they are. */
  private explain(error: unknown, n: number, settings: PlanSettings): unknown {
    if (!isOutOfMemory(error)) return error;
    const graphs = Math.max(2, this.graphs.keys.length);
    return memoryError(n, (length) => this.plan(length, graphs, settings), this.memoryLimit, error);
  }

  private prefillFeeds(ids: readonly number[], stages: readonly Stage[], length: number): Record<string, Tensor> {
    const n = ids.length;
    const feeds: Record<string, Tensor> = { ids: new Tensor("int64", BigInt64Array.from(ids, BigInt), [1, n]), ...rotaryFeeds(this.rotaries.prompt(n, length)) };
    stages.forEach((stage, index) => {
      for (const name of ["keep", "head", "tail"] as const) {
        feeds[`stage.${index}.${name}`] = new Tensor("int64", BigInt64Array.of(BigInt(stage[name])), [1]);
      }
    });
    return feeds;
  }
}
