// Long prompts: what a cell would hold.
import assert from "node:assert/strict";
import { test } from "node:test";
import { retention } from "../../../../lib/report/views/index.js";
import { HostCache } from "../../../../lib/runtime/host-cache.js";
import type { Run } from "../../../../lib/runtime/run.js";

test("a map of 32768 tokens and 12 layers is drawn downsampled", () => {
  const n = 32768;
  const kv = HostCache.empty({ kvHeads: 1, headDim: 1 }, new Array<number>(12).fill(n));
  kv.layers.forEach((layer, l) => {
    const positions = Int32Array.from({ length: Math.ceil(n / (l + 1)) }, (_, i) => i * (l + 1));
    layer.append({ key: new Float32Array(positions.length), value: new Float32Array(positions.length) }, positions.length, positions);
  });
  const run = { ids: new Array<number>(n).fill(1), kv, preset: { name: "test" }, scorer: null, kvPolicy: "retain" } as unknown as Run;
  const map = retention(run);
  assert.equal(map.columns, 512);
  map.share.forEach((row, l) => row.forEach((share) => assert.ok(Math.abs(share - 1 / (l + 1)) < 0.02)));
  assert.ok(JSON.stringify(map.figure).length < 100_000 && map.html.length < 100_000 && JSON.stringify(map).length < 200_000);
});
