import type { Dim, Value } from "../graph.js";
import { float, int } from "./attributes.js";
import { Experts } from "./experts.js";

/** Which elements of a head a rotary embedding turns with which. */
export interface RotaryLayout {
  /** 2i with 2i + 1; default: i with i + r / 2 ("rotate half"), r being the number of elements that are turned. */
  readonly interleaved?: boolean;
  /** Only the first `turned` elements of each of the `heads`; default: all. */
  readonly partial?: { readonly heads: number; readonly turned: number } | null;
}

/** A score that no other one leaves any weight. */
const NO_WEIGHT = -1e30;

/** Softmax, norms, rotary positions and attention. */
export class Attention extends Experts {
  softmax(x: Value, axis = -1): Value {
    return this.node("Softmax", [x], [{ dtype: x.dtype, shape: x.shape }], { axis: int(axis) })[0]!;
  }

  logSoftmax(x: Value, axis = -1): Value {
    return this.node("LogSoftmax", [x], [{ dtype: x.dtype, shape: x.shape }], { axis: int(axis) })[0]!;
  }

  /** RMS norm over the last axis: `x / sqrt(mean(x²) + eps) * weight`. */
  rmsNorm(x: Value, weight: Value, eps: number): Value {
    const inverse = [...x.shape.slice(0, -1), 1];
    return this.node("SimplifiedLayerNormalization", [x, weight],
      [{ dtype: x.dtype, shape: x.shape }, { dtype: "float32", shape: inverse }],
      { axis: int(-1), epsilon: float(eps), stash_type: int(1) })[0]!;
  }

  /** Layer norm over the last axis: `(x - mean) / sqrt(variance + eps) * weight (+ bias)`. */
  layerNorm(x: Value, weight: Value, bias: Value | null, eps: number): Value {
    const statistics = { dtype: "float32" as const, shape: [...x.shape.slice(0, -1), 1] };
    return this.node("LayerNormalization", bias ? [x, weight, bias] : [x, weight], [{ dtype: x.dtype, shape: x.shape }, statistics, statistics],
      { axis: int(-1), epsilon: float(eps), stash_type: int(1) })[0]!;
  }

  /**
   * Rotary position embedding of `x` `[b, n, heads * headDim]`.
   * @param cos, sin `[n, r / 2]`: row t belongs to token t, or, with positions, to that position
   * @param positions `[b, n]` int64
   */
  rotary(x: Value, cos: Value, sin: Value, { interleaved = false, partial = null }: RotaryLayout = {}, positions: Value | null = null): Value {
    return this.node("RotaryEmbedding", [x, positions ?? this.scalarVector(0), cos, sin], [{ dtype: x.dtype, shape: x.shape }],
      { interleaved: int(Number(interleaved)), ...(partial && { num_heads: int(partial.heads), rotary_embedding_dim: int(partial.turned) }) }, "com.microsoft")[0]!;
  }

  /**
   * Causal grouped-query attention without materialising the scores, over a whole prompt or, with `past` keys and values
   * `[1, kvHeads, p, headDim]`, over n further tokens.
   * `q` `[1, n, heads * headDim]`, `k`, `v` `[1, n, kvHeads * headDim]` -> output `[1, n, heads * headDim]`,
   * present keys and values `[1, kvHeads, p + n, headDim]`; `present` names that length.
   * On a CPU the keys are taken in tiles with a running softmax, or, with `tiled` false, all scores of the n tokens are held at a time: faster for few queries.
   * `lengths`, int32 of one element: tokens with the new ones, and one less, where `past` has room for more than it holds; what is returned is then as large as `past`.
   * `sinks` `[heads]`: a score that every query's softmax has besides, with no value (gpt_oss); never in tiles.
   */
  groupQueryAttention(
    q: Value,
    k: Value,
    v: Value,
    { heads, kvHeads, headDim, scale, softcap = null, window = null, past = null, present, lengths = null, tiled = true, sinks = null }: {
      sinks?: Value | null; heads: number; kvHeads: number; headDim: number; scale: number; softcap?: number | null; window?: number | null; past?: { key: Value; value: Value } | null; present?: Dim; lengths?: { readonly total: Value; readonly last: Value } | null; tiled?: boolean;
    },
  ): [Value, Value, Value] {
    const n = q.shape[1]!;
    const empty = past ? null : this.emptyCache(kvHeads, headDim, q.dtype === "float16" ? "float16" : "float32");
    const { total, last } = lengths ?? this.totals(past ? this.add(this.dim(n), this.dim(past.key.shape[2]!)) : this.dim(n));
    const cache = { dtype: q.dtype, shape: [1, kvHeads, present ?? (past ? `${past.key.shape[2]}+${n}` : n), headDim] };
    // ONNX Runtime takes no tiles where there are attention sinks: such of no weight change nothing else.
    const sink = sinks ?? (tiled ? null : this.constant("float32", new Float32Array(heads).fill(NO_WEIGHT)));
    const outputs = this.node("GroupQueryAttention", [q, k, v, past?.key ?? empty, past?.value ?? empty, last, lengths ? total : this.squeeze(total, [0]), ...(sink ? [null, null, null, null, this.cast(sink, q.dtype)] : [])],
      [{ dtype: q.dtype, shape: q.shape }, cache, cache],
      { num_heads: int(heads), kv_num_heads: int(kvHeads), scale: float(scale), do_rotary: int(0), softcap: float(softcap ?? 0), local_window_size: int(window ?? -1) }, "com.microsoft");
    return [outputs[0]!, outputs[1]!, outputs[2]!];
  }

  private totals(tokens: Value): { total: Value; last: Value } {
    const total = this.cast(tokens, "int32");
    return { total, last: this.sub(total, 1) };
  }

  private emptyCache(kvHeads: number, headDim: number, dtype: "float32" | "float16"): Value {
    return this.inline("empty_cache", dtype, [1, kvHeads, 0, headDim], new Uint8Array(0));
  }
}
