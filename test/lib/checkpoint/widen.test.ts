import assert from "node:assert/strict";
import { join } from "node:path";
import { readdir } from "node:fs/promises";
import { test } from "node:test";
import { openCheckpoint } from "../../../lib/checkpoint/open.js";
import { allValues } from "../../../lib/checkpoint/values.js";
import { bytesToWiden, widened } from "../../../lib/checkpoint/widen.js";
import { tinyCheckpoint } from "../../reference/checkpoints.js";
import { temporaryFolder } from "./fixtures.js";

for (const variant of ["llama", "phi3", "gpt2"] as const) {
  test(`${variant}: 16-bit weights, parts and turned ones are widened once, each value as it was; what the model is called stays`, async (t) => {
    const tiny = tinyCheckpoint(variant, { dtype: "BF16" });
    t.after(() => tiny.remove());
    const cacheFolder = await temporaryFolder(t);
    const checkpoint = await openCheckpoint(tiny.folder);
    const wide = await widened(checkpoint, { cacheFolder });
    assert.deepEqual([wide.dtype, wide.name, await wide.hash()], [checkpoint.dtype, checkpoint.name, await checkpoint.hash()]);
    assert.equal(wide.original, checkpoint);
    for (const [name, tensor] of wide.tensors) {
      assert.deepEqual([tensor.dtype, tensor.view, tensor.shape], ["F32", undefined, checkpoint.tensors.get(name)!.shape], name);
      assert.deepEqual(await allValues(tensor), await allValues(checkpoint.tensors.get(name)!), name);
    }
    const made = (await readdir(cacheFolder)).filter((name) => name.startsWith("float32-"));
    assert.equal(made.length, 1);
    const again = await widened(checkpoint, { cacheFolder });
    assert.equal([...again.tensors.values()][0]!.file, join(cacheFolder, made[0]!, "model.safetensors"));
  });
}

test("only large models are worth it, without blocks, experts or a head beside the embedding", async (t) => {
  const tiny = tinyCheckpoint("llama", { dtype: "BF16" });
  t.after(() => tiny.remove());
  const small = await openCheckpoint(tiny.folder);
  assert.equal(bytesToWiden(small), 0);
  const [[name, tensor]] = [...small.tensors] as [[string, (typeof small.tensors extends ReadonlyMap<string, infer T> ? T : never)]];
  const large = { ...small, tensors: new Map([...small.tensors, [name, { ...tensor, shape: [50_000, 1000] }]]) };
  assert.ok(bytesToWiden(large) >= 200e6);
  assert.equal(bytesToWiden({ ...large, tensors: new Map([...large.tensors].map(([key, each]) => [key, { ...each, dtype: "F32" as const }])) }), 0);
  assert.equal(bytesToWiden({ ...large, config: { ...large.config, experts: { count: 2 } as never } }), 0);
});
