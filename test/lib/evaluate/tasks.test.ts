import assert from "node:assert/strict";
import { appendFile, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { configurationLabel, configurations, labeller } from "../../../lib/evaluate/configuration.js";
import { heatMaps, heatMapPage, heatMapText } from "../../../lib/evaluate/heat-map.js";
import { perplexityTask } from "../../../lib/evaluate/perplexity.js";
import { retrievalTask } from "../../../lib/evaluate/retrieval.js";
import { readRows, type EvaluationRow } from "../../../lib/evaluate/rows.js";
import { evaluate } from "../../../lib/evaluate/run.js";
import { summarise, worst } from "../../../lib/evaluate/summary.js";
import { evaluationTable } from "../../../lib/report/evaluation.js";
import { toMarkdown } from "../../../lib/report/formats/markdown.js";
import { fractionOf } from "../../../lib/evaluate/task.js";
import { load } from "../../../lib/runtime/model.js";
import { tinyCheckpoint } from "../../reference/checkpoints.js";
import { nextTokenLoss } from "../../reference/gradient.js";

const folder = await mkdtemp(join(tmpdir(), "sdtp-evaluate-"));
const tiny = tinyCheckpoint("llama");
const model = await load(tiny.folder, { threads: 1 });
const tokenizer = await model.tokenizer();
after(async () => {
  await model.release();
  tiny.remove();
  await rm(folder, { recursive: true });
});
const text = Array.from({ length: 300 }, (_, i) => `The ship sailed ${i} miles.`).join(" ");

test("configurations: every combination once, the baseline first and alone", () => {
  const found = configurations({ presets: ["sdtp", "baseline", "keep07", "sdtp"], scorers: ["norm", "random"] });
  assert.deepEqual(found.map(({ preset, scorer, kvPolicy }) => configurationLabel({ config: preset.name, scorer, kv_policy: kvPolicy })),
    ["baseline", "sdtp norm retain", "sdtp random retain", "keep07 norm evict", "keep07 random evict"]);
  assert.equal(configurations({ presets: ["sdtp"], scorers: ["norm"], kvPolicies: ["retain", "evict"] }).length, 3);
  assert.throws(() => configurations({ presets: ["keep6"], scorers: [] }), /preset: keep6/);
});

test("a fraction of the prompts is spread evenly and never empty", () => {
  const items = Array.from({ length: 10 }, (_, i) => i);
  assert.deepEqual(fractionOf(items, 1), items);
  assert.deepEqual(fractionOf(items, 0.3).length, 3);
  assert.deepEqual(fractionOf(items, 0.5), [1, 3, 5, 7, 9]);
  assert.deepEqual(fractionOf(items, 0.01), [0]);
  assert.throws(() => fractionOf(items, 0), /fraction: 0/);
});

test("perplexity: the baseline's loss is the reference's, and what a row says of tokens and bytes is true", async () => {
  const task = perplexityTask(tokenizer, { text, lengths: [40], continuation: 6, samples: 2 });
  assert.equal(task.items.length, 2);
  const rows = await evaluate(model, task, configurations({ presets: ["keep07"], scorers: ["recency"] }));
  assert.deepEqual(rows.map(({ item, config }) => `${item} ${config}`), ["40/0 baseline", "40/0 keep07", "40/1 baseline", "40/1 keep07"]);
  const ids = tokenizer.encode(text, { addSpecialTokens: false });
  for (const [start, row] of [[0, rows[0]!], [ids.length - 46, rows[2]!]] as const) {
    const expected = nextTokenLoss(tiny.config, tiny.weights, ids.slice(start, start + 46), [39, 40, 41, 42, 43, 44]);
    assert.ok(Math.abs(row.metrics["loss"]! - expected) < 1e-4, `${row.metrics["loss"]} instead of ${expected}`);
  }
  const [baseline, pruned] = [rows[0]!, rows[1]!];
  const { layers, kvHeads, headDim } = model.config;
  assert.deepEqual([baseline.compression, baseline.kv_bytes], [1, 8 * 40 * layers * kvHeads * headDim]);
  // keep07 keeps 28 of 40; in three blocks its stage stands after the first, and evict takes the others from there too.
  assert.deepEqual([pruned.kv_bytes, pruned.mean_tokens], [8 * 28 * layers * kvHeads * headDim, (40 + 28 + 28) / 3]);
  assert.notEqual(pruned.metrics["loss"], baseline.metrics["loss"]);
  assert.throws(() => perplexityTask(tokenizer, { text: "short", lengths: [40] }), /text: \d+ tokens/);
});

test("retrieval: the key asked for stands at its depth, the question ends the prompt, and the prompt is as long as asked", () => {
  const task = retrievalTask(tokenizer, { text, lengths: [300, 400], depths: [0, 0.5, 1], keys: 2, samples: 2 });
  assert.equal(task.items.length, 12);
  for (const { promptIds, group } of task.items) {
    assert.equal(promptIds.length, group["length"]);
    const prompt = tokenizer.decode(promptIds);
    const asked = / Recall: the (pass key of \w+) is$/.exec(prompt)![1]!;
    assert.equal([...prompt.matchAll(/ The pass key of \w+ is \d{5}\./g)].length, 2);
    const at = prompt.search(new RegExp(` The ${asked} is \\d{5}\\.`));
    const depth = Number(group["depth"]);
    if (depth === 0) assert.equal(at, 0);
    if (depth === 0.5) assert.ok(at > 0.2 * prompt.length && at < 0.7 * prompt.length, `${at} of ${prompt.length}`);
    if (depth === 1) assert.match(prompt.slice(at), /^ The pass key of \w+ is \d{5}\. Recall:/);
  }
  assert.deepEqual(retrievalTask(tokenizer, { text, lengths: [300], samples: 1 }).items.map(({ promptIds }) => promptIds), retrievalTask(tokenizer, { text, lengths: [300], samples: 1 }).items.map(({ promptIds }) => promptIds));
  assert.throws(() => retrievalTask(tokenizer, { text, lengths: [60] }), /prompt length: 60/);
  assert.throws(() => retrievalTask(tokenizer, { text, lengths: [300], depths: [2] }), /depth: 2/);
});

test("retrieval after prefill: every key is asked from the same run, and forks do not disturb each other", async () => {
  const task = retrievalTask(tokenizer, { text, lengths: [300], depths: [0.2, 0.8], samples: 1, ask: "after" });
  const [item] = task.items;
  assert.doesNotMatch(tokenizer.decode(item!.promptIds), /Recall/);
  const [row] = await evaluate(model, task, configurations({ presets: [], scorers: [] }));
  assert.deepEqual(row!.cells!.map(({ depth }) => depth), [0.2, 0.8]);
  const reversed = retrievalTask(tokenizer, { text, lengths: [300], depths: [0.2, 0.8], samples: 1, ask: "after" }).items[0]!;
  const again = await reversed.grade(await model.prefill(reversed.promptIds));
  assert.deepEqual(again.cells, row!.cells);
  assert.ok(Math.abs(row!.metrics["loss"]! - (Number(row!.cells![0]!["loss"]) + Number(row!.cells![1]!["loss"])) / 2) < 1e-9);
});

test("a stopped evaluation goes on: no row twice, a line cut short is measured again, other settings are other rows", async () => {
  const file = join(folder, "rows.jsonl");
  const task = perplexityTask(tokenizer, { text, lengths: [40], continuation: 4, samples: 3 });
  const chosen = configurations({ presets: ["keep07"], scorers: ["norm"] });
  const controller = new AbortController();
  await assert.rejects(evaluate(model, task, chosen, { file, signal: controller.signal, onRow: (_, { done }) => { if (done === 3) controller.abort(); } }), { name: "AbortError" });
  assert.equal((await readRows(file)).length, 3);
  await appendFile(file, '{"schema_version":1,"task":"perp');
  const rows = await evaluate(model, task, chosen, { file });
  assert.equal(rows.length, 6);
  const lines = (await readFile(file, "utf8")).trim().split("\n");
  assert.equal(lines.length, 6);
  assert.deepEqual((await evaluate(model, task, chosen, { file })).map((row) => row.prefill_latency_seconds), rows.map((row) => row.prefill_latency_seconds));
  await evaluate(model, perplexityTask(tokenizer, { text, lengths: [40], continuation: 5, samples: 1 }), chosen, { file });
  assert.equal((await readRows(file)).length, 8);
  await writeFile(file, `${lines[0]}\n{"schema_version":1}\n`);
  await assert.rejects(readRows(file), /rows\.jsonl, line 2: task/);
  await writeFile(file, "nonsense\n");
  await assert.rejects(readRows(file), /line 1 \(not JSON/);
});

const row = (item: string, config: string, exact: number, group: Record<string, number> = { length: 100, depth: 0 }): EvaluationRow => ({
  schema_version: 1, task: "retrieval", settings: {}, item, group, model: "m", model_hash: "h", config, preset: { base_depth: 1, stages: [] },
  scorer: config === "baseline" ? null : "norm", scorer_key: null, kv_policy: "evict", prompt_length: 100, metrics: { exact },
  prefill_latency_seconds: 1, decode_latency_seconds: 2, decoded_tokens: 4, mean_tokens: 50, compression: 2, kv_bytes: 10, kv_lens_after_prefill: [50],
});

test("a summary pairs each prompt with the baseline's answer to it", () => {
  const rows = Array.from({ length: 20 }, (_, i) => [row(String(i), "baseline", Number(i % 4 !== 0)), row(String(i), "sdtp", Number(i % 2 === 1))]).flat();
  const [baseline, pruned] = summarise(rows, "exact");
  assert.deepEqual([baseline!.mean, baseline!.difference, pruned!.mean, pruned!.difference!.mean], [0.75, null, 0.5, -0.25]);
  assert.ok(Math.abs(pruned!.share! - 2 / 3) < 1e-12);
  assert.ok(pruned!.interval.low < 0.5 && pruned!.interval.high > 0.5 && pruned!.difference!.interval.high < 0);
  assert.deepEqual([pruned!.tokenSeconds, pruned!.compression, pruned!.prompts], [0.5, 2, 20]);
  assert.throws(() => summarise(rows, "loss"), /metric: loss \(rows of retrieval have exact\)/);
  const measured = { name: "m", device: "cpu", dtype: "int8", computeDtype: "fp32 with int8 products", kvDtype: "fp16", threads: 2, checkpoint: { synthetic: true } };
  const printed = toMarkdown(evaluationTable(measured, { name: "retrieval", metric: "exact", better: "higher", settings: { lengths: [100], samples: 20 } }, [baseline!, pruned!]));
  assert.match(printed, /^Retrieval on m, device cpu, dtype int8 \(computed in fp32 with int8 products\), KV dtype fp16, threads 2, synthetic weights; lengths 100; samples 20\.$/m);
  assert.match(printed, /\| sdtp norm evict \| 0\.500 \|.*\| -0\.250 \|.*\| 2\.00 \| 0\.00 \| 1\.0000 \| 20 \|/);
});

test("a summary counts prompts that changed, sets the right answer's loss beside the score, and lists what lost most", () => {
  const metrics = (score: number, loss: number) => ({ score, loss, answer_tokens: 4, ended: 1 });
  const rows = [[1, 0.1, 0, 0.9], [1, 0.2, 0.5, 0.3], [0, 1, 1, 0.5], [1, 0.1, 1, 0.1]].flatMap(([a, la, b, lb], i) => [
    { ...row(String(i), "baseline", 0), metrics: metrics(a!, la!) }, { ...row(String(i), "sdtp", 0), output: `said ${i}`, metrics: metrics(b!, lb!) },
  ]);
  const [baseline, pruned] = summarise(rows, "score");
  assert.deepEqual([baseline!.changed, pruned!.changed], [null, { worse: 2, better: 1 }]);
  assert.ok(Math.abs(pruned!.loss!.difference!.mean - (0.8 + 0.1 - 0.5) / 4) < 1e-12);
  assert.equal(baseline!.loss!.difference, null);
  assert.deepEqual(pruned!.answers, { tokens: 4, ended: 1 });
  assert.deepEqual(worst(rows, { metric: "score", better: "higher" }, 5).map(({ item, was, is, output }) => [item, was, is, output]), [["0", 1, 0, "said 0"], ["1", 1, 0.5, "said 1"]]);
  assert.deepEqual(worst(rows, { metric: "loss", better: "lower" }, 1).map(({ item }) => item), ["0"]);
});

test("labels leave out the folders of files, unless others would have the same", () => {
  const of = (scorer: string | null) => ({ config: scorer === null ? "baseline" : "sdtp", scorer, kv_policy: "retain" });
  const [a, b, c] = [of("learned:/home/x/mine/pruner.safetensors"), of("learned:/home/y/yours/pruner.safetensors"), of("learned:/mnt/mine/pruner.safetensors")];
  assert.deepEqual([a, b, of("random:3"), of(null)].map(labeller([a, b])), ["sdtp learned:mine/pruner retain", "sdtp learned:yours/pruner retain", "sdtp random:3 retain", "baseline"]);
  assert.deepEqual([a, b, c].map(labeller([a, b, c])), ["sdtp learned:/home/x/mine/pruner.safetensors retain", "sdtp learned:yours/pruner retain", "sdtp learned:/mnt/mine/pruner.safetensors retain"]);
});

test("heat maps: a row a depth, a column a length, from prompts with one question and with several", () => {
  const single = [row("a", "baseline", 1, { length: 100, depth: 0 }), row("b", "baseline", 0, { length: 100, depth: 0 }), row("c", "baseline", 1, { length: 200, depth: 1 })];
  const [map] = heatMaps(single);
  assert.deepEqual([map!.lengths, map!.depths, map!.accuracy, map!.asked], [[100, 200], [0, 1], [[0.5, null], [null, 1]], [[2, 0], [0, 1]]]);
  assert.equal(heatMapText(map!), "baseline\ndepth   100    200\n 0.00  50 %      -\n 1.00     -  100 %");
  const several = [{ ...row("a", "baseline", 0.5, { length: 100 }), cells: [{ depth: 0, exact: 1 }, { depth: 1, exact: 0 }] }];
  assert.deepEqual(heatMaps(several)[0]!.accuracy, [[1], [0]]);
  const page = heatMapPage("<keys>", [map!]);
  assert.match(page, /&lt;keys&gt;/);
  assert.match(page, /hsl\(60 60% 70%\)[^>]*>50 %/);
});
