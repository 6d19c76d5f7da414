import assert from "node:assert/strict";
import { test } from "node:test";
import { chosenRows, peerOf, rows } from "./peers.js";
import { secondsOf, visitsLeft, visitsOf } from "./plan.js";
import type { Failure, Sample } from "./samples.js";

const small = { models: ["smollm2"] as const, lengths: [256, 1024], rows: rows.slice(0, 3), newTokens: 128 };
const sample = (row: string, length: number, round: number, seconds = 10) => ({ model: "smollm2", length, row, round, visit_seconds: seconds }) as Sample;
const failure = (row: string, length: number, round: number): Failure => ({ model: "smollm2", length, row, round, time: "", reason: "it crashed" });

test("rows_have_names_of_their_own_and_peers_that_exist", () => {
  assert.equal(new Set(rows.map(({ id }) => id)).size, rows.length);
  for (const { peer } of rows) peerOf(peer);
});

test("rows_are_chosen_by_words_of_their_names", () => {
  assert.deepEqual(chosenRows(["torch", "llama.cpp q8_0"]).map(({ id }) => id), ["torch bf16", "llama.cpp q8_0 flash", "torch fp32", "llama.cpp q8_0 no-flash"]);
  assert.deepEqual(chosenRows(["keep07"]).map(({ id }) => id), ["sdtp-notebook fp32 keep07", "sdtp-notebook int8 keep07", "sdtp-notebook int4 keep07"]);
  assert.deepEqual(chosenRows(["sdtp-notebook fp32"]).map(({ id }) => id), ["sdtp-notebook fp32"]);
  assert.equal(chosenRows(undefined), rows);
  assert.throws(() => chosenRows(["flash", "torc"]), /^Error: only: torc \(must be words of: sdtp-notebook fp32; /);
});

test("a_round_of_everything_comes_before_the_next_and_rows_of_a_length_take_turns", () => {
  const visits = visitsOf({ ...small, rounds: 2 });
  assert.deepEqual(visits.map(({ round, length, row }) => [round, length, rows.indexOf(row)]), [1, 2].flatMap((round) => [256, 1024].flatMap((length) => [0, 1, 2].map((row) => [round, length, row]))));
});

test("a_prompt_leaves_room_for_the_new_tokens_within_what_a_model_reaches", () => {
  const { length } = visitsOf({ ...small, lengths: [8192], rounds: 1 })[0]!;
  assert.equal(length + 128 + 1, 8192);
});

test("what_is_measured_is_left_out_and_what_failed_too_until_it_is_to_be_tried_again", () => {
  const visits = visitsOf({ ...small, rounds: 2 });
  const [a, b, c] = small.rows.map(({ id }) => id) as [string, string, string];
  const lines = [sample(a, 256, 1), failure(b, 256, 1), sample(c, 1024, 2)];
  const key = ({ row, length, round }: (typeof visits)[number]) => `${row.id} ${length} ${round}`;
  const gone = (retry: boolean) => {
    const left = new Set(visitsLeft(visits, lines, retry).map(key));
    return visits.map(key).filter((each) => !left.has(each));
  };
  assert.deepEqual(gone(false), [`${a} 256 1`, `${b} 256 1`, `${b} 256 2`, `${c} 1024 2`].sort((x, y) => visits.map(key).indexOf(x) - visits.map(key).indexOf(y)));
  assert.deepEqual(gone(true), [`${a} 256 1`, `${c} 1024 2`]);
});

test("time_left_comes_from_the_nearest_that_is_known", () => {
  const [a, b] = small.rows as [(typeof rows)[number], (typeof rows)[number]];
  const at = (length: number, row = a) => secondsOf({ model: "smollm2", length, row }, lines);
  let lines: Sample[] = [];
  assert.equal(at(256), null);
  lines = [sample(b.id, 256, 1, 4)];
  assert.equal(at(256), 4);
  assert.equal(at(1024), 8);
  lines = [...lines, sample(a.id, 1024, 1, 20)];
  assert.equal(at(256), 10);
  lines = [...lines, sample(a.id, 256, 1, 6), sample(a.id, 256, 2, 8)];
  assert.equal(at(256), 7);
});
