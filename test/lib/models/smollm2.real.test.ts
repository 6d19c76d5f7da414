// A pretrained model against transformers: SmolLM2-135M-Instruct, as the GGUF file that it comes in and as the Hugging Face folder
// that `export-model` makes of it. Values: test/reference/smollm2/reference.py.
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, test } from "node:test";
import { openCheckpoint, packageRoot } from "../../../lib/checkpoint/index.js";
import { once } from "../../../lib/checkpoint/once.js";
import { exportModel } from "../../../lib/export-model/index.js";
import { verifyRun } from "../../../lib/inspect/index.js";
import { defineScorer } from "../../../lib/methods/scorer.js";
import { chatPrompt } from "../../../lib/runtime/chat.js";
import { generate } from "../../../lib/runtime/generate.js";
import { loadRun } from "../../../lib/runtime/load-run.js";
import { load, type LoadOptions, type Model } from "../../../lib/runtime/model.js";
import type { Run } from "../../../lib/runtime/run.js";
import { crossEntropy } from "../../reference/operations.js";
import { relativeError } from "../relative-error.js";
import { reference, smollm2, type Told } from "./smollm2.js";

const found = await smollm2();
const skip = "missing" in found ? found.missing : false;
const folder = mkdtempSync(join(tmpdir(), "sdtp-smollm2-"));
after(() => rmSync(folder, { recursive: true, force: true }));

const file = "file" in found ? found.file : "";
const cacheFolder = join(folder, "cache");
const open = (path: string, options: LoadOptions = {}) => load(path, { cacheFolder, ...options });
const text = readFileSync(join(packageRoot(), "lib", "bench", "prompts", "held-out.txt"), "utf8").slice(0, reference.text.characters);

/** The folder that `export-model` makes of the file. */
const exported = once(async () => {
  const output = join(folder, "hf");
  await exportModel(await openCheckpoint(file, { cacheFolder }), { to: "safetensors", output, dtype: "fp32" });
  return output;
});
/** The prose that all prompts are of. */
const prose = once(async () => (await (await openCheckpoint(file, { cacheFolder })).tokenizer()).encode(text, { addSpecialTokens: false }));

function assertLogits(logits: Float32Array, told: Told, tolerance = 1e-4): void {
  const expected = new Float32Array(new Uint8Array(Buffer.from(told.sample, "base64")).buffer);
  const error = relativeError(Float32Array.from(expected, (_, i) => logits[i * reference.sample.step]!), expected);
  assert.ok(error < tolerance, `logits differ by ${error} of the largest`);
  assert.equal(choice(logits), told.token);
}

const choice = (logits: Float32Array): number => logits.reduce((best, value, token) => (value > logits[best]! ? token : best), 0);

/** The loss of 511 tokens of prose after 512, from the cache, and how many first choices of 513 are transformers' own. */
async function forced(model: Model): Promise<{ loss: number; same: number }> {
  const ids = await prose();
  const run = await model.prefill(ids.slice(0, 512), { reserve: 512 });
  const choices = [choice(run.logits)];
  let loss = crossEntropy(Float64Array.from(run.logits), ids[512]!);
  const all = await run.extend(ids.slice(512, 1024));
  for (let i = 0; i < 512; i++) {
    const logits = all.subarray(i * model.config.vocabSize, (i + 1) * model.config.vocabSize);
    choices.push(choice(logits));
    if (i < 511) loss += crossEntropy(Float64Array.from(logits), ids[513 + i]!);
  }
  return { loss: loss / 512, same: choices.filter((token, i) => token === reference.choices[i]).length };
}

