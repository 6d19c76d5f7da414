import { OPERATOR_TOLERANCE } from "../../runtime/devices/operators.js";
import type { Verdict } from "../../runtime/devices/verdict.js";
import { median } from "../statistics.js";
import { methodIsWrong } from "./methods.js";
import { type Part, partsOf } from "./parts.js";
import type { RowRecord } from "./rows.js";
import type { GpuSettings } from "./settings.js";
import type { PartRecord } from "./store.js";
import type { BandwidthResult, EnergyResult, MethodResult, OperatorsResult } from "./tasks.js";

/** What a GPU must show. */
export interface Demand {
  readonly what: string;
  readonly target: string;
  readonly state: "pass" | "fail" | "not measured";
  /** What was found, or why nothing was. */
  readonly found: string;
}

/** Share of the speedup that the saved operations allow, to be reached at lengths from this one on. */
const [REACHED, FROM] = [0.85, 16 * 1024];
/** A decode step, over one read of the weights and the cache. */
const READS = 1.5;
/** Of the bytes by which the cache is smaller, the device's memory must be smaller by this share. */
const SAVED = 0.9;

/** What was measured held against what a GPU must show, each figure or why there is none. */
export function verdictOf(settings: GpuSettings, parts: ReadonlyMap<string, PartRecord>): Demand[] {
  const all = partsOf(settings);
  const { models, ours, near, far, tiny } = settings;
  const lengths = [...near, ...far].sort((a, b) => a - b);
  return [
    computesRightly(parts),
    everyOperator(parts),
    everyMethod(parts),
    ...models.flatMap(({ label }) => ours.map((config) => speedup(all, parts, label, config, lengths))),
    ...models.map(({ label }) => saysNothing(tiny, decodeReads(all, parts, label))),
    ...models.map(({ label }) => memorySaved(all, parts, label, Math.max(...lengths))),
    ...models.flatMap(({ label }) => energySaved(all, parts, label).map((demand) => saysNothing(tiny, demand))),
  ];
}

/** Of a shape so small, times are those of starting operators. */
const saysNothing = (tiny: boolean, demand: Demand): Demand => (tiny && demand.state !== "not measured" ? { ...demand, state: "not measured", found: `the shape is too small to say: ${demand.found}` } : demand);

const rowOf = (all: readonly Part[], parts: ReadonlyMap<string, PartRecord>, kind: Part["kind"], label: string, config: string, length: number) => {
  const part = all.find((each) => each.kind === kind && "config" in each && each.model.label === label && each.config === config && each.length === length);
  return part ? { row: parts.get(part.id)?.result as RowRecord | null | undefined, error: parts.get(part.id)?.error ?? null } : { row: undefined, error: null };
};

function computesRightly(parts: ReadonlyMap<string, PartRecord>): Demand {
  const what = "the device computes what the CPU does";
  const target = "logits, keys and values within 1e-3, the same tokens kept";
  const part = parts.get("check-device");
  const verdict = part?.result as Verdict | null | undefined;
  if (!verdict) return { what, target, state: part?.error ? "fail" : "not measured", found: part?.error ?? "not reached" };
  if (!verdict.ok) return { what, target, state: "fail", found: verdict.reason };
  const { prefillLogits, decodeLogits, cache } = verdict.differences;
  const rejected = verdict.rejected.length > 0 ? `; rejected: ${verdict.rejected.join("; ")}` : "";
  return { what, target, state: "pass", found: `logits within ${prefillLogits.toExponential(1)} (prefill) and ${decodeLogits.toExponential(1)} (decode), cache within ${cache.toExponential(1)}; attention ${verdict.attention.prefill} in prefill, ${verdict.attention.decode} in decode; 16-bit numbers: ${verdict.noFloat16 ?? "yes"}${rejected}` };
}

