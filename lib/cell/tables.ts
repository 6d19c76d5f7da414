import { compare as compareResults, type ComparisonResult } from "../bench/compare.js";
import type { BenchmarkMode, Results } from "../bench/record.js";
import type { SweepRow } from "../bench/sweep/row.js";
import { comparisonTable } from "../report/compare.js";
import type { PublishedName } from "../report/published.js";
import { sweepTable as rowsTable } from "../report/sweep.js";
import { type ColumnSet, table2 as makeTable2, type Table2Row } from "../report/table2.js";
import { verification as lines } from "../report/verification.js";
import { shownTable, type ShownTable } from "../report/views/table.js";
import { escapeHtml } from "../escape-html.js";
import { shown, type Shown } from "../report/views/view.js";
import type { Counting } from "../methods/plan/flops.js";
import { type Measured, sources } from "./measured.js";

export interface TableOptions {
  /** Default: what was measured. */
  readonly mode?: BenchmarkMode;
  /** Lengths to show; all by default. */
  readonly lengths?: readonly number[];
  /** `seed` (default): latencies, speedups, KV reduction. `paper`: TFLOPs, memory and the ideal speedup too. */
  readonly columns?: ColumnSet;
  /** How the FLOPs are counted; default `exact`. */
  readonly counting?: Counting;
  /** Published speedups beside the measured ones: `paper` or `python`. */
  readonly compare?: PublishedName;
}

/**
 * Table 2: latency of prefill, decode and both, speedups and KV reduction, by prompt length and configuration; each speedup
 * against the baseline measured with it. Shows HTML, markdown or LaTeX, whichever the client draws;
 * `.markdown` and `.latex` are the texts.
 * @param measured rows of a sweep, a profile, or what `readResults` gave
 * @throws where the results do not belong in one table: several models, devices, dtypes or numbers of threads. Scorers and KV
 *   policies become rows of their own; `sweepTable` shows everything.
 * @example
 * sdtp.table2(rows)
 * sdtp.table2(rows, { columns: "paper", compare: "paper" }).latex
 */
export function table2(measured: Measured, options: TableOptions = {}): ShownTable<Table2Row> {
  const found = sources(measured);
  return shownTable(makeTable2({ ...options, mode: options.mode ?? modeOf(found.map(({ results }) => results)), sources: found }));
}

/** End to end where everything is. */
export function modeOf(results: readonly Results[]): BenchmarkMode {
  return results.every(({ metadata }) => metadata.benchmark_mode === "end2end") ? "end2end" : "prefill";
}

/**
 * All rows of a sweep as a table: what they differ in is a column, what they have in common is said above.
 * @example
 * sdtp.sweepTable(rows)
 */
export function sweepTable(rows: readonly SweepRow[]): ShownTable<SweepRow> {
  return shownTable(rowsTable(rows));
}

/**
 * Are two sets of results different beyond noise? Every latency that both have, by the Mann-Whitney test on the samples, at
 * 5 % false findings over all of them. `.comparisons` holds ratios, intervals and p values.
 * @throws when they are of different models or modes, or have nothing in common
 * @example
 * sdtp.compare(await sdtp.readResults("before"), await sdtp.readResults("after"))
 */
export function compare(a: Measured, b: Measured): Shown<ComparisonResult> {
  const found = compareResults(sources(a).map(({ results }) => results), sources(b).map(({ results }) => results));
  const table = shownTable(comparisonTable(found));
  return shown(found, { title: table.title, text: table.text, html: () => table.html });
}

/**
 * For every configuration and length, the lines that show whether pruning did what it should: latencies, speedups, KV lengths
 * read off the tensors.
 * @example
 * sdtp.verification(measured)
 */
export function verification(measured: Measured): Shown<{ readonly lines: readonly string[] }> {
  const found = sources(measured);
  const several = (config: string) => found.filter(({ results }) => results.metadata.config === config).length > 1;
  const results = new Map(found.map(({ file, results }) => [several(results.metadata.config) ? file : results.metadata.config, results]));
  const lengths = [...new Set([...results.values()].flatMap(({ results: entries }) => Object.keys(entries).map(Number)))].sort((a, b) => a - b);
  const text = lengths.flatMap((length) => lines(results, length));
  return shown({ lines: text }, { title: "Verification", text: text.join("\n"), html: () => `<pre>${escapeHtml(text.join("\n"))}</pre>` });
}

/**
 * Writes a table to a file, whole or not at all; the ending sets the format: .md, .csv, .jsonl, .html or .tex.
 * @example
 * await sdtp.writeTable("table2.tex", sdtp.table2(rows))
 */
export async function writeTable<Row>(file: string, table: ShownTable<Row>): Promise<void> {
  const [{ formatOf, formats }, { writeOutput }] = await Promise.all([import("../report/formats/index.js"), import("../files.js")]);
  await writeOutput(file, formats[formatOf(file)](table));
}
