import type { Leaderboard, LeaderboardRow } from "../evaluate/leaderboard.js";
import { escapeHtml } from "../escape-html.js";
import type { Figure } from "./figure.js";
import type { Table } from "./table.js";
import { toHtml } from "./formats/html.js";
import { colour, figure } from "./views/figure.js";
import { shown, type Shown } from "./views/view.js";

const percent = (value: number) => (100 * value).toFixed(1);
const signed = (value: number, digits = 1) => `${value < 0 ? "" : "+"}${value.toFixed(digits)}`;

/** A leaderboard as a table: a row a method, a column a task. */
export function leaderboardTable({ model, device, query, chat, tasks, rows }: Leaderboard): Table<LeaderboardRow> {
  const cell = (row: LeaderboardRow, task: string) => row.cells.find((each) => each.task === task);
  const missing = rows.filter(({ average }) => average === null);
  const protocol = [`model ${model}`, `device ${device}`, ...(query ? [`query ${query}`] : []), chat === null ? "chat template where the task has one" : chat ? "chat template" : "no chat template"];
  const prompts = [...new Set(rows.flatMap(({ cells }) => cells.map((each) => each.prompts)))];
  return {
    title: `Leaderboard: ${model}${query ? `, ${query}` : ""}`,
    columns: [
      { key: "method", label: "Method", value: (row) => row.label },
      { key: "budget", label: "KV (%)", value: (row) => row.budget, format: percent },
      ...tasks.map((task) => ({ key: task, label: task.replace(/^ruler-/, ""), value: (row: LeaderboardRow) => cell(row, task)?.score ?? null, format: percent })),
      { key: "average", label: "Average", value: (row) => row.average, format: percent },
      { key: "difference", label: "Against Unpruned (points)", value: (row) => row.difference && 100 * row.difference.mean, format: (value) => signed(value) },
      { key: "interval", label: "95 % Interval", value: (row) => row.difference && `${signed(100 * row.difference.interval.low)} to ${signed(100 * row.difference.interval.high)}` },
      ...(rows.some(({ loss }) => loss) ? [
        { key: "loss", label: "Right Answer (nats a token)", value: (row: LeaderboardRow) => row.loss?.mean ?? null, format: (value: number) => value.toFixed(3) },
        { key: "loss_difference", label: "Against Unpruned", value: (row: LeaderboardRow) => (row.config === "baseline" ? null : (row.loss?.difference ?? null)), format: (value: number) => signed(value, 3) },
      ] : []),
      { key: "prefill_speedup", label: "Prefill Speedup (×)", value: (row) => (row.config === "baseline" ? null : row.prefillSpeedup), format: (value) => value.toFixed(2) },
      { key: "total_speedup", label: "End2End Speedup (×)", value: (row) => (row.config === "baseline" ? null : row.totalSpeedup), format: (value) => value.toFixed(2) },
      { key: "answer_tokens", label: "Answer (tokens)", value: (row) => row.answerTokens, format: (value) => value.toFixed(1) },
    ],
    rows,
    above: [`${protocol.join(", ")}; scores in percent, ${prompts.length === 1 ? prompts[0] : `${Math.min(...prompts)} to ${Math.max(...prompts)}`} prompts a cell; intervals of paired differences, bootstrapped over prompts.`],
    warnings: [
      ...missing.map(({ label, cells }) => `${label} was measured on ${cells.length} of ${tasks.length} tasks: it has no average.`),
      ...rows.flatMap(({ label, cells }) => cells.flatMap(({ task, prompts: asked }) => {
        const most = Math.max(...rows.map((row) => cell(row, task)?.prompts ?? 0));
        return asked < most ? [`${label} was asked ${asked} of ${most} prompts of ${task}: its difference is on those, its score not comparable with the others'.`] : [];
      })),
      ...(Math.min(...prompts) < 20 ? [`A cell has ${Math.min(...prompts)} prompts: too few to tell methods apart that are close.`] : []),
    ],
    facts: ({ config, scorer, kvPolicy, kvBytes, prefillSeconds, totalSeconds }) => ({ model, device, query, config, scorer, kv_policy: kvPolicy, kv_bytes: kvBytes, prefill_seconds: prefillSeconds, total_seconds: totalSeconds }),
  };
}

