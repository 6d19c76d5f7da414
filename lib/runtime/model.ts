import { Tensor, type InferenceSession } from "onnxruntime-node";
import { openCheckpoint, type OpenOptions } from "../checkpoint/open.js";
import type { Tokenizer } from "../checkpoint/tokenizer.js";
import type { Checkpoint, ModelConfig } from "../checkpoint/types.js";
import { checkPrompt } from "../checkpoint/validate.js";
import { checkpointWeights, weightsFolder } from "../decoder/checkpoint-weights.js";
import { decodeGraph } from "../decoder/decode.js";
import { planAttention, prefillGraph } from "../decoder/prefill.js";
import { inverseFrequencies, rotaryTable, type RotaryTable } from "../decoder/rotary.js";
import { GraphBuilder } from "../onnx/builder.js";
import { resolvePreset, schedule, stagePositions, type KvPolicy, type Stage, type UserPreset } from "../pruning/schedule.js";
import type { Scorer } from "../pruning/scorer.js";
import { Decoder } from "./decoder.js";
import { HostCache } from "./host-cache.js";
import { Run, type StageResult } from "./run.js";
import { defaultScorer, resolveScorer } from "./scorers.js";
import { createSession } from "./session.js";

export interface LoadOptions extends OpenOptions {
  /** Threads for one operator; default: ONNX Runtime's choice. */
  readonly threads?: number;
  /** `fused` (default): memory linear in the prompt length. `plain`: attention spelled out, quadratic memory. */
  readonly attention?: "fused" | "plain";
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
}

/**
 * Loads a model for inference on the CPU.
 * @param name a model folder, a hub-cache folder, `tiny` (the embedded model) or `synthetic:NAME`
 * @throws an error that says what is wrong with the folder
 */
export async function load(name = "tiny", options: LoadOptions = {}): Promise<Model> {
  return new Model(await openCheckpoint(name, options), options);
}

/** A model ready for inference. Its graphs are built and loaded when first needed and kept. */
export class Model {
  readonly config: ModelConfig;
  private readonly frequencies: Float64Array;
  private readonly decoder: Decoder;
  private readonly sessions = new Map<string, Promise<InferenceSession>>();
  private rotary: RotaryTable | null = null;

  constructor(
    readonly checkpoint: Checkpoint,
    private readonly options: LoadOptions = {},
  ) {
    this.config = checkpoint.config;
    this.frequencies = inverseFrequencies(this.config);
    this.decoder = new Decoder(this.config, this.frequencies, () => this.session("decode", (g) => decodeGraph(g, checkpointWeights(g, checkpoint), this.config)));
  }

  get name(): string {
    return this.checkpoint.name;
  }

  /** Threads asked for; undefined: ONNX Runtime's choice. */
  get threads(): number | undefined {
    return this.options.threads;
  }

  /** Loads the tokenizer once. @throws where the folder has none */
  tokenizer(): Promise<Tokenizer> {
    return this.checkpoint.tokenizer();
  }

  /**
   * Loads the graphs that `prefill` with these settings and the decoding after it need,
   * so that a measurement does not include it.
   * @param length tokens of the prompt to come
   */
  async warm(length: number, { preset = "baseline", scorer }: Pick<PrefillSettings, "preset" | "scorer"> = {}): Promise<void> {
    const resolved = resolvePreset(preset);
    const stages = stagePositions(resolved, this.config.layers);
    await this.prefillSession(length, stages, stages.length ? await this.scorer(scorer) : null);
    await this.decoder.warm();
  }

  /**
   * Runs the prompt through the model, pruning as the preset says, and compacts the cache.
   * @param ids token ids of the prompt, `[n]`
   * @throws on an empty prompt, ids outside the vocabulary, a prompt beyond the model's positions
   */
  async prefill(ids: readonly number[], settings: PrefillSettings = {}): Promise<Run> {
    const { reserve = 128, scores = false } = settings;
    checkPrompt(ids, 0, this.config);
    const preset = resolvePreset(settings.preset ?? "baseline");
    const kvPolicy = settings.kvPolicy ?? preset.kvPolicy;
    const planned = schedule(preset, ids.length, this.config.layers);
    const scorer = planned.length ? await this.scorer(settings.scorer) : null;
    const session = await this.prefillSession(ids.length, planned.map(({ afterLayer }) => afterLayer), scorer);
    const feeds = this.prefillFeeds(ids, planned);
    const wanted = session.outputNames.filter((name) => scores || !name.startsWith("scores."));

    const started = performance.now();
    const results = await session.run(feeds, wanted);
    const kept = planned.map((_, stage) => Int32Array.from(results[`kept.${stage}`]!.data as BigInt64Array, Number));
    const cache = this.compact(results, planned, kept, ids.length, kvPolicy, reserve);
    const prefillSeconds = (performance.now() - started) / 1e3;

    const present = (stage: number) => (stage === 0 ? allPositions(ids.length) : kept[stage - 1]!);
    const stages = planned.map((stage, index): StageResult => ({
      ...stage,
      kept: kept[index]!,
      presentPositions: present(index),
      scores: scores ? (results[`scores.${index}`]!.data as Float32Array) : null,
    }));
    return new Run({
      ids,
      preset,
      scorer: scorer?.name ?? null,
      kvPolicy,
      stages,
      kv: cache,
      logits: results["logits"]!.data as Float32Array,
      prefillSeconds,
      decoder: this.decoder,
    });
  }

