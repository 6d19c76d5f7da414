// Gradients through the blocks of every family against transformers and torch.
import assert from "node:assert/strict";
import { test } from "node:test";
import { openCheckpoint } from "../../../lib/checkpoint/open.js";
import { cases, checkpointOf, compareSaliency } from "../../reference/transformers/cases.js";

const types = new Map(Object.entries(cases.cases).map(([name, config]) => [config["model_type"], name]));
for (const name of [...types.values(), "olmo3", "stablelm", "gpt_neox", "phi4-mini", "llama-yarn-mscale"]) {
  test(`saliency of ${name} is torch's gradient`, async (t) => {
    const checkpoint = checkpointOf(name);
    t.after(() => checkpoint.remove());
    const value = await compareSaliency(name, await openCheckpoint(checkpoint.folder));
    assert.ok(value < 1e-3, `${value}`);
  });
}
