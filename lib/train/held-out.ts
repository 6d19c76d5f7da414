import { InferenceSession, Tensor } from "onnxruntime-node";
import { requiredTensors } from "../checkpoint/required.js";
import type { Tokenizer } from "../checkpoint/tokenizer.js";
import type { ModelConfig } from "../checkpoint/types.js";
import { lossGraph } from "../decoder/training.js";
import { toOnnx } from "../onnx/serialize.js";
import type { Corpus } from "./corpus.js";
import { retrievalPrompt } from "./episodes.js";
import { parameterFeeds, rotaryFeeds } from "./feeds.js";
import type { TrainingState } from "./state.js";

export interface HeldOutResult {
  /** Prose never trained on, in windows of 1024 tokens: bits a byte of UTF-8. */
  readonly bitsPerByte: number;
  /** Share of hidden five-digit keys whose every digit is the likeliest token, prompts of `retrievalLength` tokens. */
  readonly retrieval: number;
  readonly retrievalLength: number;
}

const PROSE_WINDOW = 1024;
const PROSE_WINDOWS = 48;
const PROMPTS = 64;
/** A space and five digits. */
const ANSWER_TOKENS = 6;

/** A quick look at a model under training, on the same texts and prompts every time. */
export class HeldOut {
  private readonly sessions = new Map<string, InferenceSession>();

  constructor(
    private readonly config: ModelConfig,
    private readonly corpus: Corpus,
    private readonly tokenizer: Tokenizer,
    private readonly seed: number,
    private readonly threads: number,
  ) {}

  async evaluate(tensors: TrainingState["tensors"], length: number): Promise<HeldOutResult> {
    return { bitsPerByte: await this.prose(tensors), retrieval: await this.retrieval(tensors, length), retrievalLength: length };
  }

  /** Windows spread evenly over all held-out documents. */
  private async prose(tensors: TrainingState["tensors"]): Promise<number> {
    const ids = this.corpus.heldOut.flatMap((text) => this.tokenizer.encode(text, { addSpecialTokens: false }));
    const stride = Math.floor((ids.length - PROSE_WINDOW - 1) / (PROSE_WINDOWS - 1));
    let nats = 0;
    let bytes = 0;
    for (let i = 0; i < PROSE_WINDOWS; i++) {
      const window = ids.slice(i * stride, i * stride + PROSE_WINDOW + 1);
      const { losses } = await this.run(tensors, window, PROSE_WINDOW);
      nats += losses.reduce((a, b) => a + b, 0);
      bytes += Buffer.byteLength(this.tokenizer.decode(window.slice(1)));
    }
    return nats / Math.LN2 / bytes;
  }

  private async retrieval(tensors: TrainingState["tensors"], length: number): Promise<number> {
    let right = 0;
    const prose = this.tokenizer.encode(this.corpus.heldOut.join("\n\n").slice(0, 400_000), { addSpecialTokens: false });
    for (let i = 0; i < PROMPTS; i++) {
      // The prompt and its answer together are one token longer than what is fed.
      const { ids, answer } = retrievalPrompt(this.tokenizer, prose, length - ANSWER_TOKENS + 1, this.seed, 1, i);
      const { predictions } = await this.run(tensors, [...ids, ...answer], length);
      if (answer.every((id, k) => predictions[length - answer.length + k] === BigInt(id))) right++;
    }
    return right / PROMPTS;
  }

  private async run(tensors: TrainingState["tensors"], ids: readonly number[], length: number) {
    const key = String(length);
    let session = this.sessions.get(key);
    if (!session) {
      const bytes = toOnnx(lossGraph(this.config, requiredTensors(this.config), 1, length));
      this.sessions.set(key, (session = await InferenceSession.create(bytes, { intraOpNumThreads: this.threads })));
    }
    const big = (values: readonly number[]) => BigInt64Array.from(values, BigInt);
    const results = await session.run({
      ...parameterFeeds({ tensors }),
      ...rotaryFeeds(this.config, length),
      ids: new Tensor("int64", big(ids.slice(0, length)), [1, length]),
      targets: new Tensor("int64", big(ids.slice(1, length + 1)), [length, 1]),
    });
    return { losses: results["token_losses"]!.data as Float32Array, predictions: results["predictions"]!.data as BigInt64Array };
  }
}
