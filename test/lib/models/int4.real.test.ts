// What 4 bits cost a pretrained model: SmolLM2-135M-Instruct, off the 4-bit grid that its file has it on (results/published/int4/off-grid.mjs).
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { promisify } from "node:util";
import { bootstrap } from "../../../lib/bench/statistics.js";
import { packageRoot } from "../../../lib/checkpoint/index.js";
import { forcedLosses, mean } from "../../../lib/evaluate/forced.js";
import { load } from "../../../lib/runtime/model.js";
import { smollm2 } from "./smollm2.js";

const found = await smollm2();
const skip = "missing" in found ? found.missing : false;
const folder = mkdtempSync(join(tmpdir(), "sdtp-int4-"));
after(() => rmSync(folder, { recursive: true, force: true }));

/** Tokens of a prompt, and of what is predicted after it. */
const [PROMPT, AFTER, PIECES] = [256, 256, 12] as const;

test("int4 rounded by inputs: the loss grows by less than 0.15 nats, to its interval, and by less than 0.65 of what rounding to nearest costs", { skip }, async () => {
  const model = join(folder, "off-grid");
  await promisify(execFile)(process.execPath, [join(packageRoot(), "results", "published", "int4", "off-grid.mjs"), "file" in found ? found.file : "", model]);
  const text = readFileSync(join(packageRoot(), "lib", "bench", "prompts", "held-out.txt"), "utf8");
  const losses: number[][] = [];
  for (const dtype of ["fp32", "int4:nearest", "int4"]) {
    const loaded = await load(model, { dtype, cacheFolder: join(folder, "cache") });
    const ids = (await loaded.tokenizer()).encode(text, { addSpecialTokens: false });
    const each: number[] = [];
    for (let piece = 0; piece < PIECES; piece++) {
      const start = Math.floor((piece * (ids.length - PROMPT - AFTER)) / (PIECES - 1));
      const run = await loaded.prefill(ids.slice(start, start + PROMPT), { reserve: AFTER });
      each.push(mean(await forcedLosses(run, ids.slice(start + PROMPT, start + PROMPT + AFTER))));
    }
    losses.push(each);
    await loaded.release();
  }
  const [whole, nearest, rounded] = losses as [number[], number[], number[]];
  const changes = rounded.map((loss, i) => loss - whole[i]!);
  const [change, cost] = [mean(changes), mean(nearest.map((loss, i) => loss - whole[i]!))];
  // Seen on 8192 tokens: 0.124 nats, nearest 0.256.
  assert.ok(change < 0.15 + bootstrap(changes, mean).high - change, `${change} nats, nearest ${cost}`);
  assert.ok(change < 0.65 * cost, `${change} nats, nearest ${cost}`);
});
