import { writeWhole } from "../files.js";
import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { appendFile, mkdir, readFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { Tensor } from "onnxruntime-node";
import { ambientSignal } from "../ambient-signal.js";
import { canonicalJson } from "../checkpoint/json.js";
import { writeSafetensors } from "../checkpoint/safetensors.js";
import type { Checkpoint } from "../checkpoint/types.js";
import { checkpointWeights, weightsFolder } from "../decoder/checkpoint-weights.js";
import { moduleTrainingGraph, prunerTrainingGraph, type LabelKind, type MaskKind, type PrunerLosses } from "../decoder/pruner-training.js";
import { GraphBuilder } from "../onnx/builder.js";
import type { KvPolicy } from "../methods/method.js";
import type { ModuleInputs } from "../methods/module.js";
import { Random } from "../random.js";
import { allFinite } from "../runtime/finite.js";
import { createSession, type LoadedGraph } from "../runtime/session.js";
import { parameterFeeds } from "./feeds.js";
import { frozenNotFinite } from "./not-finite.js";
import { adamStep } from "./optimizer.js";
import { moduleFeeds, prunerFeeds, type PrunerExample } from "./pruner-feeds.js";
import { scoreHeldOut, type BlockAgreement } from "./pruner-held-out.js";
import { initialPruner, loadPrunerState, savePrunerState, type PrunerState } from "./pruner-state.js";
import type { SaliencyFile } from "./saliency-file.js";
import { normaliseSaliency } from "./saliency-normalise.js";

export interface PrunerRecipe {
  readonly inputs: ModuleInputs;
  readonly losses: PrunerLosses;
  readonly masks: MaskKind;
  readonly labels: LabelKind;
  /**
   * What the scores say. `retain`: how much a token is needed after the stage's own block, where earlier blocks keep what they computed. `evict`: how much it
   * is needed anywhere, as a token that goes leaves every block's cache: the largest of its normalised saliencies over all blocks measured.
   */
  readonly kvPolicy: KvPolicy;
  /** Peak learning rate of Adam; it falls to zero linearly over the run. */
  readonly learningRate: number;
  /** Sequences whose gradients are averaged for a step. */
  readonly batch: number;
  readonly epochs: number;
  /** Share of the examples, at the end of the file, that is not trained on but tells how good the modules are. */
  readonly heldOut: number;
  readonly seed: number;
}

/** All three losses, as in the paper; the learning rate is for small data sets (the paper: 1e-4, 15 000 sequences). */
export const prunerRecipe: PrunerRecipe = {
  inputs: "placed",
  losses: { crossEntropy: 1, mse: 1, ranking: 1 },
  masks: "attention",
  labels: "model",
  kvPolicy: "retain",
  learningRate: 2e-3,
  batch: 4,
  epochs: 2,
  heldOut: 0.1,
  seed: 0,
};

export interface TrainPrunerOptions {
  readonly checkpoint: Checkpoint;
  /** Examples and their saliency, from `measureSaliency`. */
  readonly saliency: SaliencyFile;
  /** Blocks to train modules for; default: all that the saliency file has. */
  readonly blocks?: readonly number[];
  readonly recipe?: Partial<PrunerRecipe>;
  /** Folder of the run's state and log; a run goes on from what it finds there. */
  readonly folder: string;
  /** The safetensors file to write. */
  readonly out: string;
  /** Write the modules in float16. */
  readonly half?: boolean;
  readonly threads?: number | undefined;
  /** Stop (and save) after the step in flight. */
  readonly signal?: AbortSignal;
  readonly onStep?: (report: PrunerStep) => void;
}

/** One step, as written to the log. Losses are means over the batch; `mse` and `ranking` also over the blocks. */
export interface PrunerStep {
  readonly step: number;
  readonly steps: number;
  readonly loss: number;
  /** Cross-entropy of the response under soft masks, nats a token; null where it is not trained on. */
  readonly crossEntropy: number | null;
  readonly mse: number | null;
  readonly ranking: number | null;
  readonly learningRate: number;
  readonly seconds: number;
}

const SAVE_SECONDS = 60;

/**
 * Trains pruning modules for a frozen model, resumably (stage 2 of arXiv:2504.04514). The same data, recipe and number of
 * threads give the same modules.
 * @returns agreement with the true saliency on the examples held out, by block; empty where none are held out
 * @throws AbortError on `signal`, after saving
 */
export async function trainPruner(options: TrainPrunerOptions): Promise<BlockAgreement[]> {
  const { checkpoint, saliency, folder, out, signal = ambientSignal() } = options;
  const recipe = { ...prunerRecipe, ...options.recipe };
  const blocks = options.blocks ?? saliency.settings.blocks;
  const missing = blocks.find((block) => !saliency.settings.blocks.includes(block));
  if (missing !== undefined) throw new Error(`pruner block: ${missing} (the saliency file has ${saliency.settings.blocks.join(", ")})`);
  const model = await checkpoint.hash();
  if (saliency.settings.model !== model) throw new Error(`saliency file: measured on another model (its hash begins ${saliency.settings.model.slice(0, 12)}, this model's ${model.slice(0, 12)})`);
  const trained = Math.max(1, saliency.length - Math.floor(recipe.heldOut * saliency.length));
  const steps = Math.ceil((trained * recipe.epochs) / recipe.batch);
  const fingerprint = createHash("sha256").update(canonicalJson({ recipe, blocks, settings: saliency.settings, data: saliency.data })).digest("hex");
  const [stateFile, log] = [join(folder, "state.safetensors"), join(folder, "log.jsonl")];
  await mkdir(folder, { recursive: true });
  const state = initialPruner(checkpoint.config, blocks, recipe.inputs, recipe.seed);
  await loadPrunerState(stateFile, state, fingerprint);
  await trimLog(log, state.step);

  const example = (index: number) => loadExample(saliency, blocks, index, recipe.kvPolicy);
  // Without masks the model is the same at every step: what it computed once, if it was kept, is enough.
  const onStates = recipe.losses.crossEntropy === 0 && saliency.settings.states !== undefined;
  const feedsOf = onStates ? moduleFeeds : prunerFeeds;
  const session = await createSession(graph(checkpoint, blocks, recipe, onStates), { threads: options.threads, folder: weightsFolder(checkpoint) });
  let saved = performance.now();
  try {
    while (state.step < steps) {
      if (signal?.aborted) break;
      const started = performance.now();
      const learningRate = recipe.learningRate * (1 - state.step / steps);
      const batch = await Promise.all(indices(recipe, trained, state.step).map(example));
      const losses = await step(session, checkpoint, state, batch, recipe, learningRate, feedsOf);
      const report: PrunerStep = { step: state.step, steps, ...losses, learningRate, seconds: (performance.now() - started) / 1e3 };
      await appendFile(log, `${JSON.stringify(report)}\n`);
      options.onStep?.(report);
      if (performance.now() - saved > SAVE_SECONDS * 1e3) {
        await savePrunerState(stateFile, state, fingerprint);
        saved = performance.now();
      }
    }
    await savePrunerState(stateFile, state, fingerprint);
  } finally {
    await session.release();
  }
  signal?.throwIfAborted();

  const heldOut = await Promise.all(Array.from({ length: saliency.length - trained }, (_, i) => example(trained + i)));
  const agreement = await scoreHeldOut(checkpoint, state, blocks, recipe.inputs, heldOut, options.threads);
  await mkdir(dirname(out), { recursive: true });
  await writeSafetensors(out, state.tensors.map(({ name, shape, values }) => ({ name, shape, dtype: options.half ? "F16" as const : "F32" as const, data: values })), {
    format: "sdtp-pruner",
    hash: hashTensors(state),
    model,
    blocks: JSON.stringify(blocks),
    recipe: JSON.stringify(recipe),
    saliency: JSON.stringify({ target: saliency.settings.target, loss: saliency.settings.loss, objective: saliency.settings.objective, normalised: saliency.settings.target === "signed" ? "standardised" : "logarithm, standardised" }),
    data: saliency.data,
    examples: String(trained),
    steps: String(steps),
    held_out: JSON.stringify(agreement),
  });
  return agreement;
}

function graph(checkpoint: Checkpoint, blocks: readonly number[], { inputs, losses, masks, labels }: PrunerRecipe, onStates: boolean): GraphBuilder {
  const g = new GraphBuilder("pruner training");
  if (onStates) {
    moduleTrainingGraph(g, { config: checkpoint.config, blocks, inputs, losses });
    return g;
  }
  prunerTrainingGraph(g, checkpointWeights(g, checkpoint), { config: checkpoint.config, blocks, inputs, losses, masks, labels });
  return g;
}

/** The examples of a step: every epoch goes through all of them in an order of its own. */
function indices({ batch, seed }: PrunerRecipe, count: number, step: number): number[] {
  return Array.from({ length: batch }, (_, i) => {
    const at = step * batch + i;
    const order = new Random(seed, 1, Math.floor(at / count)).sample(Array.from({ length: count }, (_, index) => index), count);
    return order[at % count]!;
  });
}

async function loadExample(saliency: SaliencyFile, blocks: readonly number[], index: number, kvPolicy: KvPolicy): Promise<PrunerExample> {
  const example = saliency.example(index);
  const values = await saliency.values(index);
  const { target, blocks: stored } = saliency.settings;
  const states = await saliency.states(index);
  const normalised = values.map((each) => normaliseSaliency(each, example.promptLength, target));
  const anywhere = kvPolicy === "evict" ? normalised[0]!.map((_, token) => Math.max(...normalised.map((each) => each[token]!))) : null;
  return {
    ...example,
    states: states && new Map(blocks.map((block) => [block, states[stored.indexOf(block)]!])),
    targets: new Map(blocks.map((block) => [block, anywhere ?? normalised[stored.indexOf(block)]!])),
  };
}

async function step(
  session: LoadedGraph,
  checkpoint: Checkpoint,
  state: PrunerState,
  batch: readonly PrunerExample[],
  recipe: PrunerRecipe,
  learningRate: number,
  feedsOf: typeof moduleFeeds | typeof prunerFeeds,
): Promise<Pick<PrunerStep, "loss" | "crossEntropy" | "mse" | "ranking">> {
  const sums = new Map<string, Float32Array>(state.tensors.map(({ name, values }) => [name, new Float32Array(values.length)]));
  const { config } = checkpoint;
  const losses = { loss: 0, crossEntropy: 0, mse: 0, ranking: 0 };
  const parameters = parameterFeeds(state);
  for (const [i, example] of batch.entries()) {
    const random = new Random(recipe.seed, 2, state.step, i);
    const results = await session.run({ ...parameters, ...feedsOf(config, example, recipe, random) });
    const scalar = (name: string) => (results[name] ? (results[name].data as Float32Array)[0]! : 0) / batch.length;
    const loss = scalar("loss");
    if (!Number.isFinite(loss)) throw await frozenNotFinite(checkpoint, example.ids, new Error(`pruner training: loss is ${loss} at step ${state.step} (a lower learning rate may help)`));
    losses.loss += loss;
    losses.crossEntropy += scalar("cross_entropy");
    for (const block of example.targets.keys()) {
      losses.mse += scalar(`mse.${block}`) / example.targets.size;
      losses.ranking += scalar(`ranking.${block}`) / example.targets.size;
    }
    for (const [name, sum] of sums) add(sum, (results[`gradient:${name}`] as Tensor).data as Float32Array, 1 / batch.length);
  }
  for (const [name, sum] of sums) if (!allFinite(sum)) throw new Error(`pruner training: the gradient of ${name} is not finite at step ${state.step} (a lower learning rate may help)`);
  for (const tensor of state.tensors) adamStep(tensor, sums.get(tensor.name)!, { learningRate, weightDecay: 0, step: state.step + 1 });
  state.step++;
  return { ...losses, crossEntropy: recipe.losses.crossEntropy > 0 ? losses.crossEntropy : null, mse: recipe.losses.mse > 0 ? losses.mse : null, ranking: recipe.losses.ranking > 0 ? losses.ranking : null };
}

function add(sum: Float32Array, values: Float32Array, scale: number): void {
  for (let i = 0; i < sum.length; i++) sum[i]! += scale * values[i]!;
}

/** Steps that were logged but not saved are computed, and logged, again. */
async function trimLog(file: string, step: number): Promise<void> {
  if (!existsSync(file)) return;
  const lines = (await readFile(file, "utf8")).split("\n").filter((line) => line !== "");
  const kept = lines.filter((line) => (JSON.parse(line) as PrunerStep).step <= step);
  await writeWhole(file, kept.map((line) => `${line}\n`).join(""));
}

function hashTensors({ tensors }: PrunerState): string {
  const hash = createHash("sha256");
  for (const { name, values } of tensors) hash.update(name).update(new Uint8Array(values.buffer, values.byteOffset, values.byteLength));
  return hash.digest("hex");
}
