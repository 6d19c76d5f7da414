import type { Checkpoint } from "../checkpoint/types.js";
import { checkPrompt } from "../checkpoint/validate.js";
import { checkpointWeights, weightsFolder } from "../decoder/checkpoint-weights.js";
import { attentionSaliencyGraph } from "../decoder/saliency-attention.js";
import { isGradientTarget, saliencyGraph, type Objective, type SaliencyTarget } from "../decoder/saliency.js";
import { GraphBuilder } from "../onnx/builder.js";
import { repetition } from "../runtime/repeating.js";
import { createSession, type LoadedGraph } from "../runtime/session.js";
import { exampleFeeds, type LossKind } from "./example-feeds.js";
import type { Example } from "./examples.js";
import { frozenNotFinite } from "./not-finite.js";

export interface SaliencyOptions {
  /** Blocks at whose output saliency is measured, ascending. */
  readonly blocks: readonly number[];
  /** Default `gradnorm`. */
  readonly target?: SaliencyTarget;
  /** Default `response`. */
  readonly loss?: LossKind;
  /** Default `log-odds`. */
  readonly objective?: Objective;
  /** Give the hidden states too. */
  readonly states?: boolean;
  readonly threads?: number | undefined;
}

/** Saliency of one example as it came out of gradients or attention, not normalised. */
export interface Saliency {
  /** By block in the order asked for: one number a token, `[n]`; by reconstruction 0 for the response's, which is not said again. */
  readonly values: readonly Float32Array[];
  /** Mean of the objective over the tokens that count, nats; by reconstruction over the prompt said again. */
  readonly loss: number;
  /** Where asked for: hidden states after each block, `[n, d]`; by reconstruction the prompt's alone. */
  readonly states?: readonly Float32Array[];
}

/** Measures the saliency of tokens in a frozen model (stage 1 of arXiv:2504.04514, section 3). */
export class SaliencyMeter {
  private constructor(
    private readonly checkpoint: Checkpoint,
    private readonly session: LoadedGraph,
    readonly blocks: readonly number[],
    readonly target: SaliencyTarget,
    readonly loss: LossKind,
    private readonly states: boolean,
  ) {}

  /** @throws on blocks out of order or out of range */
  static async create(checkpoint: Checkpoint, { blocks, target = "gradnorm", loss = "response", objective = "log-odds", states = false, threads }: SaliencyOptions): Promise<SaliencyMeter> {
    const { config } = checkpoint;
    blocks.forEach((block, i) => {
      if (!Number.isInteger(block) || block < 0 || block >= config.layers || (i > 0 && block <= blocks[i - 1]!)) {
        throw new Error(`saliency block: ${block} (must be integers from 0 to ${config.layers - 1}, ascending)`);
      }
    });
    if (!isGradientTarget(target) && loss !== "response") throw new Error(`saliency loss: ${loss} (target ${target} is what ${target === "attention" ? "the response looks" : "the prompt said again looks"} at: must be response)`);
    const g = new GraphBuilder("saliency");
    const weights = checkpointWeights(g, checkpoint);
    if (isGradientTarget(target)) saliencyGraph(g, weights, { config, blocks, target, objective, states });
    else attentionSaliencyGraph(g, weights, { config, blocks, over: target === "attention" ? "mean" : "max", objective, states });
    return new SaliencyMeter(checkpoint, await createSession(g, { threads, folder: weightsFolder(checkpoint) }), blocks, target, loss, states);
  }

  /** @throws where a number comes out that is not finite, with the model's first block that is not */
  async measure(example: Example): Promise<Saliency> {
    const { config } = this.checkpoint;
    checkPrompt(example.ids, 0, config);
    if (this.target === "reconstruction") return this.reconstructed(example);
    return this.run(example);
  }

  /** The prompt, what asks to repeat it, and the prompt again in the response's place. What stands before a chat's message is not repeated and scores nothing. */
  private async reconstructed({ ids, promptLength }: Example): Promise<Saliency> {
    const prompt = ids.slice(0, promptLength);
    const { from, requests } = await repetition(this.checkpoint, prompt, promptLength, "saliency reconstruction");
    const asked = [...prompt, ...requests[0]!];
    const { values, loss, states } = await this.run({ ids: [...asked, ...prompt.slice(from)], promptLength: asked.length });
    const own = values.map((all) => Float32Array.from(ids, (_, token) => (token >= from && token < promptLength ? all[token]! : 0)));
    return { values: own, loss, ...(states && { states: states.map((state) => state.subarray(0, promptLength * this.checkpoint.config.hiddenSize)) }) };
  }

  private async run(example: Example): Promise<Saliency> {
    const { config } = this.checkpoint;
    const results = await this.session.run(exampleFeeds(config, example, this.loss));
    const loss = (results["loss"]!.data as Float32Array)[0]!;
    if (!Number.isFinite(loss)) throw await frozenNotFinite(this.checkpoint, example.ids, new Error(`saliency: the loss is ${loss} (must be finite)`));
    const values = this.blocks.map((block) => results[`saliency.${block}`]!.data as Float32Array);
    for (const [i, saliency] of values.entries()) {
      const at = saliency.findIndex((value) => !Number.isFinite(value));
      if (at < 0) continue;
      throw await frozenNotFinite(this.checkpoint, example.ids, new Error(`saliency: ${saliency[at]} at token ${at} after block ${this.blocks[i]} (must be finite: the model's own numbers are, its gradients overflow)`));
    }
    return { values, loss, ...(this.states && { states: this.blocks.map((block) => results[`hidden.${block}`]!.data as Float32Array) }) };
  }

  async release(): Promise<void> {
    await this.session.release();
  }
}
