import type { SweepRow } from "../bench/sweep/row.js";
import { htmlTable } from "../report/views/html.js";
import { short, textTable } from "../report/views/text.js";
import { flatten } from "./frame.js";
import type { Body } from "./live.js";
import { sweepBody } from "./sweep-body.js";

/** Rows that are shown, and columns of them. */
const LATEST = 40;
const COLUMNS = 14;

/** What tells an evaluation's rows apart and what was measured; what all have in common has no room. */
const EVALUATION = /^(task|item|config|scorer|kv_policy|prompt_length|metrics\..+|prefill_latency_seconds|decode_latency_seconds)$/;

/** What stands under a job's bar: its latest rows, of whatever kind. */
export function jobBody(rows: readonly object[]): Body {
  const [first] = rows;
  if (first === undefined) return { html: "", text: "" };
  if (isSweepRow(first)) return sweepBody(rows as readonly SweepRow[], []);
  const latest = rows.slice(-LATEST).map((row) => flatten(row));
  const names = [...new Set(latest.flatMap((row) => Object.keys(row)))];
  const columns = ("metrics" in first ? names.filter((name) => EVALUATION.test(name)) : names).slice(0, COLUMNS);
  const cells = latest.map((row) => columns.map((name) => {
    const value = row[name] ?? null;
    return value === null ? "-" : typeof value === "number" ? short(value) : String(value);
  }));
  const caption = rows.length > LATEST ? `the last ${LATEST} of ${rows.length} rows` : "";
  return { html: htmlTable(caption, columns, cells), text: textTable(caption, columns, cells) };
}

const isSweepRow = (row: object): row is SweepRow => "config" in row && "prefill_speedup" in row && "error" in row;
