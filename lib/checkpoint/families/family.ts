import type { Fields } from "../fields.js";
import type { Family, ModelConfig, TensorView } from "../types.js";

/** What a family's config.json says beyond what all have in common. */
export type FamilyConfig = Omit<ModelConfig, "family" | "bosTokenId" | "eosTokenIds">;

/** Where a checkpoint of a family has a tensor. */
export interface TensorSource {
  /** Its own name there. */
  readonly name: string;
  /** Another name that it may have. */
  readonly also?: string;
  /** How the tensor comes of what is stored under that name; absent: as it is. */
  readonly view?: TensorView;
  /** Rows of what is stored that the view is of; absent: all. */
  readonly cut?: TensorView;
  /** Where it is in other files of the family. */
  readonly others?: readonly TensorSource[];
}

/** A family as a difference from llama. */
export interface FamilyDefinition {
  config(fields: Fields, family: Family): FamilyConfig;
  /** Of a tensor by llama's name; absent: under the same name. */
  source?(name: string, config: ModelConfig): TensorSource;
  /** What may stand before the names (checkpoints of a bare model lack it); default none. */
  readonly prefixes?: readonly string[];
  /** Tensors that say nothing: causal masks that older files hold. */
  readonly buffers?: RegExp;
}

/** What reads images, in a model whose text model is read here. */
export const readsImages = /^(model\.)?(vision_tower|visual|multi_modal_projector)\./;

/** What llama has, and a family may have otherwise. */
export const usual = {
  gatedMlp: true,
  activation: "silu",
  positions: "rotary",
  ropeTheta: 10000,
  ropeScaling: null,
  windowRope: null,
  ropelessLayers: [],
  ropeInterleaved: false,
  norm: "rms",
  normBias: false,
  normOffset: 0,
  inputNorms: true,
  outputNorms: false,
  parallel: null,
  residualScale: 1,
  tiedEmbeddings: false,
  embeddingScale: 1,
  embeddingNorm: false,
  attentionSoftcap: null,
  logitSoftcap: null,
  logitScale: 1,
  slidingWindow: null,
  fullLayers: [],
  qkvBias: false,
  outputBias: false,
  mlpBias: false,
  qkNorm: null,
  experts: null,
  clampedGate: null,
  attentionSinks: false,
} as const satisfies Partial<FamilyConfig>;

/** What the families before llama have: layer norms, a plain MLP, a bias everywhere. */
export const layerNormed = { ...usual, gatedMlp: false, norm: "layer", normBias: true, qkvBias: true, outputBias: true, mlpBias: true } as const satisfies Partial<FamilyConfig>;

/** Modules whose tensors some families keep in one, in that order. */
export const projections: readonly string[] = ["self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"];

/** Rows `from … to` of a matrix or vector. */
export const rows = (stored: readonly number[], from: number, to: number): TensorView => ({ stored, slice: { axis: 0, from, to } });

/** `model.layers.3.mlp.up_proj.weight` -> block 3, `mlp.up_proj`, `weight`; null for what is in no block. */
export function blockTensor(name: string): { layer: number; module: string; kind: string } | null {
  const match = /^model\.layers\.(\d+)\.(.+)\.(weight|bias)$/.exec(name);
  return match && { layer: Number(match[1]), module: match[2]!, kind: match[3]! };
}
