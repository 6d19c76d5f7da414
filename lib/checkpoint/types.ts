import type { ChatTemplate } from "./chat-template.js";
import type { Tokenizer } from "./tokenizer.js";

/** Element types a checkpoint may store, as safetensors spells them. */
export type StoredDtype =
  | "F64" | "F32" | "F16" | "BF16"
  | "I64" | "I32" | "I16" | "I8"
  | "U64" | "U32" | "U16" | "U8"
  | "F8_E4M3" | "F8_E5M2" | "BOOL";

/** Where one tensor lies on disk. Nothing is read until somebody asks. */
export interface StoredTensor {
  readonly name: string;
  readonly dtype: StoredDtype;
  readonly shape: readonly number[];
  /** Absolute path of the file that holds the bytes. */
  readonly file: string;
  /** Offset of the first byte from the start of `file`. */
  readonly offset: number;
  /** Length in bytes. */
  readonly length: number;
  /** Where the tensor is a part or a turned form of what the bytes hold: how `shape` comes of them. */
  readonly view?: TensorView;
  /** Where the bytes are blocks of 4- or 8-bit elements; `shape` is what they stand for. */
  readonly quantization?: Quantization;
  /** Where the elements are to be multiplied by scales, which then are in `shape`'s values. */
  readonly scaling?: Scaling;
}

/** A scale for each block of a matrix `[out, in]`. */
export interface Scaling {
  /** Of `ceil(out / block[0]) * ceil(in / block[1])` elements, row by row. */
  readonly scale: StoredTensor;
  /** Outputs and inputs that share one. */
  readonly block: readonly [number, number];
}

/** The bytes hold a tensor of shape `stored`; of it the slice, its axes in another order, is the tensor wanted. */
export interface TensorView {
  readonly stored: readonly number[];
  readonly slice?: { readonly axis: number; readonly from: number; readonly to: number };
  readonly perm?: readonly number[];
}

/** Blocks of elements along the rows of a matrix `[out, in]`, as `QuantizedRows` says. */
export interface Quantization {
  readonly bits: 4 | 8;
  /** Elements that share a scale: a power of two, at least 16. */
  readonly blockSize: number;
  /** F32 `[out, blocks]` */
  readonly scales: StoredTensor;
  /** U8 `[out, ceil(blocks * bits / 8)]`; null: in the middle. */
  readonly zeroPoints: StoredTensor | null;
  /** F32 `[out, blocks]`; where there are any, there are no zero points and an element is `level * scale + offset`. */
  readonly offsets: StoredTensor | null;
  /** I64 `[in]`: column i of the blocks is input `order[i]`; null or absent: as they come. */
  readonly order?: StoredTensor | null;
  /** The same weight rounded anew for products of many rows, where there is such a form; null or absent: there is none. */
  readonly byChannel?: ByChannel | null;
  /** Bits that an element, with its share of scales, takes in the model's own files, where blocks that lose nothing of it take more; absent: about as many. */
  readonly fileBits?: number;
}

/** A matrix `[out, in]` in 8 bits with a scale for each output, as `ChannelWeights` says. */
export interface ByChannel {
  /** I8 `[in, out]` */
  readonly weights: StoredTensor;
  /** F32 `[out]` */
  readonly scales: StoredTensor;
}

/** Model families the decoder can build. */
export type Family =
  | "llama" | "mistral" | "ministral" | "qwen2" | "qwen3" | "phi3" | "gemma" | "gemma2" | "gemma3_text" | "smollm3" | "olmo2" | "olmo3" | "granite" | "exaone4"
  | "mixtral" | "qwen2_moe" | "qwen3_moe" | "gpt_oss" | "cohere" | "cohere2" | "starcoder2" | "stablelm" | "glm" | "glm4" | "gpt_neox" | "gpt2" | "bloom";

/**
 * Rescaling of rotary frequencies, as in `rope_scaling` of config.json. Where there is an `attentionFactor`, cosines and sines are multiplied by it.
 */
