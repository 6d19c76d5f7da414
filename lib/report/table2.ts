import type { BenchmarkMode, DeviceRecord } from "../bench/record.js";
import { conditions } from "./conditions.js";
import { lengthLabel } from "./label.js";
import { noiseNotes } from "./noise.js";
import { type Published, published, type PublishedName } from "./published.js";
import { type Table2Input, table2Rows, type Table2Row } from "./rows.js";
import type { Column, Table } from "./table.js";

export type { Source, Table2Input, Table2Row } from "./rows.js";

/** `seed`: latencies, speedups, KV reduction. `paper`: TFLOPs and memory too, and what part of the ideal was reached. `device`: memory, energy, power, use and clocks of the device. */
export type ColumnSet = (typeof columnSets)[number];
export const columnSets = ["seed", "paper", "device"] as const;

export interface Table2Options extends Omit<Table2Input, "sources" | "counting"> {
  readonly sources?: Table2Input["sources"];
  readonly columns?: ColumnSet;
  /** Default `exact`; `paper`, as published figures are, where nothing measured is shown. */
  readonly counting?: Table2Input["counting"];
  /** Puts published speedups beside the measured ones, and adds the published lengths that were not measured. */
  readonly compare?: PublishedName;
}

/**
 * Table 2: latency of prefill, decode and both, speedups and KV reduction, by length and configuration.
 * Format it with `formats` of lib/report/formats.
 * @throws when the files do not belong in one table (see `table2Rows`)
 */
export function table2(options: Table2Options): Table<Table2Row> {
  const { mode, sources = [], columns = "seed", compare, lengths } = options;
  const others = compare && published[compare]();
  const measured = sources.length > 0 || options.baseline || !others ? table2Rows({ ...options, sources }) : { rows: [], warnings: [] };
  const known = new Set(measured.rows.map(({ length }) => length));
  const counting = options.counting ?? (measured.rows.length > 0 ? "exact" : "paper");
  const added = others?.rows.filter(({ length }) => !known.has(length) && (lengths?.includes(length) ?? true)) ?? [];
  const rows = [...measured.rows, ...added.map((row) => (counting === "paper" ? row : { ...row, ...withoutFlops }))].sort((a, b) => a.length - b.length);
  if (rows.length === 0) throw new Error(`lengths: ${lengths?.join(", ")} (neither measured nor published)`);
  return {
    title: mode === "end2end" ? "Prefill and end-to-end latency" : "Prefill latency",
    columns: [...(columns === "seed" ? seedColumns : columns === "device" ? deviceColumns : paperColumns(counting))[mode], ...(others && measured.rows.length > 0 ? besideColumns(others)[mode] : [])],
    rows,
    above: [...conditions(measured.rows), ...(columns === "device" ? devicesOf(measured.rows) : []), ...(others ? [`${others.label}: ${others.source}`] : [])],
    warnings: [...measured.warnings, ...(columns === "device" ? unread(measured.rows) : [])],
    notes: noiseNotes(rows.map(({ noise }) => (mode === "end2end" ? noise : { ...noise, endToEnd: false }))),
    facts: ({ config, kvBytes, noise, metadata }) => ({
      ...(noise.prefill && { prefill_speedup_within_noise: true }),
      ...(noise.endToEnd && { end2end_speedup_within_noise: true }),
      config,
      kv_bytes_after_prefill: kvBytes,
      model: metadata?.model ?? null,
      model_hash: metadata?.model_hash ?? null,
      synthetic_weights: metadata?.synthetic_weights ?? null,
      device: metadata?.device ?? null,
      dtype: metadata?.dtype ?? null,
      compute_dtype: metadata?.compute_dtype ?? null,
      kv_dtype: metadata ? (metadata.kv_dtype ?? "fp32") : null,
      threads: metadata?.threads ?? null,
      scorer: config === "baseline" ? null : (metadata?.scorer ?? null),
      kv_policy: config === "baseline" ? null : (metadata?.kv_policy ?? null),
      max_new_tokens: metadata?.max_new_tokens ?? null,
    }),
  };
}

/** Of published rows, beside FLOPs in another counting than theirs. */
const withoutFlops = { prefillFlops: null, endToEndFlops: null, idealPrefillSpeedup: null } satisfies Partial<Table2Row>;

type ByMode = Readonly<Record<BenchmarkMode, readonly Column<Table2Row>[]>>;

const seconds = (value: number) => value.toFixed(4);
const ratio = (value: number) => value.toFixed(2);
const percent = (share: number) => `${(100 * share).toFixed(2)}%`;
const tera = (flops: number) => (flops >= 1e13 ? (flops / 1e12).toFixed(2) : (flops / 1e12).toPrecision(3));
const giga = (bytes: number) => (bytes / 1e9).toFixed(2);
const threeDigits = (value: number) => (value >= 100 ? value.toFixed(0) : value.toPrecision(3));

const length: Column<Table2Row> = { key: "length", label: "Length", value: (row) => row.length, format: lengthLabel, width: 6 };
const method: Column<Table2Row> = { key: "method", label: "Method", value: (row) => row.method };
const prefill: Column<Table2Row> = { key: "prefill_seconds", label: "Prefill (s)", value: (row) => row.prefill, format: seconds };
const decode: Column<Table2Row> = { key: "decode_seconds", label: "Decode (s)", value: (row) => row.decode, format: seconds };
// The seed's table has one dash more here than the label asks for.
const total: Column<Table2Row> = { key: "total_seconds", label: "Total (s)", value: (row) => row.total, format: seconds, rule: 10 };
const prefillSpeedup: Column<Table2Row> = { key: "prefill_speedup", label: "Prefill Speedup (×)", value: (row) => row.prefillSpeedup, format: ratio, marked: ({ noise }) => noise.prefill };
const endToEndSpeedup: Column<Table2Row> = { key: "end2end_speedup", label: "End2End Speedup (×)", value: (row) => row.endToEndSpeedup, format: ratio, marked: ({ noise }) => noise.endToEnd };
const kvReduction: Column<Table2Row> = { key: "kv_reduction", label: "KV Reduction (%)", value: (row) => row.kvReduction, format: percent };

