import assert from "node:assert/strict";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { leaderboards, readEvaluations } from "../../../lib/evaluate/leaderboard.js";
import type { EvaluationRow } from "../../../lib/evaluate/rows.js";
import { formats } from "../../../lib/report/formats/index.js";
import { leaderboardCurve, leaderboardTable, leaderboardViews } from "../../../lib/report/leaderboard.js";
import { viewPage } from "../../../lib/report/views/page.js";

interface Asked { task?: string; item: number; config: string; scorer?: string; score: number; loss?: number; kv?: number; prefill?: number; query?: string }

const row = ({ task = "ruler-vt", item, config, scorer = "learned", score, loss = 1 - score, kv = 100, prefill = 1, query = "aware" }: Asked): EvaluationRow => ({
  schema_version: 1, task, settings: { query, chat: true, version: 1 }, item: String(item), group: { length: 1024, seed: item % 2 }, model: "/models/m.gguf", model_hash: "h", config, preset: { base_depth: 1, stages: [] },
  scorer: config === "baseline" ? null : scorer, scorer_key: null, kv_policy: "evict", prompt_length: 100, metrics: { score, loss, answer_tokens: 5, ended: 1 },
  prefill_latency_seconds: prefill, append_latency_seconds: 0.5, decode_latency_seconds: 1, decoded_tokens: 5, mean_tokens: 50, compression: 2, kv_bytes: kv, kv_lens_after_prefill: [50],
});

/** Twenty prompts each of two tasks; keep07 loses a tenth of one, and takes 70 % of the bytes. */
const rows = ["ruler-vt", "ruler-cwe"].flatMap((task) => Array.from({ length: 20 }, (_, item) => [
  row({ task, item, config: "baseline", score: 1 }),
  row({ task, item, config: "keep07", score: task === "ruler-vt" && item < 2 ? 0 : 1, kv: 70, prefill: 0.5 }),
]).flat());

test("each figure is against the unpruned model on the same prompts; tasks count alike", () => {
  const more = [...rows, row({ item: 99, config: "keep07", score: 0 })];
  const [board, ...others] = leaderboards(more);
  assert.equal(others.length, 0);
  assert.deepEqual([board!.model, board!.query, board!.tasks], ["m.gguf", "aware", ["ruler-vt 1024", "ruler-cwe 1024"]]);
  const [unpruned, pruned] = board!.rows;
  assert.deepEqual([unpruned!.label, unpruned!.average, unpruned!.difference, unpruned!.budget], ["baseline", 1, null, 1]);
  assert.deepEqual(pruned!.cells.map(({ score, unpruned: was, prompts, seeds }) => [score, was, prompts, seeds]), [[0.9, 1, 20, 2], [1, 1, 20, 2]]);
  assert.ok(Math.abs(pruned!.average! - 0.95) < 1e-12 && Math.abs(pruned!.difference!.mean + 0.05) < 1e-12);
  // Of the mean of two tasks, one of which never changes: half of that of a share of 0.1 in 20.
  const { low, high } = pruned!.difference!.interval;
  assert.ok(low > -0.14 && low < -0.08 && high <= 0 && high > -0.03, `${low} to ${high}`);
  assert.deepEqual([pruned!.budget, pruned!.prefillSeconds, pruned!.totalSeconds, pruned!.prefillSpeedup, pruned!.totalSpeedup].map((value) => Number(value.toFixed(6))), [0.7, 1, 2, 1.5, 1.25]);
  assert.ok(Math.abs(pruned!.loss!.difference - 0.05) < 1e-12);
  assert.ok(pruned!.cells[0]!.seedDeviation! >= 0);
});

