/** JUnit's XML, as CI systems read it: a suite a notebook, a case a cell. Source: https://github.com/testmoapp/junitxml */
import { escapeHtml } from "../../escape-html.js";
import type { CellResult, NotebookResult } from "./test.js";

export function junit(results: NotebookResult[]): string {
  const all = results.flatMap(({ cells }) => cells);
  const seconds = results.reduce((sum, each) => sum + each.seconds, 0);
  return `<?xml version="1.0" encoding="UTF-8"?>\n<testsuites name="sdtp test" ${counts(all)} time="${seconds.toFixed(3)}">\n${results.map(suite).join("\n")}\n</testsuites>\n`;
}

function suite({ notebook, cells, seconds }: NotebookResult): string {
  return `  <testsuite name="${attribute(notebook)}" ${counts(cells)} time="${seconds.toFixed(3)}">\n${cells.map((cell) => testcase(notebook, cell)).join("\n")}\n  </testsuite>`;
}

function testcase(notebook: string, { cell, name, status, seconds, differences, message = "" }: CellResult): string {
  const head = `    <testcase classname="${attribute(notebook)}" name="${attribute(`cell ${cell}: ${name}`)}" time="${seconds.toFixed(3)}"`;
  if (status === "passed") return `${head}/>`;
  if (status === "skipped") return `${head}><skipped message="${attribute(message)}"/></testcase>`;
  const body = differences.map(({ place, before, after }) => `${place}\n- ${before}\n+ ${after}`).join("\n");
  const tag = status === "error" ? "error" : "failure";
  const what = status === "error" ? (message.split("\n")[0] ?? "") : `${differences.length} ${differences.length === 1 ? "difference" : "differences"}: ${differences[0]?.place ?? ""}`;
  return `${head}><${tag} message="${attribute(what)}">${text(status === "error" ? message : body)}</${tag}></testcase>`;
}

function counts(cells: CellResult[]): string {
  const of = (status: string) => cells.filter((cell) => cell.status === status).length;
  return `tests="${cells.length}" failures="${of("failed")}" errors="${of("error")}" skipped="${of("skipped")}"`;
}

/** Characters that XML 1.0 has no way to write are left out. */
const text = (value: string): string => escapeHtml(value.replace(/[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\u{10000}-\u{10ffff}]/gu, ""));

const attribute = (value: string): string => text(value).replaceAll("\n", "&#10;");
