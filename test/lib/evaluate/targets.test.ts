import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { openCheckpoint } from "../../../lib/checkpoint/open.js";
import { targetModules } from "../../../lib/evaluate/targets.js";
import { readPruner } from "../../../lib/methods/scorers/learned.js";
import { tinyCheckpoint } from "../../reference/checkpoints.js";

test("modules for several targets: the same prompts and recipe, a folder each; a second run measures nothing", async (t) => {
  const tiny = tinyCheckpoint("llama");
  const folder = await mkdtemp(join(tmpdir(), "sdtp-targets-"));
  t.after(async () => {
    tiny.remove();
    await rm(folder, { recursive: true });
  });
  const checkpoint = await openCheckpoint(tiny.folder);
  const examples = Array.from({ length: 4 }, (_, i) => ({ ids: Array.from({ length: 30 }, (_, token) => (token * 29 + i * 31 + 3) % 250), promptLength: 24 }));
  const measured: string[] = [];
  const make = () => targetModules({
    checkpoint, examples, folder, targets: ["gradnorm", "attention"], blocks: [0, 1], threads: 1,
    recipe: { kvPolicy: "evict", epochs: 1, batch: 2, seed: 0, heldOut: 0.25 }, onExample: (target) => measured.push(target),
  });
  const made = await make();
  assert.deepEqual(measured, [...Array<string>(4).fill("gradnorm"), ...Array<string>(4).fill("attention")]);
  assert.deepEqual(made.map(({ target, file }) => [target, file]), [["gradnorm", join(folder, "gradnorm", "pruner.safetensors")], ["attention", join(folder, "attention", "pruner.safetensors")]]);
  const pruners = await Promise.all(made.map(({ file }) => readPruner(file)));
  assert.notEqual(pruners[0]!.id, pruners[1]!.id);
  for (const [i, { metadata }] of pruners.entries()) {
    assert.equal(JSON.parse(metadata["saliency"]!).target, made[i]!.target);
    assert.equal(metadata["recipe"], pruners[0]!.metadata["recipe"]);
    assert.equal(metadata["data"], pruners[0]!.metadata["data"]);
    assert.equal(made[i]!.agreement.length, 2);
  }
  const again = await make();
  assert.equal(measured.length, 8, "measured once");
  assert.deepEqual(await Promise.all(again.map(async ({ file }) => (await readPruner(file)).id)), pruners.map(({ id }) => id));
  assert.ok(again.every(({ saliencySeconds }) => saliencySeconds === 0));
});
