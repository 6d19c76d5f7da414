import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { test } from "node:test";
import type { Command } from "commander";
import { bootstrap } from "../lib/bench/statistics.js";
import type { KernelBenchResult } from "../lib/bench/kernel/bench.js";
import { packageRoot } from "../lib/checkpoint/package-root.js";
import { commands } from "../lib/cli/main.js";
import type { DtypeRow } from "../lib/evaluate/dtypes.js";
import { mean } from "../lib/evaluate/forced.js";
import { dtypesTable } from "../lib/report/dtypes.js";
import { kernelBenchTable } from "../lib/report/kernel-bench.js";
import { command } from "./lib/bench/command.js";

const root = packageRoot();
const read = (file: string) => readFileSync(join(root, file), "utf8");
const rooms = ["lib", "kernel", "results/published", "notebooks"].flatMap((folder) =>
  readdirSync(join(root, folder), { recursive: true }).map((file) => join(folder, String(file))).filter((file) => file.endsWith(".md")),
);
const files = ["README.md", ...rooms];

test("the README can be read in ten minutes", () => {
  assert.ok(read("README.md").trimEnd().split("\n").length <= 150);
});

test("every link and picture leads somewhere", () => {
  const broken = files.flatMap((file) =>
    [...read(file).replace(/```[\s\S]*?```|`[^`\n]*`/g, "").matchAll(/\]\(([^)\s]+)\)/g)].map(([, target]) => target!).filter((target) => !/^(https?:|#)/.test(target) && !existsSync(join(root, dirname(file), decodeURIComponent(target.split("#")[0]!)))).map((target) => `${file}: ${target}`),
  );
  assert.deepEqual(broken, []);
});

test("every command and option that is written down exists", async () => {
  const all = await commands();
  let seen = 0;
  for (const file of files) {
    for (const line of shellLines(read(file))) {
      const words = (/\bnpx sdtp ([^#|]*)/.exec(line)?.[1] ?? "").match(/'[^']*'|"[^"]*"|\S+/g) ?? [];
      if (words.length === 0) continue;
      seen++;
      let at: Command = all;
      while (words.length > 0) {
        const next = at.commands.find((each) => [each.name(), ...each.aliases()].includes(words[0]!));
        if (!next) break;
        at = next;
        words.shift();
      }
      assert.ok(at.parent, `${file}: ${line}: no such command`);
      for (const option of words.filter((word) => /^--?[a-z]/.test(word)).map((word) => word.split("=")[0]!)) {
        assert.ok(option === "--help" || at.options.some(({ short, long }) => option === short || option === long), `${file}: ${line}: no option ${option}`);
      }
    }
  }
  assert.ok(seen > 30, `${seen} commands found`);
});

test("the README's Table 2 is that of the published run", () => {
  const { stdout } = command("report-table2", ["results/published/main-job"], root);
  const rows = (text: string) => text.split("\n").filter((line) => /^\| \dK /.test(line));
  assert.deepEqual(rows(read("README.md")), rows(stdout));
});

test("the kernel's figures are those of the published run", () => {
  const table = kernelBenchTable(JSON.parse(read("results/published/kernel/kernel.json")) as KernelBenchResult);
  const figures = new Map(table.rows.map(({ figure, values }) => [figure, `| ${figure} | ${values["sdtp"]} | ${values["python3"]} |`]));
  const written = read("kernel/README.md").split("| Figure | sdtp | python3 |")[1]!.split("\n\n")[0]!.split("\n").slice(2).filter((line) => line !== "");
  assert.ok(written.length > 5);
  for (const line of written) assert.equal(line, figures.get(line.split(" | ")[0]!.slice(2)));
  assert.ok(read("kernel/README.md").includes(table.above![0]!.replace(/^Medians/, "medians").replace(/\.$/, "")));
});

test("what dtypes cost is as published", () => {
  const rows = ["dtypes", "kv-dtypes"].flatMap((name) => (JSON.parse(read(`results/published/tiny/${name}.json`)) as { rows: DtypeRow[] }).rows.slice(name === "dtypes" ? 0 : 1));
  const { columns, rows: all } = dtypesTable({ model: "tiny", device: "cpu", threads: 2 }, rows);
  const cell = (row: DtypeRow, key: string) => {
    const { value, format } = columns.find((column) => column.key === key)!;
    const found = value(row);
    return typeof found === "number" && format ? format(found) : found;
  };
  for (const row of all) {
    const change = cell(row, "perplexity_change") ?? cell(row, "perplexity");
    const line = read("lib/checkpoint/README.md").split("\n").find((each) => new RegExp(`^\\| ${row.dtype}(?: \\(as stored\\))? \\| ${row.kv_dtype} \\|`).test(each));
    assert.ok(line, `${row.dtype} ${row.kv_dtype}`);
    assert.ok(line.includes(`| ${String(change)} | ${String(cell(row, "keys_found"))} |`), `${line}: ${String(change)}, ${String(cell(row, "keys_found"))}`);
  }
});

test("what pruning costs is as published", () => {
  const written = read("lib/evaluate/README.md");
  const rows = read("results/published/tiny/pruning/retrieval.jsonl").trim().split("\n").slice(1).map((line) => JSON.parse(line) as { config: string; scorer: string | null; kv_policy: string; exact: number });
  for (const scorer of ["learned", "norm", "recency", "attention", "random"]) {
    const found = rows.filter((row) => row.config === "sdtp" && row.scorer === scorer && row.kv_policy === "retain").map(({ exact }) => exact);
    const { low, high } = bootstrap(found, mean);
    const line = written.split("\n").find((each) => each.startsWith(`| \`${scorer}\``));
    const [average, from, to] = line?.match(/([\d.]+) % \(([\d.]+) to ([\d.]+)\)/)?.slice(1).map(Number) ?? [];
    assert.equal(average, 100 * mean(found), scorer);
    // Which prompts a bootstrap draws depends on their order: half a point is one prompt of 200.
    assert.ok(Math.abs(from! - 100 * low) <= 0.5 && Math.abs(to! - 100 * high) <= 0.5, `${line}: ${100 * low} to ${100 * high}`);
  }
});

/** Lines of the blocks marked sh. */
function shellLines(text: string): string[] {
  return [...text.matchAll(/```sh\n([\s\S]*?)```/g)].flatMap(([, block]) => block!.split("\n"));
}
