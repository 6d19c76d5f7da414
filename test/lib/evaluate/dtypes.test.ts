import assert from "node:assert/strict";
import { test } from "node:test";
import { compareDtypes, type DtypeRow, type HeldAs } from "../../../lib/evaluate/dtypes.js";
import { mean } from "../../../lib/evaluate/forced.js";
import { dtypesTable } from "../../../lib/report/dtypes.js";
import { toMarkdown } from "../../../lib/report/formats/markdown.js";
import { load } from "../../../lib/runtime/model.js";
import { crossEntropy } from "../../reference/operations.js";
import { temporaryFolder } from "../checkpoint/fixtures.js";
import { sdtp, temporaryFolder as commandFolder } from "../cli/sdtp.js";

const text = "The year that has passed has been one of peace and of general prosperity among the people of the several States. ".repeat(60);

test("each way of holding a model meets the same prompts; losses are those of its own predictions from the cache", async (t) => {
  const cacheFolder = await temporaryFolder(t);
  const rows: DtypeRow[] = [];
  const ways = [{ dtype: undefined, kvDtype: "fp32" }, { dtype: "int4:nearest:embedding=int4:head=int4", kvDtype: "int8" }] as const;
  const open = ({ dtype, kvDtype }: HeldAs) => load("tiny", { threads: 1, kvDtype, cacheFolder, ...(dtype !== undefined && { dtype }) });
  for await (const row of compareDtypes(open, ways, { text, length: 160, prompts: 3, seed: 1 })) rows.push(row);
  const [stored, small] = rows as [DtypeRow, DtypeRow];
  assert.deepEqual([stored.dtype, small.dtype, small.kv_dtype], ["fp16", "int4:nearest:embedding=int4:head=int4", "int8"]);
  assert.ok(small.weight_bytes < 0.4 * stored.weight_bytes && small.kv_bytes < 0.4 * stored.kv_bytes);
  assert.ok(rows.every(({ losses, perplexity }) => losses.length === 3 && Math.abs(Math.log(perplexity) - mean(losses)) < 1e-9));
  assert.ok(small.perplexity > stored.perplexity);
  assert.deepEqual([stored.file_bytes, small.file_bytes], [stored.weight_bytes, stored.weight_bytes]);
  assert.equal(stored.weight_error, null);
  assert.ok(small.weight_error! > 0.03 && small.weight_error! < 0.15, String(small.weight_error));

  // The first prompt again, a token at a time.
  const model = await load("tiny", { threads: 1 });
  t.after(() => model.release());
  const ids = (await model.tokenizer()).encode(text, { addSpecialTokens: false });
  const run = await model.prefill(ids.slice(0, 160));
  const losses: number[] = [];
  for (const id of ids.slice(160, 288)) {
    losses.push(crossEntropy(Float64Array.from(run.logits), id));
    await run.extend([id]);
  }
  assert.ok(Math.abs(mean(losses) - stored.losses[0]!) < 1e-4);

  const table = toMarkdown(dtypesTable({ model: "tiny", device: "cpu", threads: 2 }, rows));
  assert.match(table, /\| fp16 \| fp32 \| 10\.2 MB \| 100 % \| - \| .* \| - \| /);
  assert.match(table, /\| int8 \| [\d.]+ MB \| [\d.]+ % \| [\d.]+ % \| [\d.]+ kB \| [\d.]+ \| \+[\d.]+ % \([+-][\d.]+ to \+[\d.]+\) \| /);
});

test("the command takes lists; a text too short and unknown names are errors", async (t) => {
  const folder = commandFolder(t);
  const { stdout, code } = await sdtp(folder, "dtypes", "--dtype", "stored", "--kv-dtype", "fp32,int8", "--length", "64", "--prompts", "1", "--threads", "1", "--json");
  assert.equal(code, 0);
  const { rows } = JSON.parse(stdout) as { rows: DtypeRow[] };
  assert.deepEqual(rows.map(({ dtype, kv_dtype }) => [dtype, kv_dtype]), [["fp16", "fp32"], ["fp16", "int8"]]);
  assert.match((await sdtp(folder, "dtypes", "--kv-dtype", "int4")).stderr, /int4 is unknown \(must be fp32, fp16, int8\)/);
  assert.match((await sdtp(folder, "dtypes", "--dtype", "int5", "--prompts", "1")).stderr, /dtype: int5 \(must be fp32, fp16, int8, int4\)/);
  const model = await load("tiny");
  await assert.rejects(compareDtypes(async () => model, [{ dtype: undefined, kvDtype: "fp32" }], { text: "short", length: 64, prompts: 1, seed: 0 }).next(), /text: \d+ tokens \(must be at least 193/);
});
