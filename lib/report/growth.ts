import type { Growth, GrowthResult, Quantity } from "../bench/growth/growth.js";
import { lengthLabel, methodLabel } from "./label.js";
import type { Table } from "./table.js";

const names: Readonly<Record<Quantity, string>> = { prefill_seconds: "TTFT (prefill)", tpot_seconds: "TPOT (decode)", peak_memory_bytes: "peak memory", kv_bytes_after_prefill: "KV cache" };

/** A time in seconds or milliseconds, or bytes, as short as it is told apart. */
function shown(quantity: Quantity, value: number): string {
  if (quantity === "prefill_seconds") return `${value.toFixed(3)} s`;
  return quantity === "tpot_seconds" ? `${(1e3 * value).toFixed(2)} ms` : `${(value / 1e6).toFixed(1)} MB`;
}

/** Exponents of growth with length and depth, beside those of the operations. */
export function growthTable({ growth, lengths, depths, depth_length: depthLength, shape, threads, repeats, environment, rows }: GrowthResult): Table<Growth> {
  const loads = rows.flatMap(({ load }) => (load === null ? [] : [load]));
  const busy = Math.max(0, ...loads);
  return {
    title: "Growth",
    columns: [
      { key: "config", label: "Method", value: ({ config }) => methodLabel(config) },
      { key: "quantity", label: "Of", value: ({ quantity }) => names[quantity] },
      { key: "by", label: "With", value: ({ by }) => by },
      { key: "from", label: "From", value: ({ quantity, points }) => shown(quantity, points[0]![1]) },
      { key: "to", label: "To", value: ({ quantity, points }) => shown(quantity, points.at(-1)![1]) },
      { key: "exponent", label: "Exponent", value: ({ exponent }) => exponent, format: (value) => value.toFixed(2) },
      { key: "flops", label: "FLOPs' Exponent", value: ({ flops }) => flops, format: (value) => value.toFixed(2) },
      { key: "furthest", label: "Furthest Point (%)", value: ({ furthest }) => furthest, format: (value) => `${(100 * value).toFixed(0)}%` },
    ],
    rows: growth,
    above: [
      `Llama of d ${shape.hidden_size}, ${shape.num_attention_heads} heads, ${shape.num_key_value_heads} kv heads of ${shape.head_dim}; ${threads} threads, ${environment.cpu.cores} cores of ${environment.cpu.model}; medians of ${repeats} runs. Synthetic weights.`,
      `Length: ${lengths.map(lengthLabel).join(", ")} at ${depths[0]} blocks. Depth: ${depths.join(", ")} blocks at ${lengthLabel(depthLength)}. An exponent of 1: twice the size takes twice as much.`,
    ],
    warnings: busy > 0.5 ? [`up to ${busy.toFixed(1)} processors were busy with something else meanwhile`] : [],
    facts: () => ({}),
  };
}
