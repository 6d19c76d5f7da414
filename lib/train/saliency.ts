import type { InferenceSession } from "onnxruntime-node";
import type { Checkpoint } from "../checkpoint/types.js";
import { checkPrompt } from "../checkpoint/validate.js";
import { checkpointWeights, weightsFolder } from "../decoder/checkpoint-weights.js";
import { saliencyGraph, type Objective, type SaliencyTarget } from "../decoder/saliency.js";
import { GraphBuilder } from "../onnx/builder.js";
import { createSession } from "../runtime/session.js";
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

/** Saliency of one example as it came out of the gradients, not normalised. */
export interface Saliency {
  /** By block in the order asked for: one number a token, `[n]`. */
  readonly values: readonly Float32Array[];
  /** Mean of the objective over the tokens that count, nats. */
  readonly loss: number;
  /** Where asked for: hidden states after each block, `[n, d]`. */
  readonly states?: readonly Float32Array[];
}

/** Measures the saliency of tokens in a frozen model (stage 1 of arXiv:2504.04514, section 3). */
export class SaliencyMeter {
  private constructor(
    private readonly checkpoint: Checkpoint,
    private readonly session: InferenceSession,
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
    const g = new GraphBuilder("saliency");
    saliencyGraph(g, checkpointWeights(g, checkpoint), { config, blocks, target, objective, states });
    return new SaliencyMeter(checkpoint, await createSession(g, { threads, folder: weightsFolder(checkpoint) }), blocks, target, loss, states);
  }

  /** @throws where a number comes out that is not finite, with the model's first block that is not */
  async measure(example: Example): Promise<Saliency> {
    const { config } = this.checkpoint;
    checkPrompt(example.ids, 0, config);
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
