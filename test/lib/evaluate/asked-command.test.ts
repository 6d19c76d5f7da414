import assert from "node:assert/strict";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { tinyCheckpoint } from "../../reference/checkpoints.js";
import { command } from "../bench/command.js";

const folder = await mkdtemp(join(tmpdir(), "sdtp-asked-command-"));
after(() => rm(folder, { recursive: true }));

test("sdtp evaluate ruler, more samples of it, and sdtp leaderboard of both protocols", async () => {
  const run = (name: string, ...args: string[]) => {
    const { status, stdout, stderr } = command(name, args, folder);
    assert.equal(status, 0, stderr);
    return stdout;
  };
  const ruler = (query: string, samples: string) => run("evaluate", "ruler", "--threads", "1", "--tasks", "niah_single_1,fwe", "--lengths", "700", "--samples", samples, "--seed", "3", "4", "--config", "keep07", "--scorer", "learned", "--query", query, "--worse", "1");
  assert.match(ruler("agnostic", "1"), /\| keep07 learned evict \|/);
  const file = join(folder, "results", "evaluate", "ruler-fwe.jsonl");
  const first = (await readFile(file, "utf8")).trim().split("\n");
  assert.equal(first.length, 4);
  ruler("agnostic", "2");
  const all = (await readFile(file, "utf8")).trim().split("\n");
  assert.deepEqual(all.slice(0, 4), first);
  assert.equal(all.length, 8);
  ruler("aware", "1");
  const boards = JSON.parse(run("leaderboard", "--output", "board.html", "--json")) as { query: string; tasks: string[]; rows: { label: string; cells: { prompts: number; seeds: number }[] }[] }[];
  assert.deepEqual(boards.map(({ query, tasks }) => [query, tasks.length]), [["agnostic", 2], ["aware", 2]]);
  assert.deepEqual(boards[0]!.rows.map(({ label }) => label).sort(), ["baseline", "keep07 learned evict"]);
  assert.deepEqual(boards[0]!.rows[1]!.cells.map(({ prompts, seeds }) => [prompts, seeds]), [[4, 2], [4, 2]]);
  assert.match(await readFile(join(folder, "board.html"), "utf8"), /Plotly\.newPlot/);
  assert.match(run("leaderboard", "--format", "latex"), /\\toprule/);
});

test("without modules learned is left out, and said; a prompt too long is refused before anything is measured", async (t) => {
  const tiny = tinyCheckpoint("llama");
  t.after(() => tiny.remove());
  await writeFile(join(folder, "mine.jsonl"), JSON.stringify({ context: "A ship. ", question: "What?", answer: "a ship", max_new_tokens: 3 }));
  const { status, stdout, stderr } = command("evaluate", ["prompts", "mine.jsonl", "--model", tiny.folder, "--threads", "1", "--config", "keep07", "--query", "agnostic", "--json"], folder);
  assert.equal(status, 0, stderr);
  assert.match(stderr, /^learned: left out \(there are no pruning modules for this model/m);
  const { tasks } = JSON.parse(stdout) as { tasks: { configurations: { label: string }[] }[] };
  assert.deepEqual(tasks[0]!.configurations.map(({ label }) => label), ["baseline", "keep07 norm evict", "keep07 recency evict", "keep07 random evict"]);
  await writeFile(join(folder, "long.jsonl"), JSON.stringify({ context: "A ship. ".repeat(40), question: "What?", answer: "a ship", max_new_tokens: 600 }));
  const long = command("evaluate", ["prompts", "long.jsonl", "--model", tiny.folder, "--config", "keep07"], folder);
  assert.equal(long.status, 1);
  assert.match(long.stderr, /long\/0: its question and answer take more than 512 tokens/);
  for (const [args, message] of [
    [["ruler", "--tasks", "niah"], /ruler task: niah \(known: all, niah_single_1/],
    [["leaderboard-is-no-task"], /too many arguments|unknown command/],
    [["ruler", "--seed", "x"], /--seed <n\.\.\.>' argument 'x' is invalid\. must be integers/],
  ] as const) {
    const wrong = command("evaluate", [...args], folder);
    assert.notEqual(wrong.status, 0);
    assert.match(wrong.stderr, message);
  }
});
