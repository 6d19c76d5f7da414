import type { ArchitectureName } from "../checkpoint/gguf/architectures.js";
import type { Checkpoint, ModelConfig } from "../checkpoint/types.js";
import { inverseFrequencies } from "../decoder/rotary.js";
import type { GgufValue } from "./gguf-header.js";
import { tokenizerMetadata } from "./gguf-tokenizer.js";
import type { ExportDtype } from "./options.js";

const architectures: Readonly<Partial<Record<ModelConfig["family"], ArchitectureName>>> = { llama: "llama", mistral: "llama", qwen2: "qwen2", qwen3: "qwen3" };

/** llama.cpp's numbers for what most weights are held in. */
const fileTypes: Readonly<Record<ExportDtype, number>> = { fp32: 0, fp16: 1, q8_0: 7, bf16: 32 };

/** @throws on a family that llama.cpp has another graph for than the ones written here */
export async function ggufMetadata(checkpoint: Checkpoint, dtype: ExportDtype): Promise<{ metadata: Record<string, GgufValue>; architecture: ArchitectureName; notes: string[] }> {
  const { config } = checkpoint;
  const architecture = architectures[config.family];
  if (!architecture) throw new Error(`export: ${config.family} to GGUF (supported: ${Object.keys(architectures).join(", ")})`);
  if (architecture === "qwen2" && config.heads * config.headDim !== config.hiddenSize) {
    throw new Error(`export: qwen2 with ${config.heads} heads of ${config.headDim} to GGUF (llama.cpp takes heads that make up the hidden size, ${config.hiddenSize})`);
  }
  if (config.activation !== "silu") throw new Error(`export: ${config.family} with ${config.activation} to GGUF (llama.cpp takes SiLU for ${architecture})`);
  requireKnownRope(config);
  const of = (name: string) => `${architecture}.${name}`;
  const uint32 = (value: number) => ({ uint32: value });
  const notes: string[] = [];
  if (config.slidingWindow !== null && config.slidingWindow < config.maxPositions) {
    notes.push(`llama.cpp knows no sliding window for ${architecture}: beyond ${config.slidingWindow} tokens its attention reaches further back`);
  }
  const { metadata, notes: more } = await tokenizerMetadata(checkpoint);
  return {
    architecture,
    notes: [...notes, ...more],
    metadata: {
      "general.architecture": architecture,
      "general.name": checkpoint.name.replace(/.*[\\/]/, ""),
      "general.file_type": uint32(fileTypes[dtype]),
      "general.quantization_version": uint32(2),
      [of("block_count")]: uint32(config.layers),
      [of("context_length")]: uint32(unstretched(config)),
      [of("embedding_length")]: uint32(config.hiddenSize),
      [of("feed_forward_length")]: uint32(config.ffnSize),
      [of("attention.head_count")]: uint32(config.heads),
      [of("attention.head_count_kv")]: uint32(config.kvHeads),
      [of("attention.key_length")]: uint32(config.headDim),
      [of("attention.value_length")]: uint32(config.headDim),
      [of("attention.layer_norm_rms_epsilon")]: { float32: config.normEps },
      [of("rope.dimension_count")]: uint32(config.headDim),
      [of("rope.freq_base")]: { float32: config.ropeTheta },
      [of("vocab_size")]: uint32(config.vocabSize),
      ...(config.slidingWindow !== null && config.fullLayers.length === 0 && architecture === "llama" && { [of("attention.sliding_window")]: uint32(config.slidingWindow) }),
      ...(config.ropeScaling?.kind === "linear" && { [of("rope.scaling.type")]: "linear", [of("rope.scaling.factor")]: { float32: config.ropeScaling.factor } }),
      ...metadata,
    },
  };
}

/** @throws on rotary scaling that llama.cpp does not read for the family */
function requireKnownRope({ family, ropeScaling }: ModelConfig): void {
  if (ropeScaling === null || ropeScaling.kind === "linear") return;
  if (ropeScaling.kind !== "llama3" && ropeScaling.kind !== "factors") throw new Error(`export: rope_scaling ${ropeScaling.kind} to GGUF (supported: linear, llama3)`);
  if (architectures[family] !== "llama") throw new Error(`export: rope_scaling ${ropeScaling.kind} of ${family} to GGUF (supported: of llama)`);
}

/** Positions before linear scaling stretches them, as files state them. */
const unstretched = ({ maxPositions, ropeScaling }: ModelConfig): number => (ropeScaling?.kind === "linear" ? Math.round(maxPositions / ropeScaling.factor) : maxPositions);

/** What each rotary frequency is divided by, `[headDim / 2]`, where that is not the same for all. @throws where llama.cpp does not read it */
export function ropeFactors(config: ModelConfig): Float32Array | null {
  requireKnownRope(config);
  if (config.ropeScaling === null || config.ropeScaling.kind === "linear") return null;
  const frequencies = (scaling: ModelConfig["ropeScaling"]) => inverseFrequencies({ theta: config.ropeTheta, scaling }, config.rotaryDim);
  const [plain, scaled] = [frequencies(null), frequencies(config.ropeScaling)];
  return Float32Array.from(plain, (frequency, i) => frequency / scaled[i]!);
}
