import { existsSync } from "node:fs";
import { appendFile, mkdir, readFile, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { InferenceSession, Tensor } from "onnxruntime-node";
import { ambientSignal } from "../ambient-signal.js";
import { parseConfig } from "../checkpoint/config.js";
import { requiredTensors } from "../checkpoint/required.js";
import { writeSafetensors } from "../checkpoint/safetensors.js";
import { loadTokenizer, type Tokenizer } from "../checkpoint/tokenizer.js";
import type { ModelConfig } from "../checkpoint/types.js";
import { trainingGraph } from "../decoder/training.js";
import { toOnnx } from "../onnx/serialize.js";
import { allFinite } from "../runtime/finite.js";
import { BatchSource, kinds, type Batch, type Kind } from "./batches.js";
import { END_OF_TEXT, trainBpe } from "./bpe.js";
import { loadCorpus, type Corpus } from "./corpus.js";
import { parameterFeeds, rotaryFeeds } from "./feeds.js";
import { HeldOut, type HeldOutResult } from "./held-out.js";
import { trainingNotFinite } from "./not-finite.js";
import { adamStep, Muon, usesMuon } from "./optimizer.js";
import { learningRate, type Recipe } from "./recipe.js";
import { loadState, saveState, type TrainingState } from "./state.js";

export interface TrainModelOptions {
  /** The model's config.json, as Hugging Face has it. */
  readonly config: Readonly<Record<string, unknown>>;
  readonly recipe: Recipe;
  /** Prose; default: the two public-domain data sets. */
  readonly corpus?: Corpus;
  /** Tokens to see in all; the learning rate reaches zero there. */
  readonly tokens: number;
  /** Folder of the run: its state, tokenizer, tokenised corpus and log. A run goes on from what it finds there. */
  readonly folder: string;
  readonly threads: number;
  /** Stop (and save) after this many seconds. */
  readonly maxSeconds?: number;
  /** Stop (and save) after the step in flight. */
  readonly signal?: AbortSignal;
  readonly onStep?: (report: StepReport) => void;
}

/** One step, as written to the log. */
export interface StepReport {
  readonly step: number;
  readonly tokens: number;
  /** Weighted mean loss of the step, nats a token. */
  readonly loss: number;
  /** Mean loss by what is predicted. */
  readonly losses: Partial<Record<Kind, number>>;
  readonly learningRate: number;
  /** Sequence length of the step. */
  readonly length: number;
  /** Seconds of computing so far. */
  readonly seconds: number;
  /** Matrix products of the step per second, 10⁹ floating-point operations, causal attention counted as half. */
  readonly gflops: number;
  readonly heldOut?: HeldOutResult;
}

const SAVE_SECONDS = 300;
const EVALUATE_TOKENS = 1e6;

/**
 * Trains a model from random weights on prose and on episodes of hidden facts (`recipe`), resumably.
 * Writes `state.safetensors` (every five minutes, atomically), `log.jsonl`, and at the end of the call
 * a model folder `model/` (config.json, tokenizer.json, model.safetensors in fp16).
 */
export async function trainModel(options: TrainModelOptions): Promise<TrainingState> {
  const { recipe, folder, threads, signal = ambientSignal() } = options;
  await mkdir(folder, { recursive: true });
  const corpus = options.corpus ?? loadCorpus();
  const config = parseConfig(options.config, "config");
  const tokenizer = await prepareTokenizer(folder, corpus, config.vocabSize);
  const prose = await tokenise(join(folder, "prose.bin"), corpus.train, tokenizer);
  const stateFile = join(folder, "state.safetensors");
  const state = await loadState(stateFile, config, recipe.seed);
  const run = new Run(config, state, await Muon.create(state.tensors.filter(({ name, shape }) => usesMuon(name, shape)), threads), threads);
  const source = new BatchSource(recipe, tokenizer, prose);
  const heldOut = new HeldOut(config, corpus, tokenizer, recipe.seed, threads);
  const started = performance.now();
  let saved = started;

  while (state.tokens < options.tokens && !signal?.aborted) {
    const before = performance.now();
    if (before - started > (options.maxSeconds ?? Infinity) * 1e3) break;
    const batch = source.batch(state.step, state.tokens);
    const rate = learningRate(recipe, state.tokens, options.tokens);
    const { loss, losses } = await run.step(batch, rate, recipe.weightDecay).catch((error: unknown) => {
      throw error instanceof NotFinite ? new Error(`training: ${error.message} (the last saved state is whole: ${stateFile})`) : error;
    });
    const evaluate = Math.floor(state.tokens / EVALUATE_TOKENS) !== Math.floor((state.tokens - batch.ids.length) / EVALUATE_TOKENS);
    const seconds = (performance.now() - before) / 1e3;
    state.seconds += seconds;
    const report: StepReport = {
      step: state.step,
      tokens: state.tokens,
      loss,
      losses,
      learningRate: rate,
      length: batch.length,
      seconds: state.seconds,
      gflops: stepFlops(config, batch) / seconds / 1e9,
      ...(evaluate ? { heldOut: await heldOut.evaluate(state.tensors, batch.length) } : {}),
    };
    await appendFile(join(folder, "log.jsonl"), `${JSON.stringify(report)}\n`);
    options.onStep?.(report);
    if (performance.now() - saved > SAVE_SECONDS * 1e3) {
      await saveState(stateFile, state);
      saved = performance.now();
    }
  }
  await saveState(stateFile, state);
  await exportModel(join(folder, "model"), options.config, state, join(folder, "tokenizer.json"));
  return state;
}

/** A step that gave numbers that are none; nothing was changed by it. */
class NotFinite extends Error {}

/** Sessions by batch shape, and the step itself. */
class Run {
  private session: { key: string; session: InferenceSession } | null = null;

  constructor(
    private readonly config: ModelConfig,
    private readonly state: TrainingState,
    private readonly muon: Muon,
    private readonly threads: number,
  ) {}

  async step(batch: Batch, rate: number, weightDecay: number): Promise<Pick<StepReport, "loss" | "losses">> {
    const { state } = this;
    const session = await this.sessionFor(batch);
    const rows = batch.sequences * batch.length;
    const feeds = {
      ...parameterFeeds(state),
      ...rotaryFeeds(this.config, batch.length),
      ids: new Tensor("int64", batch.ids, [batch.sequences, batch.length]),
      targets: new Tensor("int64", batch.targets, [rows, 1]),
      loss_weights: new Tensor("float32", batch.weights, [rows, 1]),
    };
    const results = await session.run(feeds);
    const loss = (results["loss"]!.data as Float32Array)[0]!;
    // Before anything is updated with it.
    if (!Number.isFinite(loss)) throw new NotFinite(`loss is ${loss} at step ${state.step + 1}: ${await trainingNotFinite(this.config, state, feeds)}`);
    const gradients = new Map(state.tensors.map(({ name }) => [name, results[`gradient:${name}`]!.data as Float32Array]));
    for (const [name, gradient] of gradients) if (!allFinite(gradient)) throw new NotFinite(`the gradient of ${name} is not finite at step ${state.step + 1}`);
    const settings = { learningRate: rate, weightDecay, step: state.step + 1 };
    const byAdam = state.tensors.filter(({ name, shape }) => !usesMuon(name, shape));
    const norm = Math.sqrt(byAdam.reduce((sum, { name }) => sum + gradients.get(name)!.reduce((a, x) => a + x * x, 0), 0));
    // Clipped to norm 1, so that one strange batch cannot upset the moments.
    for (const tensor of byAdam) adamStep(tensor, gradients.get(tensor.name)!, settings, Math.min(1, 1 / norm));
    await this.muon.step(gradients, settings);
    state.step += 1;
    state.tokens += rows;
    return { loss, losses: byKind(batch, results["token_losses"]!.data as Float32Array) };
  }

  private async sessionFor({ sequences, length }: Batch): Promise<InferenceSession> {
    const key = `${sequences}x${length}`;
    if (this.session?.key !== key) {
      await this.session?.session.release();
      const parameters = requiredTensors(this.config);
      const bytes = toOnnx(trainingGraph(this.config, parameters, sequences, length));
      this.session = { key, session: await InferenceSession.create(bytes, { intraOpNumThreads: this.threads }) };
    }
    return this.session.session;
  }
}

/** Mean loss of the tokens of each kind that count. */
function byKind(batch: Batch, losses: Float32Array): Partial<Record<Kind, number>> {
  const sums = kinds.map(() => ({ sum: 0, count: 0 }));
  losses.forEach((loss, i) => {
    if (batch.weights[i] === 0) return;
    const total = sums[batch.kinds[i]!]!;
    total.sum += loss;
    total.count += 1;
  });
  return Object.fromEntries(kinds.flatMap((kind, i) => (sums[i]!.count ? [[kind, sums[i]!.sum / sums[i]!.count]] : [])));
}

async function prepareTokenizer(folder: string, corpus: Corpus, size: number): Promise<Tokenizer> {
  const file = join(folder, "tokenizer.json");
  if (!existsSync(file)) await writeJson(file, trainBpe(corpus.train, size));
  return loadTokenizer(folder);
}

/** All documents as ids, each ended by END_OF_TEXT; kept in `file`. */
async function tokenise(file: string, documents: readonly string[], tokenizer: Tokenizer): Promise<Uint16Array> {
  if (!existsSync(file)) {
    const end = tokenizer.id(END_OF_TEXT)!;
    const ids = documents.flatMap((text) => [...tokenizer.encode(text, { addSpecialTokens: false }), end]);
    await writeFile(`${file}.tmp`, new Uint8Array(Uint16Array.from(ids).buffer));
    await rename(`${file}.tmp`, file);
  }
  const bytes = await readFile(file);
  return new Uint16Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength));
}

async function exportModel(folder: string, config: Readonly<Record<string, unknown>>, state: TrainingState, tokenizer: string): Promise<void> {
  await mkdir(folder, { recursive: true });
  await writeJson(join(folder, "config.json"), config);
  await writeFile(join(folder, "tokenizer.json"), await readFile(tokenizer));
  const tensors = state.tensors.map(({ name, shape, values }) => ({ name, shape, dtype: "F16" as const, data: values }));
  await writeSafetensors(join(folder, "model.safetensors"), tensors, { format: "pt", tokens_seen: String(state.tokens), steps: String(state.step) });
}

async function writeJson(file: string, value: unknown): Promise<void> {
  await writeFile(`${file}.tmp`, `${JSON.stringify(value, null, 1)}\n`);
  await rename(`${file}.tmp`, file);
}

/** Floating-point operations of the products in one step: forward and twice that for the gradients. */
function stepFlops(config: ModelConfig, { sequences, length }: Batch): number {
  const matrices = requiredTensors(config).filter(({ shape }) => shape.length === 2).reduce((sum, { shape }) => sum + shape[0]! * shape[1]!, 0);
  const attention = 2 * length * config.heads * config.headDim * config.layers;
  return 3 * sequences * length * (2 * matrices + attention);
}
