import { writeSafetensors } from "../../checkpoint/safetensors.js";
import type { ModelConfig } from "../../checkpoint/types.js";
import { Random } from "../../random.js";

/**
 * Writes pruning modules of the real shape with random weights, `Linear(d, d/4) -> GELU -> Linear(d/4, 1)` after each
 * of `layers`: what they choose means nothing, what they cost is what trained ones cost.
 */
export async function writeRandomModules(file: string, { hiddenSize: d }: ModelConfig, layers: readonly number[]): Promise<void> {
  const inner = Math.floor(d / 4);
  const random = new Random(0);
  const tensors = layers.flatMap((layer) =>
    ([["0.weight", [inner, d]], ["0.bias", [inner]], ["2.weight", [1, inner]], ["2.bias", [1]]] as const).map(([name, shape]) => ({
      name: `${layer}.scorer.${name}`,
      dtype: "F32" as const,
      shape,
      data: Float32Array.from({ length: shape.reduce((a, b) => a * b, 1 as number) }, () => random.normal() / Math.sqrt(d)),
    })),
  );
  await writeSafetensors(file, tensors);
}
