import type { GraphBuilder } from "../../onnx/builder.js";
import type { Value } from "../../onnx/graph.js";
import type { Scorer } from "../scorer.js";

/** Prime below 2³¹: products of two residues fit int64 exactly on every device. */
const MODULUS = 2147483647;

/**
 * Scores that depend on nothing but the seed, the stage and the position: uniform in [0, 1).
 * A hash in integer arithmetic, so that the same seed keeps the same tokens everywhere.
 */
export function random(seed = 0): Scorer {
  if (!Number.isSafeInteger(seed) || seed < 0) throw new Error(`seed: ${seed} (must be a non-negative integer)`);
  return { name: "random", key: `random:${seed}`, score: (g, { positions, stage }) => randomScores(g, positions, seed, stage) };
}

/** @param places int64, of any shape @param stage another stage, other scores */
export function randomScores(g: GraphBuilder, places: Value, seed: number, stage: number): Value {
  const mod = (x: Value) => g.sub(x, g.mul(g.div(x, MODULUS), MODULUS));
  const salt = ((seed % 1e6) * 7919 + stage * 104729 + 12345) % MODULUS;
  // Four rounds of x <- a x² + b x + c (mod p): a permutation polynomial would do, mixing is all that is needed.
  let x = mod(g.add(g.mul(g.add(places, 1), 16807), salt));
  for (let round = 1; round <= 4; round++) {
    const square = mod(g.mul(x, x));
    x = mod(g.add(g.add(square, g.mul(x, 48271 + round)), salt + round * 69621));
  }
  return g.cast(g.div(g.cast(x, "float64"), MODULUS), "float32");
}
