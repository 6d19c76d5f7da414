import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { packageRoot } from "../../../lib/checkpoint/package-root.js";
import { readPruner } from "../../../lib/methods/scorers/learned.js";
import { shippedPruners } from "../../../lib/runtime/pruners.js";

test("shipped modules: finite, with the hash of the model they are for, their recipe and a card", async () => {
  const folder = join(packageRoot(), "lib", "models", "pruners");
  const names = await shippedPruners();
  assert.ok(names.includes("smollm2-135m-instruct"));
  for (const name of names) {
    const file = join(folder, name, "pruner.safetensors");
    // `readPruner` refuses what is not finite.
    const { modules, metadata } = await readPruner(file);
    assert.match(metadata["model"]!, /^[0-9a-f]{64}$/, name);
    assert.deepEqual([...modules.keys()], JSON.parse(metadata["blocks"]!), name);
    const { learningRate, epochs, losses } = JSON.parse(metadata["recipe"]!) as Record<string, unknown>;
    assert.ok(learningRate && epochs && losses, name);
    assert.ok((await stat(file)).size < 4e6, `${name}: float16 is enough`);
    assert.ok(existsSync(join(folder, name, "README.md")), `${name} has no card`);
    assert.match(await readFile(join(folder, name, "README.md"), "utf8"), /sdtp train pruner/);
  }
});
