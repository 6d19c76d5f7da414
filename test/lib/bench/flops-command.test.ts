import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import table2 from "../../../lib/report/reference/paper_table2.json" with { type: "json" };
import { tinyCheckpoint } from "../../reference/checkpoints.js";
import { command } from "./command.js";

const flops = (...args: string[]) => command("flops", args);

test("the paper's counting prints the paper's figures, beyond the model's positions too", () => {
  const lengths = table2.rows.map(({ length }) => String(length));
  const { status, stdout, stderr } = flops("--model", "synthetic:mistral-7b", "--config", "baseline", "sdtp", "--lengths", ...lengths, "--counting", "paper", "--json");
  assert.equal(status, 0, stderr);
  const rows: { length: number; config: "baseline" | "sdtp"; prefill_flops: number; end2end_flops: number }[] = JSON.parse(stdout);
  assert.equal(rows.length, 12);
  for (const row of rows) {
    assert.deepEqual(Object.keys(row), ["length", "config", "prefill_flops", "end2end_flops"]);
    const printed = table2.rows.find(({ length }) => length === row.length)![row.config];
    const tolerance = row.config === "baseline" ? 0.001 : 0.03;
    assert.ok(Math.abs(row.prefill_flops / 1e12 / printed.tflops_prefill - 1) < tolerance);
    assert.ok(Math.abs(row.end2end_flops / 1e12 / printed.tflops_e2e - 1) < tolerance);
  }
});

test("a model folder and a configuration file give the same counts; no weights are looked at", (t) => {
  const { folder, config, remove } = tinyCheckpoint("qwen3");
  const alone = mkdtempSync(join(tmpdir(), "sdtp-config-"));
  t.after(() => [remove(), rmSync(alone, { recursive: true, force: true })]);
  writeFileSync(join(alone, "shape.json"), JSON.stringify(config));
  const counts = [folder, `synthetic:${join(alone, "shape.json")}`].map((model) => flops("--model", model, "--config", "all", "--lengths", "100,9000", "--json").stdout);
  assert.equal(counts[0], counts[1]);
  assert.equal(JSON.parse(counts[0]!).length, 18);
});

test("without --json there is a table that says model and counting; the cache policy changes decode alone", () => {
  const base = ["--model", "synthetic:mistral-7b", "--config", "sdtp", "--lengths", "4096", "--counting", "paper"];
  const { stdout } = flops(...base);
  assert.match(stdout, /^Model synthetic:mistral-7b, counting paper, 128 decoded tokens\.\n/);
  assert.match(stdout, /\| 4K     \| sdtp \| 47\.622 \| 49\.824 \|/);
  assert.match(flops(...base, "--kv-policy", "evict").stdout, /\| 47\.622 \| 49\.757 \|/);
  assert.match(flops(...base, "--max-new-tokens", "0").stdout, /\| 47\.622 \| 47\.622 \|/);
});

test("bad input is one clear line", () => {
  const wrong: [args: string[], message: RegExp][] = [
    [["--model", "synthetic:gpt"], /synthetic model: gpt \(must be qwen2-7b, /],
    [["--model", "synthetic:mistral-7b", "--config", "keep6"], /preset: keep6 \(known: baseline/],
    [["--model", "synthetic:mistral-7b", "--lengths", "0"], /length: 0/],
    [["--model", "synthetic:mistral-7b", "--max-new-tokens", "x"], /--max-new-tokens: x/],
    [["--model", "/nowhere"], /model: \/nowhere \(no such folder/],
  ];
  for (const [args, message] of wrong) {
    const { status, stdout, stderr } = flops(...args);
    assert.equal(status, 1);
    assert.match(stderr, message);
    assert.equal(stdout, "");
  }
});
