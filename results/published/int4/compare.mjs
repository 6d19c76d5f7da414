// What 4 bits cost: loss, first choices and divergence from float32 of a model held in several ways, on the same held-out prose.
// `npm run build && node results/published/int4/compare.mjs MODEL [--dtypes int8,int4:nearest,int4] [--texts 16] [--tokens 1024] [--threads 1] > int4.json`
import { readFileSync } from "node:fs";
import { basename, join } from "node:path";
import { parseArgs } from "node:util";
import { Tensor } from "onnxruntime-node";
import { environment } from "../../../dist/lib/bench/environment.js";
import { bootstrap } from "../../../dist/lib/bench/statistics.js";
import { packageRoot } from "../../../dist/lib/checkpoint/index.js";
import { totalBytes } from "../../../dist/lib/checkpoint/sizes.js";
import { weightsFolder } from "../../../dist/lib/decoder/checkpoint-weights.js";
import { divergence } from "../../../dist/lib/decoder/loss.js";
import { RotaryTables } from "../../../dist/lib/decoder/rotary.js";
import { openModel } from "../../../dist/lib/runtime/open.js";
import { rotaryFeeds } from "../../../dist/lib/runtime/rotary-feeds.js";
import { createSession } from "../../../dist/lib/runtime/session.js";
import { lossGraph } from "../loss-graph.mjs";

const { values: options, positionals: [name] } = parseArgs({ allowPositionals: true, options: { dtypes: { type: "string", default: "int8,int4:nearest,int4" }, texts: { type: "string", default: "16" }, tokens: { type: "string", default: "1024" }, threads: { type: "string" } } });
const N = Number(options.tokens);
const threads = options.threads && Number(options.threads);
const dtypes = ["fp32", ...options.dtypes.split(",")];
const text = readFileSync(join(packageRoot(), "lib", "bench", "prompts", "held-out.txt"), "utf8");
const ways = [];
for (const dtype of dtypes) {
  const started = performance.now();
  const used = process.cpuUsage();
  let [last, before] = [started, 0];
  const checkpoint = await openModel(name, { dtype, threads, onProgress(done, total) {
    before ||= performance.now();
    if (performance.now() - last < 10_000) return;
    console.error(`${dtype}: ${Math.floor((100 * done) / total)} %`);
    last = performance.now();
  } });
  ways.push({ dtype, checkpoint, open_seconds: (performance.now() - started) / 1e3, open_cpu_seconds: (({ user, system }) => (user + system) / 1e6)(process.cpuUsage(used)), converted: before > 0 });
}

/** Losses, first choices, logits; with a reference's logits, how far they are from those. */
function session({ checkpoint }, reference) {
  const { g, logits } = lossGraph(checkpoint);
  if (reference) g.output(divergence(g, logits, g.input("reference", "float32", ["n", checkpoint.config.vocabSize])), "divergence");
  else g.output(logits, "logits");
  return createSession(g, { threads, folder: weightsFolder(checkpoint) });
}

const mean = (values) => values.reduce((a, b) => a + b, 0) / values.length;
const prose = (await ways[0].checkpoint.tokenizer()).encode(text, { addSpecialTokens: false });
const starts = Array.from({ length: Number(options.texts) }, (_, i) => Math.floor((i * (prose.length - N - 1)) / Math.max(1, options.texts - 1)));
const tables = new RotaryTables(ways[0].checkpoint.config);
const int64 = (ids, dims) => new Tensor("int64", BigInt64Array.from(ids, BigInt), dims);
const sessions = [];
for (const [i, way] of ways.entries()) sessions.push(await session(way, i > 0));
const each = ways.map(() => ({ losses: [], same: [], divergences: [] }));
for (const start of starts) {
  const feeds = { ids: int64(prose.slice(start, start + N), [1, N]), targets: int64(prose.slice(start + 1, start + N + 1), [N, 1]), ...rotaryFeeds(tables.prompt(N, N)) };
  let first;
  for (const [i, loaded] of sessions.entries()) {
    const results = await loaded.run(first ? { ...feeds, reference: first.logits } : feeds);
    first ??= results;
    each[i].losses.push(mean([...results.losses.data]));
    each[i].same.push(mean([...results.choices.data].map((token, at) => Number(token === first.choices.data[at]))));
    each[i].divergences.push(results.divergence ? mean([...results.divergence.data]) : 0);
  }
}
for (const loaded of sessions) await loaded.release();
const rows = ways.map(({ dtype, checkpoint, open_seconds, open_cpu_seconds, converted }, i) => {
  const changes = each[i].losses.map((loss, at) => loss - each[0].losses[at]);
  const row = {
    dtype, weight_bytes: totalBytes(checkpoint.tensors).held, open_seconds, open_cpu_seconds, converted, loss: mean(each[i].losses), change: mean(changes), change_interval: bootstrap(changes, mean),
    first_choices_equal: mean(each[i].same), divergence: mean(each[i].divergences), losses: each[i].losses,
  };
  console.error(`${dtype}: loss ${row.loss.toFixed(4)}, change ${row.change.toFixed(5)} (${row.change_interval.low.toFixed(5)} to ${row.change_interval.high.toFixed(5)}), first choices ${(100 * row.first_choices_equal).toFixed(2)} %, divergence ${row.divergence.toFixed(5)}, opened in ${open_seconds.toFixed(1)} s (CPU ${open_cpu_seconds.toFixed(1)} s)${converted ? ", converted" : ""}`);
  return row;
});
console.log(JSON.stringify({ model: basename(name), texts: starts.length, tokens_of_each_text: N, ...environment(), rows }, null, 2));
