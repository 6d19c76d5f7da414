// sample/samples.jsonl shows the format, and is no result: a busy machine, 256 tokens, one round.
import assert from "node:assert/strict";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { environment } from "../../lib/bench/environment.js";
import { median } from "../../lib/bench/statistics.js";
import { records } from "../../lib/report/table.js";
import { source } from "./environments.js";
import { aheadTable, peersFigure, peersPage, peersTable, placesOf } from "./report.js";
import { peersResult } from "./result.js";
import { isFailure, readSamples, type Failure, type Sample } from "./samples.js";
import { writeReport } from "./write.js";

const folder = mkdtempSync(join(tmpdir(), "sdtp-peers-"));
after(() => rmSync(folder, { recursive: true, force: true }));
const { settings, lines } = readSamples(source("sample", "samples.jsonl"));
const here = environment();
const resultOf = (all: readonly (Sample | Failure)[]) => peersResult(settings, all, here, "2026-11-30T12:00:00.000Z");
const result = resultOf(lines);
const measured = lines.filter((line): line is Sample => !isFailure(line));
const of = (id: string) => result.rows.find(({ row }) => row === id)!;

test("every_line_is_a_row_with_its_figures_or_with_why_there_are_none", () => {
  assert.deepEqual(new Set(result.rows.map(({ row }) => row)), new Set(lines.map(({ row }) => row)));
  for (const { row, prefill_seconds: prefill, decode_seconds: decode, peak_memory_bytes: memory, start_to_first_token_seconds: start } of measured) {
    const seconds = decode.reduce((a, b) => a + b, 0);
    assert.deepEqual(of(row).figures, { prefill_seconds: prefill, decode_seconds_per_token: seconds / decode.length, end_to_end_seconds: prefill + seconds, peak_memory_bytes: memory, start_to_first_token_seconds: start });
    assert.equal(decode.length, settings.new_tokens);
  }
  const failed = lines.filter(isFailure);
  assert.ok(failed.length > 0);
  for (const { row, reason } of failed) assert.deepEqual([of(row).figures, of(row).failure], [null, reason]);
});

test("figures_are_medians_over_rounds_and_all_samples_are_kept", () => {
  const first = measured[0]!;
  const rounds = [1, 2, 3].map((round): Sample => ({ ...first, round, prefill_seconds: [5, 1, 2][round - 1]!, peak_memory_bytes: [3e8, 1e8, 2e8][round - 1]! }));
  const [row] = resultOf(rounds.slice().reverse()).rows;
  assert.equal(row!.figures!.prefill_seconds, median([5, 1, 2]));
  assert.equal(row!.figures!.peak_memory_bytes, 2e8);
  assert.deepEqual(row!.samples, rounds);
});

test("tokens_are_held_against_those_of_another_program_in_float32", () => {
  const reference = of("torch fp32").samples[0]!.tokens;
  assert.equal(of("torch fp32").agreement, null);
  for (const { row, agreement, samples } of result.rows.filter(({ figures, row }) => figures && row !== "torch fp32")) {
    assert.equal(agreement!.with, "torch fp32");
    assert.deepEqual(samples[0]!.tokens.slice(0, agreement!.equal), reference.slice(0, agreement!.equal), row);
    assert.ok(agreement!.equal === reference.length || samples[0]!.tokens[agreement!.equal] !== reference[agreement!.equal], row);
  }
  assert.equal(of("sdtp-notebook fp32").agreement!.equal, reference.length);
});

test("float32_rows_that_part_early_and_a_busy_machine_are_told", () => {
  const changed = lines.map((line) => (line.row === "sdtp-notebook fp32" && !isFailure(line) ? { ...line, tokens: line.tokens.map((token, i) => (i === 3 ? token + 1 : token)), load: 1.5 } : line));
  const { warnings } = peersTable(resultOf(changed).rows);
  assert.ok(warnings.includes("sdtp-notebook fp32: only the first 3 tokens are those of torch fp32, both in float32"), warnings.join("\n"));
  assert.ok(warnings.some((warning) => /^up to \d\.\d processors were busy with something else/.test(warning)));
  const quiet = lines.map((line) => (isFailure(line) ? line : { ...line, load: 0 }));
  assert.deepEqual(peersTable(resultOf(quiet).rows).warnings, []);
});

