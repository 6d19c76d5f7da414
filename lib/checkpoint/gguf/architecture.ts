import type { ModelConfig } from "../types.js";
import type { GgufTensor } from "./header.js";
import type { Metadata } from "./metadata.js";

/** What a config.json says. */
export type RawConfig = Record<string, unknown>;
export type Tensors = ReadonlyMap<string, GgufTensor>;

export interface Architecture {
  /** The fields of a config.json of the same model, beyond those that all have in common (see `common`). */
  config(metadata: Metadata, tensors: Tensors): RawConfig & { readonly model_type: string };
  /** What the file has otherwise than a Hugging Face folder would. */
  readonly changes?: Partial<ModelConfig>;
  /** Modules of a block (and norms outside) by llama's name, where the file has another name than usual. */
  readonly names?: Readonly<Record<string, string>>;
  /** Modules that the file keeps one below the other in one matrix. */
  readonly fused?: Readonly<Record<string, readonly string[]>>;
  /** llama.cpp turns neighbours in each head: rows of queries and keys lie so that the two halves of a head alternate. */
  readonly interleaved?: boolean;
}