function everyOperator(parts: ReadonlyMap<string, PartRecord>): Demand {
  const [what, target] = ["every operator computes what the CPU's does", `within ${OPERATOR_TOLERANCE.float32.toExponential(0)} of its largest number, ${OPERATOR_TOLERANCE.float16.toExponential(0)} in float16`];
  const part = parts.get("check-operators");
  const result = part?.result as OperatorsResult | null | undefined;
  if (!result) return { what, target, state: part?.error ? "fail" : "not measured", found: part?.error ?? "not reached" };
  const nodes = result.operators.reduce((sum, operator) => sum + operator.nodes, 0);
  const worst = [...result.operators].sort((a, b) => b.worst - a.worst)[0];
  const found = result.wrong.length > 0 ? result.wrong.join("; ") : `${result.operators.length} operators in ${nodes} nodes${worst ? `, the furthest ${worst.operator} by ${worst.worst.toExponential(1)}` : ""}`;
  return { what, target, state: result.wrong.length > 0 || nodes === 0 ? "fail" : "pass", found };
}

function everyMethod(parts: ReadonlyMap<string, PartRecord>): Demand {
  const [what, target] = ["pruned prompts, decoding and caches of every method", "at least 99 % of the kept tokens the CPU's, logits within 2 % of the largest"];
  const part = parts.get("check-methods");
  const results = part?.result as readonly MethodResult[] | null | undefined;
  if (!results) return { what, target, state: part?.error ? "fail" : "not measured", found: part?.error ?? "not reached" };
  const said = results.map(({ config, kept, logits, error }) => `${config} ${error ?? `${(100 * kept).toFixed(1)} %${logits === null ? "" : `, ${logits.toExponential(1)}`}`}`);
  return { what, target, state: results.some(methodIsWrong) ? "fail" : "pass", found: said.join("; ") };
}

function speedup(all: readonly Part[], parts: ReadonlyMap<string, PartRecord>, label: string, config: string, lengths: readonly number[]): Demand {
  const what = `${label}: prefill speedup of ${config}`;
  const target = `at least ${100 * REACHED} % of the ideal by operations, from ${FROM} tokens on`;
  const shares = lengths.filter((length) => length >= FROM).flatMap((length) => {
    const [baseline, row] = [rowOf(all, parts, "row", label, "baseline", length).row, rowOf(all, parts, "row", label, config, length).row];
    if (!baseline || !row) return [];
    const [before, after] = [baseline.measurement, row.measurement];
    const ideal = before.flops!.exact!.prefill / after.flops!.exact!.prefill;
    const reached = before.prefill_latency_seconds / after.prefill_latency_seconds;
    return [{ length, ideal, reached }];
  });
  if (shares.length === 0) return { what, target, state: "not measured", found: whyNone(all, parts, label, config, lengths.filter((length) => length >= FROM)) };
  const found = shares.map(({ length, ideal, reached }) => `${length}: ${reached.toFixed(2)} of ${ideal.toFixed(2)} (${((100 * reached) / ideal).toFixed(0)} %)`).join("; ");
  return { what, target, state: shares.every(({ ideal, reached }) => reached >= REACHED * ideal) ? "pass" : "fail", found };
}

function whyNone(all: readonly Part[], parts: ReadonlyMap<string, PartRecord>, label: string, config: string, lengths: readonly number[]): string {
  if (lengths.length === 0) return `no length of ${FROM} or more is measured`;
  const errors = lengths.flatMap((length) => ["baseline", config].flatMap((each) => rowOf(all, parts, "row", label, each, length).error ?? []));
  return errors[0] ?? "not reached";
}

