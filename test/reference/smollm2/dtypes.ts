// The rows of results/published/models/smollm2.json: SmolLM2-135M-Instruct with its weights held in one dtype each, measured anew, others kept as they are.
//   node dist/test/reference/smollm2/dtypes.js int4                  that row alone
//   node dist/test/reference/smollm2/dtypes.js q4_1 fp32 int8 int4   these in turns, round by round
// --rounds N (3), --threads N (2), --work FOLDER: what was measured so far, gone on with after a stop; remove it to measure again.
// Each process is `sdtp dtypes`: one of 4 prompts for perplexity, which also makes weights that are not there yet, then one of 1 prompt for each timed round.
import { execFile } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { cpus, loadavg, totalmem } from "node:os";
import { join } from "node:path";
import { parseArgs, promisify } from "node:util";
import { median } from "../../../lib/bench/statistics.js";
import { cached, cacheFolder } from "../../../lib/checkpoint/cache.js";
import { openCheckpoint, packageRoot } from "../../../lib/checkpoint/index.js";
import type { DtypeRow } from "../../../lib/evaluate/dtypes.js";
import { exportModel } from "../../../lib/export-model/index.js";
import { writeWhole } from "../../../lib/files.js";
import { smollm2 } from "../../lib/models/smollm2.js";

interface Kind { readonly weights: string; readonly from: "gguf" | "folder"; readonly dtype: string }
const kinds: Readonly<Record<string, Kind>> = {
  q4_1: { weights: "the GGUF file as stored (Q4_1)", from: "gguf", dtype: "stored" },
  ...Object.fromEntries(["fp32", "fp16", "int8", "int4:nearest", "int4"].map((dtype) => [dtype, { weights: dtype, from: "folder", dtype }])),
};

const { values, positionals } = parseArgs({ allowPositionals: true, options: { rounds: { type: "string", default: "3" }, threads: { type: "string", default: "2" }, work: { type: "string", default: join(cacheFolder(), "smollm2-dtypes.work") } } });
const [rounds, threads] = [values.rounds, values.threads].map(Number) as [number, number];
const unknown = positionals.find((name) => !Object.hasOwn(kinds, name));
if (positionals.length === 0 || unknown !== undefined) throw new Error(`row: ${unknown ?? "none"} (give one or some of ${Object.keys(kinds).join(", ")})`);
if (!(Number.isInteger(rounds) && rounds > 0 && Number.isInteger(threads) && threads > 0)) throw new Error(`rounds: ${values.rounds}, threads: ${values.threads} (must be positive integers)`);

const found = await smollm2();
if ("missing" in found) throw new Error(found.missing);
const { file: gguf } = found;
const folder = await cached("smollm2-135m-instruct-fp32", async (temporary) => {
  await exportModel(await openCheckpoint(gguf), { to: "safetensors", output: join(temporary, "hf"), dtype: "fp32" });
});
await mkdir(values.work, { recursive: true });

/** What one process printed, kept in a file: with the same rows, rounds that were measured are not measured again. */
async function measured(name: string, part: string, prompts: number): Promise<DtypeRow & { readonly conditions: { readonly time: string; readonly load_before: number; readonly load_after: number; readonly versions: unknown } }> {
  const file = join(values.work, `${name.replace(":", "-")}-${threads}-${part}.json`);
  if (!existsSync(file)) {
    const { from, dtype } = kinds[name]!;
    const [time, before] = [new Date().toISOString(), loadavg()[0]!];
    process.stderr.write(`${time.slice(11, 19)} ${name}, ${part} (load ${before.toFixed(1)})\n`);
    const { stdout } = await promisify(execFile)(process.execPath, [join(packageRoot(), "lib", "cli", "sdtp.mjs"), "dtypes", "--model", from === "gguf" ? gguf : join(folder, "hf"), "--dtype", dtype, "--length", "1024", "--prompts", String(prompts), "--threads", String(threads), "--json"], { maxBuffer: 2 ** 26 });
    const { rows: [row], versions } = JSON.parse(stdout) as { rows: [DtypeRow]; versions: unknown };
    await writeWhole(file, `${JSON.stringify({ ...row, conditions: { time, load_before: before, load_after: loadavg()[0]!, versions } })}\n`);
  }
  return JSON.parse(readFileSync(file, "utf8")) as Awaited<ReturnType<typeof measured>>;
}

const quality = new Map<string, Awaited<ReturnType<typeof measured>>>();
for (const name of positionals) quality.set(name, await measured(name, "perplexity", 4));
const timed = new Map<string, Awaited<ReturnType<typeof measured>>[]>(positionals.map((name) => [name, []]));
for (let round = 1; round <= rounds; round++) for (const name of positionals) timed.get(name)!.push(await measured(name, `round-${round}`, 1));

const published = join(packageRoot(), "results", "published", "models", "smollm2.json");
const all = JSON.parse(readFileSync(published, "utf8")) as { rows: Record<string, unknown>[] } & Record<string, unknown>;
const made = positionals.map((name) => {
  const { weights, from } = kinds[name]!;
  const [{ dtype, weight_bytes, weight_error, perplexity, losses, keys_right, prompts, length }, runs] = [quality.get(name)!, timed.get(name)!];
  const of = (figure: (run: DtypeRow) => number) => median(runs.map(figure));
  return {
    weights, from, dtype, weight_bytes, weight_error, perplexity, losses, keys_right, prompts, length,
    load_seconds: of((run) => run.load_seconds), first_token_seconds: of((run) => run.prefill_seconds), tokens_per_second: 1 / of((run) => run.token_seconds), peak_memory_bytes: of((run) => run.peak_memory_bytes!),
    rounds: runs.map(({ load_seconds, peak_memory_bytes, prefill_seconds, token_seconds, conditions }) => ({ load_seconds, peak_memory_bytes, prefill_seconds, token_seconds, time: conditions.time, load_before: conditions.load_before, load_after: conditions.load_after })),
    measured: { beside: positionals.filter((other) => other !== name), threads, versions: runs[0]!.conditions.versions, cpu: cpus()[0]!.model.trim(), cores: cpus().length, memory_bytes: totalmem(), command: `node dist/test/reference/smollm2/dtypes.js ${positionals.join(" ")} --rounds ${rounds} --threads ${threads}` },
  };
});
for (const row of made) {
  const at = all.rows.findIndex(({ weights }) => weights === row.weights);
  if (at < 0) all.rows.push(row);
  else all.rows[at] = row;
}
await writeWhole(published, `${JSON.stringify(all, null, 1)}\n`);
for (const row of made) {
  const [error, gb] = [row.weight_error === null ? "-" : `${(100 * row.weight_error).toFixed(2)} %`, (row.peak_memory_bytes / 1e9).toFixed(2)];
  console.log(`| ${row.weights} | ${Math.round(row.weight_bytes / 1e6)} MB | ${error} | ${row.perplexity.toFixed(2)} | ${row.load_seconds.toFixed(1)} | ${gb} GB | ${row.first_token_seconds.toFixed(2)} | ${Math.round(row.tokens_per_second)} |`);
}
console.error(`written: ${published}; the lines above are the rows of results/published/models/README.md`);
