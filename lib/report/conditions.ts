import type { Metadata } from "../bench/record.js";
import { byConfig, dtypeLabel } from "./label.js";

/** A row of any table, as far as its conditions go. */
export interface Conditioned {
  readonly config: string;
  /** Null where the row is a published one. */
  readonly metadata: Metadata | null;
}

/** What end-to-end stands for unless said otherwise. */
export const USUAL_NEW_TOKENS = 128;

/** Under what conditions rows were measured, in words: one line, and one more for synthetic weights. */
export function conditions(rows: readonly Conditioned[]): string[] {
  const pruned = rows.filter(({ config }) => config !== "baseline");
  const parts = [
    said(rows, "Model", ({ model }) => model),
    said(rows, "device", ({ device }) => device),
    said(rows, "dtype", dtypeLabel),
    // What is usual goes without saying.
    ...(rows.some(({ metadata }) => (metadata?.kv_dtype ?? "fp32") !== "fp32") ? [said(rows, "KV cache", ({ kv_dtype }) => kv_dtype ?? "fp32")] : []),
    said(rows, "threads", ({ threads }) => String(threads)),
    ...(rows.some(({ metadata }) => metadata?.benchmark_mode === "end2end" && (metadata.max_new_tokens ?? USUAL_NEW_TOKENS) !== USUAL_NEW_TOKENS) ? [said(rows, "new tokens", ({ max_new_tokens: count }) => String(count))] : []),
    said(pruned, "scorer", ({ scorer }) => scorer ?? "none"),
    said(pruned, "KV policy", ({ kv_policy }) => kv_policy),
  ].filter((part) => part !== "");
  const synthetic = rows.some(({ metadata }) => metadata?.synthetic_weights) ? ["Synthetic weights: latency only, what the model writes means nothing."] : [];
  return parts.length === 0 ? [] : [`${parts.join(", ")}.`, ...synthetic];
}

/** `scorer norm`, or where rows differ `scorer norm (keep09, keep08) and learned (sdtp)`. */
function said(rows: readonly Conditioned[], noun: string, value: (metadata: Metadata) => string): string {
  const configs = new Map<string, Set<string>>();
  for (const { config, metadata } of rows) {
    if (!metadata) continue;
    const found = value(metadata);
    configs.set(found, (configs.get(found) ?? new Set()).add(config));
  }
  if (configs.size <= 1) return [...configs.keys()].map((found) => `${noun} ${found}`).join("");
  const named = [...configs].map(([found, names]) => ({ found, names: [...names].sort(byConfig).join(", ") }));
  // Where all configurations have them all, the rows say themselves which is which.
  const alike = named.every(({ names }) => names === named[0]!.names);
  return `${noun} ${named.map(({ found, names }) => (alike ? found : `${found} (${names})`)).join(" and ")}`;
}
