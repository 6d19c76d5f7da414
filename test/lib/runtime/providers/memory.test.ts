// The plan of memory for a prompt on a provider, against what OpenVINO took (results/published/speed.md): none is opened here.
import assert from "node:assert/strict";
import { test } from "node:test";
import { openCheckpoint } from "../../../../lib/checkpoint/open.js";
import { Model } from "../../../../lib/runtime/model.js";
import { pluginHome } from "../../../../lib/runtime/providers/home.js";

const plugin = { device: "openvino", file: "/none.so", version: "1.8.1" } as const;
/** Most anonymous memory of a process with the embedded model and a prompt of 1024 tokens on it, in MiB. */
const TOOK = 329;

test("what a prompt takes on a provider is planned as it was measured, and more tokens and exact numbers take more", async () => {
  const model = new Model(await openCheckpoint("tiny", {}), { threads: 2 }, pluginHome(plugin, { accuracy: "bfloat16" }));
  const mebibytes = (n: number, of = model) => of.memory(n).total / 2 ** 20;
  assert.ok(mebibytes(1024) >= TOOK && mebibytes(1024) < 1.25 * TOOK, `${mebibytes(1024)} MiB`);
  assert.ok(mebibytes(4096) > mebibytes(1024) + 3 * (mebibytes(1024) - mebibytes(1)) * 0.9);
  const exact = new Model(await openCheckpoint("tiny", {}), { threads: 2 }, pluginHome(plugin));
  assert.ok(exact.memory(1024).weights > model.memory(1024).weights);
});

test("a prompt that does not fit is refused before the provider is opened, with the longest that would fit", async () => {
  const model = new Model(await openCheckpoint("tiny", {}), { threads: 2, memoryLimit: 5e8 }, pluginHome(plugin, { accuracy: "bfloat16" }));
  await assert.rejects(model.prefill(new Array<number>(8000).fill(5)), ({ message }: Error) => {
    const longest = Number(/^memory: .* for a prompt of 8000 tokens .*at most (\d+) tokens fit/.exec(message)?.[1]);
    return longest > 500 && longest < 8000 && model.memory(longest).total <= 5e8;
  });
});
