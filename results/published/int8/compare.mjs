// int8 prompts by channel beside int8 in blocks of 32 and float32, in one process, one after the other in turns: how long they take, and what
// they cost on prose. `npm run build && node results/published/int8/compare.mjs MODEL [--lengths 1024,4096] [--rounds 5] [--texts 16] [--threads 1] > int8.json`
// Besides the clock's time, CPU time of one thread is taken: it stays the same while a machine has other work.
import { readFileSync } from "node:fs";
import { basename, join } from "node:path";
import { parseArgs } from "node:util";
import { Tensor } from "onnxruntime-node";
import { environment } from "../../../dist/lib/bench/environment.js";
import { median } from "../../../dist/lib/bench/statistics.js";
import { openCheckpoint, packageRoot } from "../../../dist/lib/checkpoint/index.js";
import { weightsFolder } from "../../../dist/lib/decoder/checkpoint-weights.js";
import { RotaryTables } from "../../../dist/lib/decoder/rotary.js";
import { hostHome } from "../../../dist/lib/runtime/home.js";
import { Model } from "../../../dist/lib/runtime/model.js";
import { rotaryFeeds } from "../../../dist/lib/runtime/rotary-feeds.js";
import { createSession } from "../../../dist/lib/runtime/session.js";
import { lossGraph } from "../loss-graph.mjs";

const { values: options, positionals: [name] } = parseArgs({ allowPositionals: true, options: { lengths: { type: "string", default: "1024,4096" }, rounds: { type: "string", default: "5" }, texts: { type: "string", default: "16" }, threads: { type: "string", default: "1" } } });
const threads = Number(options.threads);
const ways = [["fp32", "fp32", false], ["int8, blocks of 32", "int8", false], ["int8", "int8", true]];
const text = readFileSync(join(packageRoot(), "lib", "bench", "prompts", "held-out.txt"), "utf8");
const checkpoints = new Map();
for (const dtype of ["fp32", "int8"]) checkpoints.set(dtype, await openCheckpoint(name, { dtype }));
const prose = (await checkpoints.get("fp32").tokenizer()).encode(text, { addSpecialTokens: false });

const lossSession = (checkpoint, byChannel) => createSession(lossGraph(checkpoint, { byChannel }).g, { folder: weightsFolder(checkpoint) });

const mean = (values) => values.reduce((a, b) => a + b, 0) / values.length;
const N = 1024;
const starts = Array.from({ length: Number(options.texts) }, (_, i) => Math.floor((i * (prose.length - N - 1)) / Math.max(1, options.texts - 1)));
const quality = [];
for (const [label, dtype, byChannel] of ways) {
  const checkpoint = checkpoints.get(dtype);
  const session = await lossSession(checkpoint, byChannel);
  const tables = new RotaryTables(checkpoint.config);
  const each = [];
  for (const start of starts) {
    const int64 = (ids, dims) => new Tensor("int64", BigInt64Array.from(ids, BigInt), dims);
    const { losses, choices } = await session.run({ ids: int64(prose.slice(start, start + N), [1, N]), targets: int64(prose.slice(start + 1, start + N + 1), [N, 1]), ...rotaryFeeds(tables.prompt(N, N)) }, ["losses", "choices"]);
    each.push({ loss: mean([...losses.data]), choices: [...choices.data] });
  }
  await session.release();
  const first = quality[0]?.each ?? each;
  const differences = each.map(({ loss }, i) => loss - first[i].loss);
  const same = each.map(({ choices }, i) => mean(choices.map((token, at) => Number(token === first[i].choices[at]))));
  quality.push({ label, each, losses: each.map(({ loss }) => loss), loss: mean(differences.map((_, i) => each[i].loss)), change: mean(differences), changes: differences, first_choices_equal: mean(same) });
  console.error(`${label}: loss ${quality.at(-1).loss.toFixed(4)}, change ${mean(differences).toFixed(5)}, first choices ${(100 * mean(same)).toFixed(2)} %`);
}

const speed = [];
const models = ways.map(([, dtype, byChannel]) => new Model(checkpoints.get(dtype), { threads }, byChannel ? hostHome() : { ...hostHome(), byChannel: async () => false }));
for (const length of options.lengths.split(",").map(Number)) {
  const samples = ways.map(() => ({ seconds: [], cpu_seconds: [] }));
  for (let round = 0; round <= Number(options.rounds); round++) {
    for (const [i, model] of models.entries()) {
      const [started, used] = [performance.now(), process.cpuUsage()];
      (await model.prefill(prose.slice(0, length))).kv.dispose();
      const { user, system } = process.cpuUsage(used);
      // The first round loads the graphs.
      if (round === 0) continue;
      samples[i].seconds.push((performance.now() - started) / 1e3);
      samples[i].cpu_seconds.push((user + system) / 1e6);
    }
  }
  ways.forEach(([label], i) => {
    speed.push({ label, length, ...samples[i], median_seconds: median(samples[i].seconds), median_cpu_seconds: median(samples[i].cpu_seconds) });
    console.error(`${length}, ${label}: ${speed.at(-1).median_seconds.toFixed(3)} s, CPU ${speed.at(-1).median_cpu_seconds.toFixed(3)} s`);
  });
}
for (const model of models) await model.release();
console.log(JSON.stringify({ model: basename(name), threads, tokens_of_each_text: N, ...environment(), quality: quality.map(({ each, ...rest }) => rest), speed }, null, 2));