function decodeReads(all: readonly Part[], parts: ReadonlyMap<string, PartRecord>, label: string): Demand {
  const what = `${label}: a decode step`;
  const target = `within ${READS} times one read of weights and cache`;
  const bandwidth = (parts.get("bandwidth")?.result as BandwidthResult | null | undefined)?.bytes_per_second;
  const depths = all.flatMap((part) => (part.kind === "depth" && part.model.label === label ? [{ length: part.length, record: parts.get(part.id) }] : []));
  const measured = depths.flatMap(({ length, record }) => {
    const row = record?.result as RowRecord | null | undefined;
    return row ? [{ length, row }] : [];
  });
  if (!bandwidth || measured.length === 0) return { what, target, state: "not measured", found: parts.get("bandwidth")?.error ?? depths.find(({ record }) => record?.error)?.record?.error ?? "not reached" };
  const ratios = measured.map(({ length, row: { measurement, weight_bytes: weights } }) => {
    // Between the first step and the last the cache grows: taken at the middle.
    const bytes = weights + (measurement.kv_bytes_after_prefill! + measurement.kv_bytes_final!) / 2;
    const seconds = median(measurement.samples!.per_token_seconds!.flat());
    return { length, seconds, ratio: seconds / (bytes / bandwidth) };
  });
  const found = `${ratios.map(({ length, seconds, ratio }) => `${length}: ${(1e3 * seconds).toFixed(2)} ms, ${ratio.toFixed(2)} x`).join("; ")}; ${(bandwidth / 1e9).toFixed(1)} GB/s`;
  return { what, target, state: ratios.every(({ ratio }) => ratio <= READS) ? "pass" : "fail", found };
}

function memorySaved(all: readonly Part[], parts: ReadonlyMap<string, PartRecord>, label: string, length: number): Demand {
  const what = `${label}: the device's memory with sdtp at ${length} tokens`;
  const target = `below the baseline's by the cache's share (at least ${100 * SAVED} % of the bytes by which the cache is smaller)`;
  const [before, after] = (["baseline", "sdtp"] as const).map((config) => rowOf(all, parts, "memory", label, config, length)) as [ReturnType<typeof rowOf>, ReturnType<typeof rowOf>];
  if (!before.row || !after.row) return { what, target, state: "not measured", found: before.error ?? after.error ?? "not reached" };
  const peak = ({ measurement }: RowRecord) => measurement.device?.peak_device_memory_bytes ?? null;
  const [most, least] = [peak(before.row), peak(after.row)];
  if (most === null || least === null) return { what, target, state: "not measured", found: [...new Set([before.row, after.row].flatMap(({ measurement }) => measurement.device?.missing ?? ["the device's memory cannot be read here"]))].join("; ") || "the device does not say its memory" };
  const cache = before.row.measurement.kv_bytes_after_prefill! - after.row.measurement.kv_bytes_after_prefill!;
  const giga = (bytes: number) => `${(bytes / 1e9).toFixed(2)} GB`;
  return { what, target, state: most - least >= SAVED * cache ? "pass" : "fail", found: `${giga(most)} to ${giga(least)}, ${giga(most - least)} less; the cache is smaller by ${giga(cache)}` };
}

/** Not demanded by itself: what there is to say. */
function energySaved(all: readonly Part[], parts: ReadonlyMap<string, PartRecord>, label: string): Demand[] {
  const each = all.flatMap((part) => (part.kind === "energy" && part.model.label === label ? [{ part, record: parts.get(part.id) }] : []));
  const what = `${label}: energy of a prompt`;
  const target = "below the baseline's";
  const joules = each.map(({ part, record }) => ({ config: part.config, length: part.length, result: record?.result as EnergyResult | null | undefined, error: record?.error ?? null }));
  const read = joules.filter(({ result }) => result && result.reading.energy_per_prompt_joules !== null);
  const baseline = read.find(({ config }) => config === "baseline")?.result?.reading.energy_per_prompt_joules;
  const others = read.filter(({ config }) => config !== "baseline");
  if (baseline == null || others.length === 0) {
    const why = joules.find(({ error }) => error)?.error ?? joules.find(({ result }) => result)?.result?.reading.missing.join("; ") ?? "not reached";
    return [{ what, target, state: "not measured", found: why || "the device does not say its energy" }];
  }
  const found = read.map(({ config, result }) => `${config} ${result!.reading.energy_per_prompt_joules!.toFixed(1)} J a prompt, ${result!.reading.energy_per_token_joules?.toFixed(3) ?? "-"} J a token`).join("; ");
  return [{ what: `${what} of ${read[0]!.length} tokens`, target, state: others.every(({ result }) => result!.reading.energy_per_prompt_joules! < baseline) ? "pass" : "fail", found }];
}