export type RopeScaling =
  | { readonly kind: "linear"; readonly factor: number }
  /** Beyond the length the model was made for, a larger base, from the length of the sequence at hand (NTK). */
  | { readonly kind: "dynamic"; readonly factor: number; readonly originalMaxPositions: number }
  /** arXiv:2309.00071; `betaFast` and `betaSlow` in turns within the original length. */
  | {
      readonly kind: "yarn";
      readonly factor: number;
      readonly betaFast: number;
      readonly betaSlow: number;
      /** The ends of the ramp are whole dimensions. */
      readonly truncate: boolean;
      readonly originalMaxPositions: number;
      readonly attentionFactor: number;
    }
  /** arXiv:2402.13753: a divisor for each frequency, `[rotaryDim / 2]`, others for sequences beyond the original length. */
  | {
      readonly kind: "longrope";
      readonly shortFactors: readonly number[];
      readonly longFactors: readonly number[];
      readonly originalMaxPositions: number;
      readonly attentionFactor: number;
    }
  /** Only this share of the frequencies turns; all are those of the whole head. */
  | { readonly kind: "proportional"; readonly factor: number; readonly share: number }
  /** Each frequency has a divisor of its own, `[headDim / 2]`. */
  | { readonly kind: "factors"; readonly factors: readonly number[] }
  | {
      readonly kind: "llama3";
      readonly factor: number;
      readonly lowFreqFactor: number;
      readonly highFreqFactor: number;
      readonly originalMaxPositions: number;
    };

/** A set of rotary frequencies. */
export interface Rope {
  /** The base. */
  readonly theta: number;
  readonly scaling: RopeScaling | null;
}

/** The experts of a model's blocks. */
export interface Experts {
  readonly count: number;
  /** How many of them a token goes to. */
  readonly perToken: number;
  /** Inner size of each. */
  readonly size: number;
  /** The shares of a token's experts add up to 1; else they are those of the softmax over all experts. */
  readonly normalised: boolean;
  /** Blocks with one MLP of the inner size `ffnSize`, ascending. */
  readonly denseLayers: readonly number[];
  /** Inner size of an expert that every token goes to as well (qwen2_moe); null: there is none. */
  readonly sharedSize: number | null;
  /** Bias on router and experts (gpt_oss). */
  readonly bias: boolean;
}

/** The shape of a decoder-only model, read from config.json. */
export interface ModelConfig {
  readonly family: Family;
  /** Hidden size d. */
  readonly hiddenSize: number;
  /** Number of blocks. */
  readonly layers: number;
  /** Query heads. */
  readonly heads: number;
  /** Key/value heads (grouped-query attention). */
  readonly kvHeads: number;
  readonly headDim: number;
  /** Inner size f of the MLP. */
  readonly ffnSize: number;
  /** `down(act(gate(x)) * up(x))`; else `down(act(up(x)))`. */
  readonly gatedMlp: boolean;
  /** Gaussian error linear unit: exact, or its approximation by tanh. */
  readonly activation: "silu" | "gelu" | "gelu_tanh";
  readonly vocabSize: number;
  /** Positions the model was made for: prompt + new tokens may not exceed it. */
  readonly maxPositions: number;
  /** How a token's position enters: queries and keys turned, a vector added to its embedding, or a penalty on distant keys. */
  readonly positions: "rotary" | "learned" | "alibi";
  readonly ropeTheta: number;
  readonly ropeScaling: RopeScaling | null;
  /** The frequencies of blocks with a window, where they have their own (gemma3, olmo3). */
  readonly windowRope: Rope | null;
  /** Blocks without rotary positions in a model that has them (smollm3, cohere2, exaone4). */
  readonly ropelessLayers: readonly number[];
  /** How many of a head's elements are turned, from the first; usually all. */
  readonly rotaryDim: number;
  /** Element 2i turns with 2i + 1 (cohere, glm); else i with i + rotaryDim / 2. */
  readonly ropeInterleaved: boolean;
  /** Root mean square, or mean and variance. */
  readonly norm: "rms" | "layer";
  /** Layer norms have a bias (all but cohere's). */
  readonly normBias: boolean;
  readonly normEps: number;
  /** Added to the weight of each norm (gemma: 1). */
  readonly normOffset: number;
  /** Norms on the inputs of attention and MLP (all but olmo2, olmo3 and exaone4). */
  readonly inputNorms: boolean;
  /** Norms on the outputs of attention and MLP (gemma2). */
  readonly outputNorms: boolean;
  /** Attention and MLP both work on the block's input, under one norm or each under its own; null: one after the other. */
  readonly parallel: "one norm" | "own norms" | null;
  /** The outputs of attention and MLP are multiplied by this (granite). */
  readonly residualScale: number;
  readonly tiedEmbeddings: boolean;
  /** Embeddings are multiplied by this (gemma: the square root of the hidden size). */
  readonly embeddingScale: number;
  /** A norm right after the embedding (bloom). */
  readonly embeddingNorm: boolean;
  /** Products of queries and keys are multiplied by this; usually headDim^-½. */
  readonly attentionScale: number;
  /** Scores s become c tanh(s / c); null: stay. */
  readonly attentionSoftcap: number | null;
  /** The same for logits. */
  readonly logitSoftcap: number | null;
  /** Logits are multiplied by this, before any cap (cohere, granite). */
  readonly logitScale: number;
  /** Attention looks at most this many positions back; null: no limit. */
  readonly slidingWindow: number | null;
  /** Blocks without a window in a model that has one, ascending. */
  readonly fullLayers: readonly number[];
  /** Bias on the query, key and value projections (qwen2; llama with attention_bias). */
  readonly qkvBias: boolean;
  /** Bias on the attention's output projection (llama with attention_bias). */
  readonly outputBias: boolean;
  /** Bias on the MLP's projections (llama with mlp_bias). */
  readonly mlpBias: boolean;
  /**
   * A norm on queries and keys: over each head with weights that all share (qwen3), with weights of its own in one tensor (cohere) or in
   * a tensor for each head (stablelm), or over all heads at once (olmo2).
   */
  readonly qkNorm: "head" | "each head" | "head by head" | "all heads" | null;
  /** MLPs of which a router chooses some for each token, in the place of one; null: there is one. */
  readonly experts: Experts | null;
  /** The MLP is `down(gate sigmoid(alpha gate) (up + 1))`, the gate at most `limit`, up within ± `limit` (gpt_oss); null: as `activation` says. */
  readonly clampedGate: { readonly alpha: number; readonly limit: number } | null;
  /** Every query's softmax has one score more, of the head's own (gpt_oss). */
  readonly attentionSinks: boolean;
  readonly bosTokenId: number | null;
  readonly eosTokenIds: readonly number[];
}