  /** Frees the loaded graphs. The model can be used again; they are loaded anew. */
  async release(): Promise<void> {
    const sessions = [...this.sessions.values()];
    this.sessions.clear();
    for (const session of sessions) await (await session).release();
  }

  private async scorer(scorer: string | Scorer | undefined): Promise<Scorer> {
    if (scorer === undefined) return defaultScorer(this.checkpoint);
    return typeof scorer === "string" ? resolveScorer(scorer, this.checkpoint) : scorer;
  }

  private prefillSession(n: number, stages: readonly number[], scorer: Scorer | null): Promise<InferenceSession> {
    const attention = planAttention(this.config, n, this.options.attention === "plain");
    const key = `prefill ${Object.values(attention).join(" ")} ${stages.join(",")} ${scorer?.key ?? ""}`;
    return this.session(key, (g) => prefillGraph(g, checkpointWeights(g, this.checkpoint), { config: this.config, stages, scorer, attention }));
  }

  private session(key: string, build: (g: GraphBuilder) => void): Promise<InferenceSession> {
    let session = this.sessions.get(key);
    if (!session) {
      const g = new GraphBuilder(key);
      build(g);
      session = createSession(g, { threads: this.options.threads, folder: weightsFolder(this.checkpoint) });
      this.sessions.set(key, session);
      session.catch(() => this.sessions.delete(key));
    }
    return session;
  }

  private prefillFeeds(ids: readonly number[], stages: readonly Stage[]): Record<string, Tensor> {
    const n = ids.length;
    if (!this.rotary || this.rotary.rows < n) this.rotary = rotaryTable(this.frequencies, allPositions(n));
    const { cos, sin, width } = this.rotary;
    const feeds: Record<string, Tensor> = {
      ids: new Tensor("int64", BigInt64Array.from(ids, BigInt), [1, n]),
      cos: new Tensor("float32", cos.subarray(0, n * width), [n, width]),
      sin: new Tensor("float32", sin.subarray(0, n * width), [n, width]),
    };
    stages.forEach((stage, index) => {
      for (const name of ["keep", "head", "tail"] as const) {
        feeds[`stage.${index}.${name}`] = new Tensor("int64", BigInt64Array.of(BigInt(stage[name])), [1]);
      }
    });
    return feeds;
  }

  /** From the graph's keys and values to a cache: all that each layer computed, or only what the last stage kept. */
  private compact(
    results: InferenceSession.OnnxValueMapType,
    stages: readonly Stage[],
    kept: readonly Int32Array[],
    n: number,
    kvPolicy: KvPolicy,
    reserve: number,
  ): HostCache {
    const last = kept.at(-1);
    let present = allPositions(n);
    let stage = 0;
    const byLayer = Array.from({ length: this.config.layers }, (_, layer) => {
      const positions = present;
      while (stages[stage]?.afterLayer === layer) present = kept[stage++]!;
      return positions;
    });
    const sizes = byLayer.map((positions) => (kvPolicy === "evict" && last ? last.length : positions.length) + reserve);
    const cache = HostCache.empty(this.config, sizes);
    cache.layers.forEach((layer, index) => {
      const key = results[`key.${index}`]!;
      const kv = { key: key.data as Float32Array, value: results[`value.${index}`]!.data as Float32Array };
      const positions = byLayer[index]!;
      if (key.dims[2] !== positions.length) throw new Error(`layer ${index}: the graph returned ${key.dims[2]} keys for ${positions.length} tokens`);
      if (kvPolicy === "evict" && last && last.length < positions.length) layer.append(kv, positions.length, last, rowsOf(last, positions));
      else layer.append(kv, positions.length, positions);
    });
    return cache;
  }
}

function allPositions(n: number): Int32Array {
  return Int32Array.from({ length: n }, (_, position) => position);
}

/** Index in `positions` of each of `wanted`; both ascending, `wanted` a subset. */
function rowsOf(wanted: Int32Array, positions: Int32Array): Int32Array {
  let row = 0;
  return wanted.map((position) => {
    while (positions[row]! < position) row++;
    return row;
  });
}