test("methods are ranked, one that was not asked everything has no average; protocols are tables of their own", () => {
  const random = Array.from({ length: 20 }, (_, item) => row({ item, config: "keep07", scorer: "random", score: 0.2 }));
  const norm = ["ruler-vt", "ruler-cwe"].flatMap((task) => Array.from({ length: 20 }, (_, item) => row({ task, item, config: "keep07", scorer: "norm", score: 0.97 })));
  const agnostic = [row({ item: 0, config: "baseline", score: 1, query: "agnostic" }), row({ item: 0, config: "keep07", score: 1, query: "agnostic" })];
  const boards = leaderboards([...rows, ...random, ...norm, ...agnostic]);
  assert.deepEqual(boards.map(({ query }) => query), ["aware", "agnostic"]);
  assert.deepEqual(boards[0]!.rows.map(({ label, average }) => [label, average === null]), [["baseline", false], ["keep07 norm evict", false], ["keep07 learned evict", false], ["keep07 random evict", true]]);
  const table = leaderboardTable(boards[0]!);
  assert.ok(table.warnings.some((text) => /keep07 random evict was measured on 1 of 2 tasks/.test(text)));
  assert.match(formats.md(table), /\| keep07 learned evict \| 70\.0 \| 90\.0 \| 100\.0 \| 95\.0 \| -5\.0 \| -\d+\.\d to [+-]\d\.\d \|/);
  assert.match(formats.latex(table), /\\begin\{tabular\}/);
  // Settings that do not say: a question in the prompt. The same task in and out of the chat template is two columns.
  const plain = [1, 2].flatMap((item) => ["baseline", "keep07"].map((config) => ({ ...row({ item, config, score: 1 }), settings: { chat: false } })));
  const [mixed] = leaderboards([...rows, ...plain]);
  assert.deepEqual([mixed!.query, mixed!.chat, mixed!.tasks], ["aware", null, ["ruler-vt 1024 chat", "ruler-cwe 1024", "ruler-vt 1024 plain"]]);
  const fewer = leaderboardTable(leaderboards([...rows, ...random.slice(0, 5)])[0]!);
  assert.ok(fewer.warnings.some((text) => /keep07 random evict was asked 5 of 20 prompts of ruler-vt 1024/.test(text)));
  assert.throws(() => leaderboards(random), /no prompt was put to the unpruned model and to a method/);
});

test("curves: a line a scorer, a point a budget; a page has the tables and the curves", () => {
  const budgets = [...rows, ...["ruler-vt", "ruler-cwe"].flatMap((task) => Array.from({ length: 20 }, (_, item) => row({ task, item, config: "keep09", score: 1, kv: 90, prefill: 0.8 })))];
  const cut = [0.5, 0.25].flatMap((share) => ["ruler-vt", "ruler-cwe"].flatMap((task) => Array.from({ length: 20 }, (_, item) => ({ ...row({ task, item, config: `snapkv-${share}`, score: share, kv: 100 * share }), scorer: null }))));
  const [board] = leaderboards([...budgets, ...cut]);
  const bytes = leaderboardCurve(board!, "bytes");
  const learned = bytes.data.find((trace) => trace["name"] === "learned evict")!;
  assert.deepEqual(learned["x"], [0.00007, 0.00009]);
  assert.deepEqual((learned["y"] as number[]).map((value) => Math.round(value)), [95, 100]);
  assert.deepEqual((leaderboardCurve(board!, "time").data.find((trace) => trace["name"] === "learned evict")!["x"] as number[]).map((value) => Number(value.toFixed(6))), [2, 2.3]);
  assert.deepEqual(bytes.data.map(({ name }) => name as string).sort(), ["learned evict", "snapkv", "unpruned"]);
  const page = viewPage("Leaderboard", leaderboardViews([board!]));
  assert.equal(page.split("Plotly.newPlot").length - 1 >= 3, true);
  assert.match(page, /<td style="text-align:right">95\.0<\/td>/);
});

test("results are read from a folder and those below it, other files passed over; what is cut short there is left as it is", async (t) => {
  const folder = await mkdtemp(join(tmpdir(), "sdtp-board-"));
  t.after(() => rm(folder, { recursive: true }));
  await mkdir(join(folder, "deeper"));
  const text = rows.slice(0, 4).map((each) => `${JSON.stringify(each)}\n`).join("");
  await writeFile(join(folder, "a.jsonl"), `${text}{"schema_ver`);
  await writeFile(join(folder, "deeper", "b.jsonl"), rows.slice(4).map((each) => `${JSON.stringify(each)}\n`).join(""));
  await writeFile(join(folder, "log.jsonl"), '{"step": 1}\n');
  assert.equal((await readEvaluations(folder)).length, rows.length);
  assert.equal(await readFile(join(folder, "a.jsonl"), "utf8"), `${text}{"schema_ver`);
  await assert.rejects(readEvaluations(join(folder, "none")), /results: .*none \(does not exist\)/);
  await mkdir(join(folder, "empty"));
  await assert.rejects(readEvaluations(join(folder, "empty")), /no evaluation results in it/);
});
