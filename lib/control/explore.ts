import { compare, table2 } from "../cell/tables.js";
import { lengthLabel } from "../report/label.js";
import type { Table2Row } from "../report/table2.js";
import { htmlTable } from "../report/views/html.js";
import { textTable } from "../report/views/text.js";
import { escapeHtml } from "../escape-html.js";
import { control, type LiveControl } from "./control.js";
import { findRuns, type FoundRuns, type StoredRun } from "./runs.js";

const ALL = "all";
const NOTHING = "nothing";

interface Part {
  readonly html: string;
  readonly text: string;
}

export interface Chosen {
  /** A run to open, or `all`. */
  readonly run: string;
  /** A run to compare it with, or `nothing`. */
  readonly against: string;
  /** A model, or `all`. */
  readonly model: string;
  /** A prompt length in tokens, or `all`. */
  readonly length: number | string;
  /** Words that a run's line must hold, each of them. */
  readonly filter: string;
}

/**
 * What runs wrote into a folder and the folders in it (`sdtp profile`, `sdtp.writeResults`), to be filtered, opened and compared:
 * all runs as lines of a table; of one that is chosen, Table 2; of two, every latency that both have.
 * @param folder default `results`
 * @throws where the folder cannot be read or holds no results; outside of a notebook
 * @example
 * await sdtp.explore("results")
 */
export async function explore(folder = "results"): Promise<LiveControl> {
  const found = chooseable(await findRuns(folder));
  const lengths = [...new Set(found.runs.flatMap(({ rows }) => rows.map(({ length }) => length)))].sort((a, b) => a - b);
  const specs = {
    run: [ALL, ...found.runs.map(({ name }) => name)],
    against: [NOTHING, ...found.runs.map(({ name }) => name)],
    model: [...new Set([ALL, ...found.runs.flatMap(({ models }) => models)])],
    length: [ALL, ...lengths],
    filter: "",
  };
  return control(specs, (chosen) => {
    const parts = explored(folder, found, chosen as Chosen);
    return { [Symbol.for("Jupyter.display")]: () => ({ "text/html": parts.map(({ html }) => html).join("\n"), "text/plain": parts.map(({ text }) => text).join("\n\n") }) };
  }) as unknown as LiveControl;
}

/** A folder may be called as what stands for all, or for none. */
export function chooseable({ runs, ...found }: FoundRuns): FoundRuns {
  return { ...found, runs: runs.map((run) => ([ALL, NOTHING].includes(run.name) ? { ...run, name: `./${run.name}` } : run)) };
}

/** What is shown for a choice. @throws where two runs cannot be compared */
export function explored(folder: string, { runs, unreadable }: FoundRuns, chosen: Chosen): Part[] {
  const lengths = chosen.length === ALL ? undefined : [Number(chosen.length)];
  const named = (name: string) => runs.find((run) => run.name === name);
  const [run, against] = [named(chosen.run), named(chosen.against)];
  const broken = unreadable.map((text) => ({ html: `<p>${escapeHtml(text)}</p>`, text }));
  if (!run) return [overview(folder, runs, chosen), ...broken];
  const open = table2(run.sources, { mode: run.mode, ...(lengths && { lengths }) });
  if (!against) return [open];
  const compared = compare(against.sources, run.sources);
  return [open, { html: `<p>From ${escapeHtml(against.name)} to ${escapeHtml(run.name)}</p>${compared.html}`, text: `From ${against.name} to ${run.name}\n${compared.text}` }];
}

function overview(folder: string, runs: readonly StoredRun[], { model, length, filter }: Chosen): Part {
  const words = filter.toLowerCase().split(/\s+/).filter((word) => word !== "");
  const ratio = (value: number | null) => (value === null ? "-" : `${value.toFixed(2)}x`);
  const seconds = (value: number | null) => (value === null ? "-" : value.toFixed(4));
  const line = (run: StoredRun, row: Table2Row): (string | number)[] => [
    run.name, row.metadata?.model ?? "", row.metadata?.device ?? "", row.metadata?.dtype ?? "", row.method, lengthLabel(row.length),
    seconds(row.prefill), seconds(row.total), ratio(row.prefillSpeedup), ratio(row.endToEndSpeedup), row.kvReduction === null ? "-" : `${(100 * row.kvReduction).toFixed(2)}%`,
  ];
  const all = runs.flatMap((run) => run.rows.map((row) => ({ row, cells: line(run, row) })));
  const cells = all
    .filter(({ row }) => (model === ALL || row.metadata?.model === model) && (length === ALL || row.length === Number(length)))
    .map((each) => each.cells)
    .filter((each) => words.every((word) => each.join(" ").toLowerCase().includes(word)));
  const head = ["run", "model", "device", "dtype", "method", "length", "prefill (s)", "total (s)", "prefill speedup", "end-to-end speedup", "KV reduction"];
  const caption = `${folder}: ${cells.length} of ${all.length} measurements in ${runs.length} ${runs.length === 1 ? "run" : "runs"}`;
  return { html: htmlTable(caption, head, cells), text: textTable(caption, head, cells) };
}
