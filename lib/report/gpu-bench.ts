import { join } from "node:path";
import { partsOf } from "../bench/gpu/parts.js";
import { APART, resultsOf } from "../bench/gpu/rows.js";
import type { PartRecord, RunRecord } from "../bench/gpu/store.js";
import { verdictOf, type Demand } from "../bench/gpu/verdict.js";
import { resultsFileName, writeResults } from "../bench/results.js";
import { writeOutput } from "../files.js";
import { formatJson } from "../format-json.js";
import { toMarkdown } from "./formats/index.js";
import type { Table } from "./table.js";
import { table2, type ColumnSet } from "./table2.js";

/** Writes what is done so far: `report.md`, `verdict.json`, and for each model a folder of results files that `sdtp report-table2` reads. @returns the report */
export async function writeGpuReport(folder: string, run: RunRecord, parts: ReadonlyMap<string, PartRecord>): Promise<string> {
  const { settings } = run;
  const all = partsOf(settings);
  const sections: string[] = [];
  for (const { label } of settings.models) {
    const results = resultsOf(all, parts, label);
    for (const [config, file] of results) await writeResults(join(folder, label, resultsFileName("end2end", config)), file);
    if (results.size === 0) continue;
    const sources = [...results].filter(([, { results: entries }]) => Object.keys(entries).length > 0).map(([config, file]) => ({ file: join(label, resultsFileName("end2end", config)), results: file }));
    // The paper measured Mistral-7B; beside a shape to try things with its figures would mislead.
    const compare = label === "mistral-7b" ? { compare: "paper" as const } : {};
    const shown = (columns: ColumnSet) => toMarkdown(withoutRepeats(table2({ mode: "end2end", sources, columns, ...(columns === "device" ? {} : compare) })));
    const read = sources.some(({ results: { results: entries } }) => Object.values(entries).some(({ baseline, ...entry }) => baseline.device ?? ("sdtp" in entry ? entry.sdtp.device : undefined)));
    if (sources.length > 0) sections.push(`## ${label}\n\nRows of a method were ${APART}.\n\n${shown("paper")}${read ? `\n${shown("device")}` : ""}`);
  }
  const verdict = verdictOf(settings, parts);
  await writeOutput(join(folder, "verdict.json"), formatJson(verdict), "verdict");
  const text = `${head(run, parts, all.length)}\n\n${toMarkdown(verdictTable(verdict))}\n${failures(parts)}${sections.join("\n\n")}\n`;
  await writeOutput(join(folder, "report.md"), text, "report");
  return text;
}

/** The same said of many rows is said once, and what the section says already not at all. */
function withoutRepeats<Row>(table: Table<Row>): Table<Row> {
  const rows = new Map<string, string[]>();
  for (const warning of table.warnings) {
    const [, row, said] = /^(\d[^:]*): ([^]*)$/.exec(warning) ?? [];
    if (row === undefined || said === undefined) rows.set(warning, []);
    else for (const part of said.split("; ").filter((each) => each !== APART)) rows.set(part, [...(rows.get(part) ?? []), row]);
  }
  return { ...table, warnings: [...rows].map(([said, where]) => (where.length === 0 ? said : where.length > 3 ? `${said} (${where.length} rows)` : `${said} (${where.join("; ")})`)) };
}

export function verdictTable(demands: readonly Demand[]): Table<Demand> {
  return {
    title: "What a GPU must show",
    columns: [
      { key: "what", label: "What", value: ({ what }) => what },
      { key: "target", label: "Target", value: ({ target }) => target },
      { key: "state", label: "State", value: ({ state }) => state },
      { key: "found", label: "Found", value: ({ found }) => found },
    ],
    rows: demands, above: [], warnings: [], facts: () => ({}),
  };
}

function head({ settings, card, environment, time }: RunRecord, parts: ReadonlyMap<string, PartRecord>, wanted: number): string {
  const where = card
    ? `${card.name}, driver ${card.driver}${card.memoryBytes === null ? "" : `, ${(card.memoryBytes / 2 ** 30).toFixed(0)} GiB`}`
    : `device ${settings.device}, ${environment.cpu.cores} cores of ${environment.cpu.model}: no GPU`;
  const trial = settings.tiny ? " A small shape at short lengths: this tries the steps, its figures say nothing of a card." : "";
  return `# GPU run of ${time.slice(0, 10)}\n\n${where}. ONNX Runtime ${environment.versions["onnxruntime-node"] ?? "?"}, sdtp-notebook ${environment.versions["sdtp-notebook"] ?? "?"}, dtype ${settings.dtype}.${trial} ${parts.size} of ${wanted} parts are done.`;
}

function failures(parts: ReadonlyMap<string, PartRecord>): string {
  const failed = [...parts.values()].filter(({ error }) => error !== null);
  return failed.length === 0 ? "\n" : `\nParts that gave nothing:\n\n${failed.map(({ id, error }) => `- ${id}: ${error}`).join("\n")}\n\n`;
}