test("whoever_is_the_fastest_is_shown_as_that", () => {
  const timed = (row: string, prefill: number): Sample => ({ ...measured.find((sample) => sample.row === row)!, prefill_seconds: prefill, decode_seconds: measured[0]!.decode_seconds });
  const cell = (own: number, peer: number, key: string) => {
    const { rows } = resultOf([timed("sdtp-notebook int8", own), timed("llama.cpp q8_0 flash", peer)]);
    return records(aheadTable(rows)).find((each) => each["bits"] === 8 && each["of"] === "Prefill (s)")![key];
  };
  assert.equal(cell(2, 1, "ahead"), "llama.cpp 2.00 x");
  assert.equal(cell(1, 3, "ahead"), "sdtp-notebook 3.00 x");
  const rows = records(peersTable(resultOf([timed("sdtp-notebook int8", 2), timed("llama.cpp q8_0 flash", 1)]).rows));
  assert.deepEqual(rows.map((row) => [row["row"], row["prefill_seconds"]]), [["llama.cpp q8_0 flash", "**1.000**"], ["sdtp-notebook int8", "2.000"]]);
});

test("a_row_that_prunes_is_never_the_best_of_those_that_compute_everything", () => {
  const { rows } = resultOf(measured.map((sample) => (sample.row === "sdtp-notebook int8 sdtp" ? { ...sample, prefill_seconds: 1e-3 } : sample)));
  const shown = records(peersTable(rows)).find((row) => row["row"] === "sdtp-notebook int8 sdtp (prunes)")!;
  assert.equal(shown["prefill_seconds"], "0.001");
  const ahead = records(aheadTable(rows)).find((each) => each["bits"] === 8 && each["of"] === "Prefill (s)")!;
  assert.equal(ahead["pruned"], "0.001 (int8 sdtp)");
  assert.notEqual(ahead["own"], ahead["pruned"]);
});

test("the_page_has_all_rows_its_reasons_and_charts_that_are_written_beside_it", async () => {
  const page = peersPage(result);
  for (const { row } of result.rows) assert.ok(page.includes(row), row);
  for (const { reason } of lines.filter(isFailure)) assert.ok(page.includes(`failed: ${reason}`));
  const output = join(folder, "peers");
  const files = await writeReport(output, result);
  assert.equal(readFileSync(join(output, "README.md"), "utf8"), page);
  assert.deepEqual(JSON.parse(readFileSync(join(output, "peers.json"), "utf8")), JSON.parse(JSON.stringify(result)));
  const charts = [...page.matchAll(/\]\((\S+\.svg)\)/g)].map(([, name]) => join(output, name!));
  assert.deepEqual(charts, files.filter((file) => file.endsWith(".svg")));
  for (const chart of charts) assert.ok(existsSync(chart) && readFileSync(chart, "utf8").startsWith("<svg"));
});

test("a_chart_has_a_bar_for_each_row_that_was_measured", () => {
  const [rows] = placesOf(result);
  const { data } = peersFigure(result, rows!);
  assert.equal(data.length, 2);
  const count = rows!.filter(({ figures }) => figures).length;
  for (const trace of data) assert.equal((trace["x"] as number[]).length, count);
  // Together they are the seconds end to end, the fewest last, which is at the top.
  const totals = (data[0]!["x"] as number[]).map((prefill, i) => prefill + (data[1]!["x"] as number[])[i]!);
  assert.deepEqual(totals, [...totals].sort((a, b) => b - a));
  assert.throws(() => peersFigure(result, rows!.filter(({ figures }) => !figures)), /nothing to draw/);
});