/** What a curve is drawn over. */
const axes = {
  time: { title: "Quality against measured end-to-end time", label: "seconds a prompt, answer included", value: (row: LeaderboardRow) => row.totalSeconds },
  prefill: { title: "Quality against measured prefill time", label: "seconds of prefill", value: (row: LeaderboardRow) => row.prefillSeconds },
  bytes: { title: "Quality against bytes of the KV cache", label: "MB after prefill", value: (row: LeaderboardRow) => row.kvBytes / 1e6 },
} as const;
export type CurveAxis = keyof typeof axes;

/** Average score over what it costs: a line a scorer and cache policy (or a method that cuts down caches alone), a point a budget, the unpruned model as a dashed line. */
export function leaderboardCurve(board: Leaderboard, axis: CurveAxis): Figure {
  const { title, label, value } = axes[axis];
  const measured = board.rows.filter(({ average }) => average !== null);
  const families = new Map<string, LeaderboardRow[]>();
  for (const row of measured) {
    // What cuts down caches alone has its budget in its name: snapkv-0.25.
    const family = row.config === "baseline" ? "unpruned" : row.scorer === null ? row.config.replace(/-[\d.]+$/, "") : row.label.slice(row.config.length + 1);
    families.set(family, [...(families.get(family) ?? []), row]);
  }
  const unpruned = measured.find(({ config }) => config === "baseline");
  const data = [...families].map(([name, rows], i) => {
    const sorted = [...rows].sort((a, b) => value(a) - value(b));
    return {
      type: "scatter" as const, mode: "lines+markers" as const, name, x: sorted.map(value), y: sorted.map(({ average }) => 100 * average!),
      text: sorted.map(({ config, budget }) => `${config}, KV ${percent(budget)} %`), line: { color: name === "unpruned" ? "#888888" : colour(i) }, marker: { size: name === "unpruned" ? 11 : 8 },
      error_y: {
        type: "data" as const, symmetric: false, thickness: 1,
        array: sorted.map(({ difference }) => (difference ? 100 * (difference.interval.high - difference.mean) : 0)),
        arrayminus: sorted.map(({ difference }) => (difference ? 100 * (difference.mean - difference.interval.low) : 0)),
      },
    };
  });
  const line = unpruned && { type: "line" as const, xref: "paper" as const, x0: 0, x1: 1, y0: 100 * unpruned.average!, y1: 100 * unpruned.average!, line: { color: "#999999", width: 1, dash: "dash" as const } };
  return figure(`${title}: ${board.model}${board.query ? `, ${board.query}` : ""}`, data, { xaxis: { title: { text: label } }, yaxis: { title: { text: "average score (%)" } } }, { ...(line && { shapes: [line] }), showlegend: true, height: 420 });
}

/** Table and curves of each leaderboard, for a page or a cell. */
export function leaderboardViews(boards: readonly Leaderboard[]): Shown<{ rows: readonly object[] }>[] {
  return boards.flatMap((board) => {
    const table = leaderboardTable(board);
    const drawable = board.rows.filter(({ average }) => average !== null).length > 1;
    const curves = drawable ? (["time", "prefill", "bytes"] as const).map((axis) => leaderboardCurve(board, axis)) : [];
    return [
      shown({ rows: board.rows }, { title: table.title, text: table.title, html: () => `<style>.sdtp-board{overflow-x:auto}.sdtp-board table{border-collapse:collapse;font-size:.9rem}.sdtp-board td,.sdtp-board th{border-bottom:1px solid rgba(128,128,128,.4);padding:.3rem .5rem}.sdtp-board caption{text-align:left;font-weight:bold}</style><div class="sdtp-board">${toHtml(table)}</div>` }),
      ...curves.map((curve) => {
        const { text } = curve.layout["title"] as { text: string };
        return shown({ rows: board.rows }, { title: escapeHtml(text), text, figure: curve });
      }),
    ];
  });
}
