import { SCHEMA_VERSION, type Results } from "../bench/record.js";
import type { SweepRow } from "../bench/sweep/row.js";
import { USUAL_NEW_TOKENS } from "./conditions.js";
import { dtypeLabel, lengthLabel, methodLabel } from "./label.js";
import { noiseNotes, noiseOf, otherWarnings } from "./noise.js";
import type { Source } from "./rows.js";
import type { Column, Table, Value } from "./table.js";

const seconds = (value: number) => value.toFixed(4);
const ratio = (value: number) => value.toFixed(2);
const percent = (share: number) => `${(100 * share).toFixed(2)}%`;

/** What cells differ in: said once above the table where it is the same in all rows, a column where it is not. */
const conditions: readonly Column<SweepRow>[] = [
  { key: "model", label: "Model", value: (row) => row.model },
  { key: "device", label: "Device", value: (row) => row.device },
  { key: "dtype", label: "Dtype", value: dtypeLabel },
  { key: "kv_dtype", label: "KV Dtype", value: (row) => row.kv_dtype },
  { key: "threads", label: "Threads", value: (row) => row.threads },
  { key: "max_new_tokens", label: "New Tokens", value: ({ metadata }) => (metadata?.max_new_tokens === USUAL_NEW_TOKENS ? null : (metadata?.max_new_tokens ?? null)) },
  { key: "scorer", label: "Scorer", value: (row) => row.scorer },
  { key: "kv_policy", label: "KV Policy", value: (row) => (row.config === "baseline" ? null : row.kv_policy) },
];

/** Where rows were measured: a column only where it is not the same for all. */
const places: readonly Column<SweepRow>[] = [
  { key: "machine", label: "Machine", value: (row) => row.machine ?? null },
  { key: "placement", label: "On", value: (row) => row.placement ?? null },
];

const measures: readonly Column<SweepRow>[] = [
  { key: "length", label: "Length", value: (row) => row.length, format: lengthLabel, width: 6 },
  { key: "method", label: "Method", value: (row) => methodLabel(row.config) },
  { key: "prefill_seconds", label: "Prefill (s)", value: (row) => row.prefill_seconds, format: seconds },
  { key: "decode_seconds", label: "Decode (s)", value: (row) => row.decode_seconds, format: seconds },
  { key: "total_seconds", label: "Total (s)", value: (row) => row.total_seconds, format: seconds },
  { key: "prefill_speedup", label: "Prefill Speedup (×)", value: (row) => row.prefill_speedup, format: ratio, marked: ({ warnings }) => noiseOf(warnings).prefill },
  { key: "end2end_speedup", label: "End2End Speedup (×)", value: (row) => row.end2end_speedup, format: ratio, marked: ({ warnings }) => noiseOf(warnings).endToEnd },
  { key: "kv_reduction", label: "KV Reduction (%)", value: (row) => row.kv_reduction, format: percent },
];

const failure: Column<SweepRow> = { key: "error", label: "Error", value: (row) => row.error };

/** Rows of a sweep as a table; formats for programs get every flat field of a row. */
export function sweepTable(rows: readonly SweepRow[]): Table<SweepRow> {
  const varied = [...conditions, ...places].filter((column) => values(rows, column).size > 1);
  const machines = [...values(rows, places[0]!)];
  const apart = machines.length > 1 ? [`measured on ${machines.length} machines (${machines.join(", ")}): each speedup is of runs on one machine; seconds of rows of different machines are not to be compared`] : [];
  const said = conditions.filter((column) => values(rows, column).size === 1).map((column) => `${column.label.toLowerCase().replace("kv", "KV")} ${[...values(rows, column)][0]}`);
  const synthetic = rows.some(({ synthetic_weights }) => synthetic_weights) ? ["Synthetic weights: latency only, what the model writes means nothing."] : [];
  return {
    title: "Sweep",
    columns: [...varied, ...measures, ...(rows.some(({ error }) => error !== null) ? [failure] : [])],
    rows,
    above: [...(said.length > 0 ? [`${said.join(", ").replace(/^./, (first) => first.toUpperCase())}.`] : []), ...synthetic],
    warnings: [...apart, ...rows.flatMap((row) => (otherWarnings(row.warnings).length > 0 ? [`${[...varied.map(({ value }) => value(row)), lengthLabel(row.length), methodLabel(row.config)].filter((part) => part !== null).join(", ")}: ${otherWarnings(row.warnings).join("; ")}`] : []))],
    notes: noiseNotes(rows.map(({ warnings }) => noiseOf(warnings))),
    facts: flat,
  };
}

function values(rows: readonly SweepRow[], { value }: Column<SweepRow>): Set<Value> {
  return new Set(rows.map(value).filter((found) => found !== null));
}

/** A row without its samples and metadata: plain values for data frames and files. */
export function flat(row: SweepRow): Record<string, Value> {
  const { entry: _, metadata: __, warnings, ...values } = row;
  return { ...values, warnings: warnings.join("; ") || null };
}

/**
 * Rows as results files' contents, for `table2` and the charts: one for each configuration under the same conditions
 * but length, named by it and what varies: `keep07, norm, int8`. Rows with errors are left out.
 */
export function sourcesOf(rows: readonly SweepRow[]): Source[] {
  // What other machines measured is another line in a chart, and says so in a table.
  const varied = [...conditions, places[0]!].filter((column) => values(rows, column).size > 1);
  const results = new Map<string, Results>();
  for (const row of rows) {
    if (!row.entry || !row.metadata) continue;
    const name = [row.config, ...varied.map(({ value }) => value(row))].filter((part) => part !== null).join(", ");
    const known = results.get(name) ?? ({ schema_version: SCHEMA_VERSION, metadata: row.metadata, results: {} } as Results);
    if (known.results[row.length]) {
      // A baseline is measured again with each scorer and policy, and a table shows one.
      if (row.config === "baseline") continue;
      throw new Error(`rows: ${name} at ${row.length} (is there twice)`);
    }
    known.results[row.length] = row.entry as never;
    results.set(name, known);
  }
  return [...results].map(([file, result]) => ({ file, results: result }));
}
