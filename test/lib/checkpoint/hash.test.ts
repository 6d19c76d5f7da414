import assert from "node:assert/strict";
import { open, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { listCache } from "../../../lib/checkpoint/cache.js";
import { digest, hashCheckpoint } from "../../../lib/checkpoint/hash.js";
import { readSafetensorsHeader, writeSafetensors } from "../../../lib/checkpoint/safetensors.js";
import { temporaryFolder } from "./fixtures.js";

/** A file with one tensor of `bytes` zeros, and a function that sets one of them. */
async function fileOf(t: TestContext, bytes: number) {
  const file = join(await temporaryFolder(t), "model.safetensors");
  await writeSafetensors(file, [{ name: "w", dtype: "U8", shape: [bytes], data: new Uint8Array(bytes) }]);
  const tensors = [...(await readSafetensorsHeader(file)).tensors.values()];
  const poke = async (at: number) => {
    const handle = await open(file, "r+");
    await handle.write(Uint8Array.of(1), 0, 1, tensors[0]!.offset + at);
    await handle.close();
  };
  return { tensors, poke };
}

test("samples cover both ends and differ from the whole", async (t) => {
  const size = 16 * 65536 * 2;
  const { tensors, poke } = await fileOf(t, size);
  const sampled = await digest({}, tensors, true);
  assert.notEqual(sampled, await digest({}, tensors, false));
  const seen = new Set([sampled]);
  for (const at of [0, size - 1, 65535]) {
    await poke(at);
    seen.add(await digest({}, tensors, true));
  }
  assert.equal(seen.size, 4);
  // Between the first sample and the second: only the whole hash sees it.
  const [before, whole] = [await digest({}, tensors, true), await digest({}, tensors, false)];
  await poke(65536);
  assert.equal(await digest({}, tensors, true), before);
  assert.notEqual(await digest({}, tensors, false), whole);
});

test("the hash of a big file is kept until the file changes", async (t) => {
  const cache = await temporaryFolder(t);
  const previous = process.env.SDTP_CACHE;
  process.env.SDTP_CACHE = cache;
  t.after(() => {
    if (previous === undefined) delete process.env.SDTP_CACHE;
    else process.env.SDTP_CACHE = previous;
  });
  const { tensors, poke } = await fileOf(t, 100_000);
  const hashOf = (config: object) => hashCheckpoint(config, tensors, 99_999);
  await hashCheckpoint({ a: 1 }, tensors, 100_000);
  assert.deepEqual(await listCache(cache), [], "small files are hashed anew");
  const first = await hashOf({ a: 1 });
  assert.equal(first, await digest({ a: 1 }, tensors, false));
  const [entry] = await listCache(cache);
  assert.match(entry!.key, /^hash-/);
  // What is kept is what comes back.
  await writeFile(join(entry!.folder, "sha256"), "kept");
  assert.equal(await hashOf({ a: 1 }), "kept");
  assert.equal(await hashOf({ a: 2 }), await digest({ a: 2 }, tensors, false));
  await poke(12345);
  const changed = await hashOf({ a: 1 });
  assert.equal(changed, await digest({ a: 1 }, tensors, false));
  assert.notEqual(changed, first);
});
