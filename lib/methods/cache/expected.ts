import { rotaryLayout } from "../../decoder/positions.js";
import type { GraphBuilder } from "../../onnx/builder.js";
import type { Value } from "../../onnx/graph.js";
import type { CacheScoring } from "./budget.js";
import type { CacheScorer, CacheScorerInput } from "./scorer.js";

/**
 * What queries to come are expected to pay (ExpectedAttention, github.com/NVIDIA/kvpress): they are taken to be distributed as the prompt's are before rotary
 * embedding, mean m and covariance C, and to be turned by R, the mean rotation over the positions to come. For a key k the expectation of
 * exp(s q·k) is then exp(s m·k' + s² k'·Ck' / 2) with k' = Rᵀk, of which the softmax over tokens is taken, averaged over the queries that share the key,
 * times the norm of the token's value.
 */
export function expectedAttention({ sinks }: Extract<CacheScoring, { kind: "expected attention" }>): CacheScorer {
  return {
    score(g, input) {
      const { unturned, values, positions, config } = input;
      const { heads, kvHeads, headDim, attentionScale: scale } = config;
      const [n, group] = [positions.shape[0]!, heads / kvHeads];
      const later = `${n}-${sinks}`;
      const after = (x: Value, axis: number) => g.slice(x, axis, sinks, Number.MAX_SAFE_INTEGER, later);
      // [heads, n', headDim], its mean over tokens and their covariance.
      const queries = g.reshape(g.transpose(g.reshape(after(unturned, 1), [1, later, heads, headDim]), [0, 2, 1, 3]), [heads, later, headDim]);
      const mean = g.reduceMean(queries, [1], true);
      const centred = g.sub(queries, mean);
      const count = g.cast(g.dim(later), "float32");
      const covariance = g.reshape(g.div(g.matmul(g.transpose(centred, [0, 2, 1]), centred), count), [kvHeads, group, headDim, headDim]);
      const keys = g.reshape(after(turnedBack(g, input), 2), [kvHeads, 1, later, headDim]);
      const first = g.reshape(g.matmul(g.reshape(mean, [kvHeads, group, 1, headDim]), g.transpose(keys, [0, 1, 3, 2])), [kvHeads, group, later]);
      const second = g.reduceSum(g.mul(g.matmul(keys, covariance), keys), [3]);
      const exponent = g.add(g.mul(first, scale), g.mul(second, 0.5 * scale * scale));
      const expected = g.mul(g.reduceMean(g.softmax(exponent), [1]), g.reshape(g.reduceL2(after(values, 2), [3]), [kvHeads, later]));
      // The sinks are forced: what they score does not matter.
      const zeros = g.constant("float32", new Float32Array(kvHeads * sinks), [kvHeads, sinks]);
      return sinks === 0 ? g.reshape(expected, [kvHeads, n]) : g.reshape(g.concat([zeros, expected], 1, `${later}+${sinks}`), [kvHeads, n]);
    },
  };
}

/** Keys turned by the transpose of the mean rotation to come: `[1, kvHeads, n, headDim]`. */
function turnedBack(g: GraphBuilder, { keys, positions, config, future }: CacheScorerInput): Value {
  const rotary = future();
  if (!rotary) return keys;
  const { kvHeads, headDim } = config;
  const n = positions.shape[0]!;
  const half = rotary.cos.shape[1] as number;
  const flat = g.reshape(g.transpose(keys, [0, 2, 1, 3]), [1, n, kvHeads * headDim]);
  const every = (x: Value) => g.expand(x, [n, half]);
  const turned = g.rotary(flat, every(rotary.cos), every(g.neg(rotary.sin)), rotaryLayout(config, kvHeads));
  return g.transpose(g.reshape(turned, [1, n, kvHeads, headDim]), [0, 2, 1, 3]);
}