/** Weights of one kind that are held in the nearest smaller blocks. */
export interface NearKind {
  /** As the model's files have them: `q6_k`. */
  readonly kind: string;
  readonly bits: 4 | 8;
  readonly blockSize: number;
  readonly elements: number;
  /** Root mean square of the differences as a share of that of the weights. */
  readonly error: number;
}

/** What is lost where weights are held in about their size in the file, and not without loss. */
export interface HeldNear {
  /** Of all kinds together, as `NearKind` says. */
  readonly error: number;
  readonly kinds: readonly NearKind[];
  /** Bytes in memory of all weights, held without loss. */
  readonly losslessBytes: number;
}

/** An opened model folder: configuration and tensor locations, weights unread. */
export interface Checkpoint {
  /** What the user asked for, e.g. `tiny`, `synthetic:qwen2-7b`, a path. */
  readonly name: string;
  /** Absolute path of the folder that holds the files. */
  readonly folder: string;
  readonly config: ModelConfig;
  /**
   * What the weights are held in: fp32, fp16, bf16, or int8, int4 with what differs from the usual (`int4:head=fp16`); `q4_k`: as most of a GGUF file is, without loss;
   * `compact (q4_k)`: as most of it is, but some or all in the nearest form that takes about as much as there (see `near`).
   */
  readonly dtype: string;
  /** Tensors by their Hugging Face name (`model.layers.0.self_attn.q_proj.weight`). */
  readonly tensors: ReadonlyMap<string, StoredTensor>;
  /** True when the weights are seeded random numbers: good for latency only. */
  readonly synthetic: boolean;
  /** What a model folder would hold beside the weights, where the checkpoint comes in another way (a GGUF file). */
  readonly described?: {
    /** config.json; throws where the model has what its family's config.json has no field for. */
    config(): Readonly<Record<string, unknown>>;
    /** tokenizer.json; throws as `tokenizer` does. */
    tokenizer(): object;
  };
  /** Where weights are held in the nearest form of about their size in the file: how near. */
  readonly near?: HeldNear;
  /** The checkpoint as its own files have it, where the weights are held otherwise; tensors null: what holds them without loss was not made. */
  readonly original?: Pick<Checkpoint, "dtype" | "hash"> & { readonly tensors: Checkpoint["tensors"] | null };
  /** Loads tokenizer.json once; throws a clear error where there is none. */
  tokenizer(): Promise<Tokenizer>;
  /** Loads the chat template once; throws a clear error where there is none. */
  chatTemplate(): Promise<ChatTemplate>;
  /** Hash over config and weights (hex), for results and cache keys. */
  hash(): Promise<string>;
}