describe("SmolLM2-135M-Instruct", { skip }, () => {
  test("the GGUF file: tokens of odd strings and of prose, and the chat template's text", async () => {
    const checkpoint = await openCheckpoint(file, { cacheFolder });
    assert.equal(checkpoint.dtype, "q4_1");
    const tokenizer = await checkpoint.tokenizer();
    for (const [i, [string, expected]] of reference.strings.entries()) {
      assert.deepEqual(tokenizer.encode(string), expected, JSON.stringify(string));
      assert.equal(tokenizer.decode([...expected]), reference.decoded[i]);
    }
    const ids = await prose();
    assert.equal(ids.length, reference.text.tokens);
    assert.equal(createHash("sha256").update(JSON.stringify(ids)).digest("hex"), reference.text.sha256);
    const template = await checkpoint.chatTemplate();
    for (const chat of reference.chats) {
      assert.equal(template.render(chat.messages), chat.text);
      assert.deepEqual(tokenizer.encode(chat.text, { addSpecialTokens: false }), chat.prompt);
    }
  });

  test("the GGUF file as it is held, with activations in float32: logits and greedy answers", async (t) => {
    const model = await open(file, { accuracy: "float32" });
    t.after(() => model.release());
    assertLogits((await model.prefill((await prose()).slice(0, 1024))).logits, reference.logits["1024"]!);
    for (const { prompt, answer } of [reference.chats[0]!, reference.chats[3]!]) assert.deepEqual((await generate(model, prompt, { maxNewTokens: 48 })).ids, answer);
  });

  test("the GGUF file as it is loaded by default: no worse on prose than in float32", async (t) => {
    const model = await open(file);
    t.after(() => model.release());
    const { loss, same } = await forced(model);
    assert.ok(Math.abs(loss - reference.loss) < 0.02, `loss ${loss}, transformers' ${reference.loss}`);
    assert.ok(same > 0.9 * 513, `${same} of 513 choices`);
    const reply = await model.chat(reference.chats[1]!.messages, { maxNewTokens: 16 });
    assert.match(reply.text, /blue/);
  });

  test("a folder made of it: logits at 1, 4 and 8 thousand tokens, every choice, greedy answers", async (t) => {
    const [model, ids] = [await open(await exported()), await prose()];
    t.after(() => model.release());
    assert.deepEqual((await model.tokenizer()).encode(text, { addSpecialTokens: false }), ids);
    for (const [n, told] of Object.entries(reference.logits)) assertLogits((await model.prefill(ids.slice(0, Number(n)))).logits, told);
    const { loss, same } = await forced(model);
    assert.equal(same, 513);
    assert.ok(Math.abs(loss - reference.loss) < 1e-4, String(loss - reference.loss));
    for (const { messages, prompt, answer } of reference.chats) {
      assert.deepEqual((await chatPrompt(model, messages)).ids, prompt);
      assert.deepEqual((await generate(model, prompt, { maxNewTokens: 48 })).ids, answer);
    }
  });

  // What is lost is measured here for this one text; the bounds are about twice of that.
  for (const [dtype, most] of [["fp16", 0.002], ["int8", 0.02], ["int4:nearest", 0.5]] as const) {
    test(`weights in ${dtype}: the loss grows by less than ${most} nats a token`, async (t) => {
      const model = await open(await exported(), { dtype });
      t.after(() => model.release());
      const { loss } = await forced(model);
      assert.ok(Math.abs(loss - reference.loss) < most, `loss ${loss}, transformers' ${reference.loss}`);
    });
  }

  for (const [kvDtype, most, choices] of [["fp16", 0.001, 511], ["int8", 0.01, 500]] as const) {
    test(`a ${kvDtype} cache: the loss differs by less than ${most}, ${choices} of 513 choices at least are the same`, async (t) => {
      const model = await open(await exported(), { kvDtype });
      t.after(() => model.release());
      const { loss, same } = await forced(model);
      assert.ok(Math.abs(loss - reference.loss) < most, `loss ${loss}, transformers' ${reference.loss}`);
      assert.ok(same >= choices, `${same} choices`);
    });
  }

  describe("pruned by a scorer of one's own", { skip }, () => {
    // Integers with ties, as the reference has them.
    const scattered = defineScorer("scattered", (g, { positions, config }) =>
      g.gather(g.constant("float32", Array.from({ length: config.maxPositions }, (_, position) => (position * 7919) % 1009)), positions));
    const prefill = async (model: Model, preset: string): Promise<Run> => model.prefill((await prose()).slice(0, 1024), { preset, scorer: scattered, reserve: 32 });

    for (const preset of ["keep07", "sdtp"] as const) {
      const expected = reference.pruned[preset]!;
      test(`${preset}: what stays, logits, and tokens from the pruned cache, saved and read back`, async (t) => {
        const model = await open(await exported());
        t.after(() => model.release());
        const run = await prefill(model, preset);
        assert.deepEqual([...run.kept], expected.kept);
        assertLogits(run.logits, expected);
        assert.ok((await verifyRun(run)).ok);
        const saved = join(folder, `${preset}.safetensors`);
        await run.save(saved);
        const again = await loadRun(saved);
        assert.deepEqual(again.logits, run.logits);
        assert.deepEqual(again.kv.summary(), run.kv.summary());
        for (const layer of [0, 29]) assert.deepEqual(again.kv.layer(layer).key(1), run.kv.layer(layer).key(1));
        const tokens: number[] = [];
        let logits = run.logits;
        for (let i = 0; i < expected.tokens.length; i++) {
          tokens.push(choice(logits));
          logits = await run.extend([tokens.at(-1)!]);
        }
        assert.deepEqual(tokens, expected.tokens);
        assertLogits(logits, expected.last);
      });
    }

    test("the GGUF file is pruned alike", async (t) => {
      const model = await open(file, { accuracy: "float32" });
      t.after(() => model.release());
      const run = await prefill(model, "keep07");
      assert.deepEqual([...run.kept], reference.pruned["keep07"]!.kept);
      assertLogits(run.logits, reference.pruned["keep07"]!);
    });
  });
});