const seedColumns: ByMode = {
  end2end: [length, method, prefill, decode, total, prefillSpeedup, endToEndSpeedup, kvReduction],
  prefill: [length, method, prefill, prefillSpeedup, kvReduction],
};

const figure = (key: keyof DeviceRecord, label: string, format: (value: number) => string): Column<Table2Row> => ({ key, label, value: ({ device }) => (device?.[key] as number | null | undefined) ?? null, format });
const deviceFigures: readonly Column<Table2Row>[] = [
  figure("peak_device_memory_bytes", "Device Memory (GB)", giga),
  figure("energy_per_prompt_joules", "Energy/Prompt (J)", threeDigits),
  figure("energy_per_token_joules", "Energy/Token (J)", threeDigits),
  figure("power_watts", "Power (W)", (value) => value.toFixed(0)),
  figure("utilization_percent", "Utilisation (%)", (value) => value.toFixed(0)),
  figure("sm_clock_mhz", "SM Clock (MHz)", (value) => value.toFixed(0)),
  figure("memory_clock_mhz", "Memory Clock (MHz)", (value) => value.toFixed(0)),
];
const deviceColumns: ByMode = { end2end: [length, method, prefill, decode, ...deviceFigures], prefill: [length, method, prefill, ...deviceFigures] };

/** Which cards and drivers, and where the figures are from. */
function devicesOf(rows: readonly Table2Row[]): string[] {
  const said = rows.flatMap(({ device }) => {
    if (!device?.source) return [];
    const card = device.card ? `${device.card}${device.mig ? " (an instance of it, MIG)" : ""}, driver ${device.driver ?? "unknown"}` : "the processors, whoever used them";
    return [`Read by ${device.source}: ${card}.`];
  });
  const whose = rows.some(({ device }) => device?.peak_device_memory_of === "card") ? ["Device memory is by how much more of the card was in use: its processes could not be seen."] : [];
  return [...new Set(said), ...whose];
}

/** Why figures are missing, each reason once with the rows that have it. */
function unread(rows: readonly Table2Row[]): string[] {
  const reasons = new Map<string, string[]>();
  for (const { device, length, method, metadata } of rows) {
    if (!metadata) continue;
    for (const reason of device ? device.missing : ["the device was not read"]) reasons.set(reason, [...(reasons.get(reason) ?? []), `${lengthLabel(length)} ${method}`]);
  }
  return [...reasons].map(([reason, where]) => `${reason} (${where.join(", ")})`);
}

/** The paper's columns, the FLOPs-ideal speedup, and how much of the time that it would save was saved. */
function paperColumns(counting: string): ByMode {
  const prefillFlops: Column<Table2Row> = { key: "prefill_flops", label: `Prefill TFLOPs (${counting})`, value: (row) => row.prefillFlops, format: tera };
  const endToEndFlops: Column<Table2Row> = { key: "end2end_flops", label: `End2End TFLOPs (${counting})`, value: (row) => row.endToEndFlops, format: tera };
  const memory: Column<Table2Row> = { key: "peak_memory_bytes", label: "Memory (GB)", value: (row) => row.peakMemory, format: giga };
  const ideal: Column<Table2Row> = { key: "ideal_prefill_speedup", label: "Ideal Prefill Speedup (×)", value: (row) => row.idealPrefillSpeedup, format: ratio };
  const reached: Column<Table2Row> = { key: "ideal_saving_reached", label: "Ideal Saving Reached (%)", value: savingReached, format: percent };
  const endToEnd: Column<Table2Row> = { key: "total_seconds", label: "End2End (s)", value: (row) => row.total, format: seconds };
  return {
    end2end: [length, method, prefillFlops, endToEndFlops, prefill, endToEnd, prefillSpeedup, endToEndSpeedup, memory, ideal, reached, kvReduction],
    prefill: [length, method, prefillFlops, prefill, prefillSpeedup, memory, ideal, reached, kvReduction],
  };
}

/** Share of the baseline's prefill time that was saved, over the share of its FLOPs; null where none are saved. */
function savingReached({ prefillSpeedup, idealPrefillSpeedup }: Table2Row): number | null {
  if (prefillSpeedup === null || idealPrefillSpeedup === null || idealPrefillSpeedup <= 1) return null;
  return (1 - 1 / prefillSpeedup) / (1 - 1 / idealPrefillSpeedup);
}

function besideColumns({ label, beside }: Published): ByMode {
  const other = (row: Table2Row) => (row.metadata ? beside(row.config, row.length) : row);
  const prefill: Column<Table2Row> = { key: `${label.toLowerCase()}_prefill_speedup`, label: `${label} Prefill Speedup (×)`, value: (row) => other(row)?.prefillSpeedup ?? null, format: ratio };
  const endToEnd: Column<Table2Row> = { key: `${label.toLowerCase()}_end2end_speedup`, label: `${label} End2End Speedup (×)`, value: (row) => other(row)?.endToEndSpeedup ?? null, format: ratio };
  return { end2end: [prefill, endToEnd], prefill: [prefill] };
}
