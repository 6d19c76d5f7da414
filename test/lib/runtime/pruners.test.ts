import assert from "node:assert/strict";
import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { openCheckpoint } from "../../../lib/checkpoint/open.js";
import { writeSafetensors } from "../../../lib/checkpoint/safetensors.js";
import { prunerFile, shippedPruner, shippedPruners } from "../../../lib/runtime/pruners.js";
import { resolveScorer } from "../../../lib/runtime/scorers.js";
import { tinyCheckpoint } from "../../reference/checkpoints.js";

/** Modules after block 0, trained on a model of that hash. */
async function ship(file: string, hash: string, d: number): Promise<void> {
  await mkdir(join(file, ".."), { recursive: true });
  const tensor = (name: string, shape: number[]) => ({ name: `0.scorer.${name}`, dtype: "F16" as const, shape, data: new Float32Array(shape.reduce((a, b) => a * b)).fill(0.5) });
  await writeSafetensors(file, [tensor("0.weight", [4, d]), tensor("0.bias", [4]), tensor("2.weight", [1, 4]), tensor("2.bias", [1])], { model: hash });
}

test("modules are found by the checkpoint's hash, whatever dtype weights are held in; those beside the weights go first", async (t) => {
  const [tiny, other] = [tinyCheckpoint("llama"), tinyCheckpoint("llama", { seed: 2 })];
  const shipped = await mkdtemp(join(tmpdir(), "sdtp-pruners-"));
  t.after(async () => {
    tiny.remove();
    other.remove();
    await rm(shipped, { recursive: true });
  });
  const checkpoint = await openCheckpoint(tiny.folder);
  assert.equal(await prunerFile(checkpoint, shipped), null);
  await ship(join(shipped, "mine", "pruner.safetensors"), await checkpoint.hash(), checkpoint.config.hiddenSize);
  await ship(join(shipped, "wide", "pruner.safetensors"), "0".repeat(64), 2 * checkpoint.config.hiddenSize);
  await mkdir(join(shipped, "empty"));
  assert.deepEqual(await shippedPruners(shipped), ["mine", "wide"]);
  const found = join(shipped, "mine", "pruner.safetensors");
  assert.equal(await prunerFile(checkpoint, shipped), found);
  assert.equal(await prunerFile(await openCheckpoint(tiny.folder, { dtype: "int8" }), shipped), found);
  assert.equal(await prunerFile(await openCheckpoint(other.folder), shipped), null);
  assert.equal(await shippedPruner("mine", shipped), found);
  assert.equal(await shippedPruner("yours", shipped), null);
  await ship(join(tiny.folder, "pruner.safetensors"), "anything", checkpoint.config.hiddenSize);
  assert.equal(await prunerFile(checkpoint, shipped), join(tiny.folder, "pruner.safetensors"));
  assert.equal((await resolveScorer("learned", checkpoint)).name, "learned");
  await assert.rejects(resolveScorer("learned:yours", null), /yours does not exist, nor are there modules of that name \(the package has /);
});
