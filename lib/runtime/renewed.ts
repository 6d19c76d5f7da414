import type { ModelConfig } from "../checkpoint/types.js";
import { defineScorer, type Scorer } from "../methods/scorer.js";

/**
 * The position from which on a sequence is turned by other rotary frequencies, so that what a cache holds of the tokens before must be computed
 * anew; null: none. As transformers' `generate` does: for phi3 with longrope alone. With other families, and with dynamic scaling, cached keys stay
 * as they were turned.
 */
export function renewedFrom({ family, ropeScaling }: Pick<ModelConfig, "family" | "ropeScaling">): number | null {
  return family === "phi3" && ropeScaling?.kind === "longrope" ? ropeScaling.originalMaxPositions : null;
}

/** A scorer that keeps given positions of a prompt of `n` tokens. @param kept at each stage */
export function givenPositions(kept: readonly Int32Array[], n: number): Scorer {
  const tables = kept.map((positions) => {
    const table = new Float32Array(n);
    for (const position of positions) table[position] = 1;
    return table;
  });
  return defineScorer("given", (g, { positions, stage }) => g.gather(g.constant("float32", tables[stage]!), positions));
}
