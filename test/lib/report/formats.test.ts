import assert from "node:assert/strict";
import { test } from "node:test";
import { formatOf, formats, toCsv, toHtml, toJsonLines, toLatex, toMarkdown } from "../../../lib/report/formats/index.js";
import { records, type Table } from "../../../lib/report/table.js";
import { table2 } from "../../../lib/report/table2.js";
import { seedTable } from "../bench/records.js";

interface Row {
  name: string;
  seconds: number | null;
}

const table: Table<Row> = {
  title: "A & B",
  columns: [
    { key: "name", label: "Name", value: (row) => row.name },
    { key: "seconds", label: "Time (×)", value: (row) => row.seconds, format: (value) => value.toFixed(2) },
  ],
  rows: [{ name: 'a|b, "c" <d>', seconds: 1 / 3 }, { name: "50%_{x}", seconds: null }],
  above: ["Above."],
  warnings: ["careful"],
  facts: () => ({ model: "tiny" }),
};

test("markdown rounds, pads nothing by itself and escapes bars", () => {
  assert.equal(toMarkdown(table), 'Above.\n\n| Name | Time (×) |\n|------|----------|\n| a\\|b, "c" <d> | 0.33 |\n| 50%_{x} | - |\n\n> Warning: careful\n');
});

test("CSV keeps all digits, quotes what must be quoted, and adds the facts", () => {
  assert.equal(toCsv(table), `name,seconds,model\n"a|b, ""c"" <d>",${1 / 3},tiny\n50%_{x},,tiny\n`);
});

test("JSON lines are one object a row", () => {
  const rows = toJsonLines(table).trimEnd().split("\n").map((line) => JSON.parse(line));
  assert.deepEqual(rows, records(table));
  assert.deepEqual(rows[1], { name: "50%_{x}", seconds: null, model: "tiny" });
});

test("HTML escapes, and puts numbers at the right", () => {
  const html = toHtml(table);
  assert.ok(html.includes("<td style=\"text-align:left\">a|b, &quot;c&quot; &lt;d&gt;</td>"));
  assert.ok(html.includes('<td style="text-align:right">0.33</td>'));
  assert.ok(html.includes('<th style="text-align:right">'));
  assert.ok(html.includes("<caption>A &amp; B</caption>"));
  assert.ok(html.includes("<strong>Warning:</strong> careful"));
  assert.match(formats.html(table), /^<!doctype html>[\s\S]*<title>A &amp; B<\/title>[\s\S]*<\/html>\n$/);
});

test("LaTeX has booktabs rules and escapes its special characters", () => {
  const latex = toLatex(table);
  assert.ok(latex.includes("\\begin{tabular}{lr}\n\\toprule\nName & Time ($\\times$) \\\\\n\\midrule"));
  assert.ok(latex.includes("50\\%\\_\\{x\\} & - \\\\\n\\bottomrule"));
  assert.ok(latex.includes("\\caption{A \\& B. Above. Warning: careful.}"));
});

test("every format of Table 2 says model, device, dtype, threads, scorer and KV policy", () => {
  const table = table2({ mode: "end2end", sources: [{ file: "f", results: seedTable.keep07 }] });
  for (const [name, format] of Object.entries(formats)) {
    const text = format(table);
    for (const fact of ["tiny", "cpu", "fp32", "norm", "evict"]) assert.ok(text.includes(fact), `${name}: ${fact}`);
    assert.ok(/threads/.test(text), name);
  }
});

test("a file's ending says its format", () => {
  assert.deepEqual(["a/b.md", "x.CSV", "x.jsonl", "x.html", "x.tex"].map(formatOf), ["md", "csv", "jsonl", "html", "latex"]);
  assert.throws(() => formatOf("table"), /output: table \(must end in \.md/);
  assert.throws(() => formatOf("dir.d/table"), /output: /);
});
