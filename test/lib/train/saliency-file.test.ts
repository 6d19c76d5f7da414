import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { appendFile, mkdtemp, readFile, rm, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { openCheckpoint } from "../../../lib/checkpoint/open.js";
import { readExamples, type Example } from "../../../lib/train/examples.js";
import { SaliencyFile } from "../../../lib/train/saliency-file.js";
import { saliencyMap, saliencySparsity } from "../../../lib/train/saliency-map.js";
import { measureSaliency } from "../../../lib/train/saliency-run.js";
import { SaliencyMeter } from "../../../lib/train/saliency.js";
import { tinyCheckpoint } from "../../reference/checkpoints.js";

const folder = await mkdtemp(join(tmpdir(), "sdtp-saliency-"));
const tiny = tinyCheckpoint("llama");
const checkpoint = await openCheckpoint(tiny.folder);
after(async () => {
  tiny.remove();
  await rm(folder, { recursive: true });
});

const examples: Example[] = [12, 9, 20].map((n, row) => ({ ids: Array.from({ length: n }, (_, i) => (i * 29 + 7 * row) % 250), promptLength: n - 4 }));
const run = (name: string, extra = {}) => measureSaliency({ checkpoint, examples, blocks: [0, 1], out: join(folder, name), threads: 1, ...extra });

test("a file holds every example's saliency, as measured, with its tokens", async () => {
  const file = await run("whole.safetensors");
  assert.deepEqual(file.settings, { blocks: [0, 1], target: "gradnorm", loss: "response", objective: "log-odds", model: await checkpoint.hash() });
  assert.equal(file.length, 3);
  const meter = await SaliencyMeter.create(checkpoint, { blocks: [0, 1], threads: 1 });
  for (const [index, example] of examples.entries()) {
    assert.deepEqual(file.example(index), example);
    assert.deepEqual(await file.values(index), (await meter.measure(example)).values);
  }
  await meter.release();
  await assert.rejects(file.values(3), /example: 3 \(must be 0 … 2\)/);
});

test("a run that was stopped goes on and ends with the same file, byte for byte", async () => {
  const controller = new AbortController();
  let measured = 0;
  const onExample = () => {
    measured++;
    controller.abort();
  };
  await assert.rejects(run("resumed.safetensors", { signal: controller.signal, onExample }), { name: "AbortError" });
  assert.ok(!existsSync(join(folder, "resumed.safetensors")));
  // As after a crash in the middle of a write.
  await appendFile(join(folder, "resumed.safetensors.partial"), new Uint8Array(10));
  await run("resumed.safetensors", { onExample });
  assert.equal(measured, 3);
  await run("whole.safetensors");
  assert.deepEqual(await readFile(join(folder, "resumed.safetensors")), await readFile(join(folder, "whole.safetensors")));
  assert.ok(!existsSync(join(folder, "resumed.safetensors.partial")));
});

test("a partial file cut anywhere goes on from the last whole example", async () => {
  const whole = await readFile(join(folder, "whole.safetensors"));
  for (const size of [0, 1, 95, 96, 150]) {
    const controller = new AbortController();
    const stop = { signal: controller.signal, onExample: ({ done }: { done: number }) => { if (done === 2) controller.abort(); } };
    await assert.rejects(run("cut.safetensors", stop));
    await truncate(join(folder, "cut.safetensors.partial"), size);
    await run("cut.safetensors");
    assert.deepEqual(await readFile(join(folder, "cut.safetensors")), whole);
    await rm(join(folder, "cut.safetensors"));
  }
});

test("a finished file of the same settings is not measured again; one of others is refused and left, a partial one too", async () => {
  const never = () => assert.fail("measured again");
  await run("whole.safetensors", { onExample: never });
  const before = await readFile(join(folder, "whole.safetensors"));
  await assert.rejects(run("whole.safetensors", { target: "abs", onExample: never }), /whole\.safetensors \(is finished, with target gradnorm, not abs: delete it, or choose another output file\)/);
  await assert.rejects(run("whole.safetensors", { examples: examples.slice(1), onExample: never }), /is finished, of 3 other examples/);
  await assert.rejects(run("whole.safetensors", { examples: [...examples].reverse(), onExample: never }), /is finished, of 3 other examples/);
  assert.deepEqual(await readFile(join(folder, "whole.safetensors")), before);
  const controller = new AbortController();
  await assert.rejects(run("begun.safetensors", { signal: controller.signal, onExample: () => controller.abort() }));
  await assert.rejects(run("begun.safetensors", { loss: "all" }), /begun\.safetensors\.partial \(was begun with another model, data or settings/);
});

test("more examples after the same ones extend a finished file, hidden states with it, to what one run gives", async () => {
  await run("all.safetensors", { states: true });
  await run("grown.safetensors", { states: true, examples: examples.slice(0, 1) });
  let measured = 0;
  const controller = new AbortController();
  await assert.rejects(run("grown.safetensors", { states: true, signal: controller.signal, onExample: () => { measured++; controller.abort(); } }), { name: "AbortError" });
  await run("grown.safetensors", { states: true, onExample: () => measured++ });
  assert.equal(measured, 2);
  for (const end of ["", ".states"]) assert.deepEqual(await readFile(join(folder, `grown.safetensors${end}`)), await readFile(join(folder, `all.safetensors${end}`)));

  const file = await SaliencyFile.open(join(folder, "all.safetensors"));
  const meter = await SaliencyMeter.create(checkpoint, { blocks: [0, 1], states: true, threads: 1 });
  for (const [index, example] of examples.entries()) {
    const { states } = await meter.measure(example);
    const kept = (await file.states(index))!;
    kept.forEach((state, b) => {
      assert.equal(state.length, example.promptLength * checkpoint.config.hiddenSize);
      assert.ok(state.every((value, i) => Math.abs(value - states![b]![i]!) <= 1e-3 * Math.abs(value) + 1e-6));
    });
  }
  await meter.release();
  assert.equal(await (await SaliencyFile.open(join(folder, "whole.safetensors"))).states(0), null);
});

test("a map has a row a block; sparsity counts the prompt's tokens far below the largest", async () => {
  const file = await run("map.safetensors");
  const map = await saliencyMap(file, 1, await checkpoint.tokenizer());
  assert.deepEqual([map.values.length, map.tokens.length, map.promptLength], [2, 9, 5]);
  const shares = await saliencySparsity(file, 0.5);
  for (const [b, { block, share }] of shares.entries()) {
    assert.equal(block, b);
    let expected = 0;
    for (const [index, { promptLength }] of examples.entries()) {
      const row = [...(await file.values(index))[b]!.subarray(0, promptLength)];
      expected += row.filter((x) => x < 0.5 * Math.max(...row)).length / promptLength / 3;
    }
    assert.ok(Math.abs(share - expected) < 1e-6);
    assert.ok(share > 0 && share < 1);
  }
  await assert.rejects(saliencySparsity(file, 2), /sparsity threshold: 2/);
});

test("another safetensors file is refused", async () => {
  await assert.rejects(SaliencyFile.open(join(tiny.folder, "model.safetensors")), /saliency file: .* \(not written by sdtp train saliency\)/);
});

test("examples: JSON lines, dolly-15k's fields and plain text; what is too long is cut where it matters least", async () => {
  const tokenizer = await checkpoint.tokenizer();
  const encode = (text: string) => tokenizer.encode(text, { addSpecialTokens: false });
  const lines = join(folder, "data.jsonl");
  await writeFile(lines, [
    { prompt: "The key is", response: " 123." },
    { instruction: "Who?", context: "Ada wrote.", response: "Ada", category: "qa" },
    { instruction: "Who?", context: "", response: "Bob" },
  ].map((record) => JSON.stringify(record)).join("\n\n") + "\n");
  const [first, second, third] = await readExamples([lines], tokenizer);
  assert.deepEqual(first, { ids: [...tokenizer.encode("The key is"), ...encode(" 123.")], promptLength: tokenizer.encode("The key is").length });
  assert.deepEqual(second!.ids, [...tokenizer.encode("Ada wrote.\n\nWho?\n\n"), ...encode("Ada")]);
  assert.deepEqual(third!.ids, [...tokenizer.encode("Who?\n\n"), ...encode("Bob")]);

  const prompt = Array.from({ length: 40 }, (_, i) => String.fromCharCode(97 + (i % 26))).join("");
  const response = "zyxwvutsrqponmlkjihgfedcba";
  const long = join(folder, "long.jsonl");
  await writeFile(long, JSON.stringify({ prompt, response }));
  const [cut] = await readExamples([long], tokenizer, { length: 20 });
  const all = tokenizer.encode(prompt);
  assert.deepEqual([cut!.ids.length, cut!.promptLength], [20, 10]);
  assert.deepEqual(cut!.ids, [...all.slice(0, 5), ...all.slice(-5), ...encode(response).slice(0, 10)]);

  const text = join(folder, "prose.txt");
  await writeFile(text, prompt.repeat(3));
  const windows = await readExamples([text], tokenizer, { length: 32, limit: 2 });
  assert.deepEqual(windows.map(({ ids, promptLength }) => [ids.length, promptLength]), [[32, 28], [32, 28]]);
  assert.deepEqual(windows.flatMap(({ ids }) => ids), encode(prompt.repeat(3)).slice(0, 64));
});

test("bad data files are errors that say where", async () => {
  const tokenizer = await checkpoint.tokenizer();
  const file = join(folder, "bad.jsonl");
  const given = async (text: string) => {
    await writeFile(file, text);
    return readExamples([file], tokenizer);
  };
  await assert.rejects(given('{"prompt": "a", "response": "b"}\n{"prompt": "a"'), /bad\.jsonl, line 2: not JSON/);
  await assert.rejects(given("[]\n"), /line 1: response: missing/);
  await assert.rejects(given('{"prompt": "a", "response": 3}'), /line 1: response: 3 \(must be a string/);
  await assert.rejects(given('{"prompt": "a", "response": ""}'), /line 1: response: "" \(must hold at least one token\)/);
  await assert.rejects(given("\n"), /no examples in it/);
  await assert.rejects(readExamples([join(folder, "none.jsonl")], tokenizer), /none\.jsonl \(no such file\)/);
  await assert.rejects(readExamples([file], tokenizer, { length: 3 }), /example length: 3/);
});
