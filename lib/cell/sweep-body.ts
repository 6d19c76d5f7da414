import type { FailedCell } from "../bench/sweep/command.js";
import type { SweepRow } from "../bench/sweep/row.js";
import { escapeHtml } from "../escape-html.js";
import { sweepTable } from "../report/sweep.js";
import { shownTable } from "../report/views/table.js";
import type { Body } from "./live.js";

/** Rows that are shown under the bar while more come. */
const LATEST = 40;

/** What stands under a sweep's bar: the latest rows, and what failed. @param said a line above them */
export function sweepBody(rows: readonly SweepRow[], failed: readonly FailedCell[], said = ""): Body {
  const table = rows.length > 0 ? shownTable(sweepTable(rows.slice(-LATEST))) : { html: "", markdown: "" };
  const failures = failed.slice(-LATEST).map(({ label, error, command }) => `failed: ${label}: ${error}${command === null ? "" : `\n  alone: ${command}`}`).join("\n");
  const lines = [...(said === "" ? [] : [said]), ...(rows.length > LATEST ? [`the last ${LATEST} of ${rows.length} rows`] : [])];
  return {
    html: `${lines.map((line) => `<p>${escapeHtml(line)}</p>`).join("")}${table.html}${failures && `<pre>${escapeHtml(failures)}</pre>`}`,
    text: [...lines, table.markdown, failures].filter((part) => part !== "").join("\n"),
  };
}
