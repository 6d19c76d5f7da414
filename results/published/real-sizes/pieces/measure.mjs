// What a prompt takes in memory as a whole or in pieces, in this process: the plan, and the most that was there of memory of its own (pages of files, which the system
// takes back, apart), after loading, after the prompt, after eight tokens. Latencies are said, not measured: anything else may run meanwhile.
//   npm run build && node results/published/real-sizes/pieces/measure.mjs --model synthetic:mistral-7b --dtype int4 --length 8192 --piece 512 --output result.json
import { writeFile } from "node:fs/promises";
import { parseArgs } from "node:util";
import { formatJson } from "../../../../dist/lib/format-json.js";
import { load } from "../../../../dist/lib/runtime/model.js";
import { anonymousBytes, watchAnonymous } from "../../../../dist/test/lib/runtime/anonymous-memory.js";

const { values } = parseArgs({ options: { model: { type: "string" }, dtype: { type: "string" }, length: { type: "string" }, piece: { type: "string", default: "whole" }, config: { type: "string", default: "baseline" }, threads: { type: "string", default: "2" }, output: { type: "string" } } });
if (!values.model || !values.length) throw new Error("--model, --length: must be given");
const { model: name, dtype, config: preset, output } = values;
const [length, threads] = [Number(values.length), Number(values.threads)];
const piece = values.piece === "whole" ? values.piece : Number(values.piece);
const TOKENS = 8;

const peak = await watchAnonymous();
const taken = () => ({ peak_anonymous_bytes: peak(), anonymous_bytes: anonymousBytes(), peak_resident_bytes: process.resourceUsage().maxRSS * 1024 });
const say = (text) => process.stderr.write(`${text}\n`);

const model = await load(name, { threads, ...(dtype && { dtype }), onProgress: progress("weights") });
const settings = { preset, piece, ...(preset !== "baseline" && { scorer: "norm" }), reserve: TOKENS };
const result = { model: name, dtype: model.dtype, config: preset, blocks: model.config.layers, length, threads, pieces: model.plan(length, { preset, piece, reserve: TOKENS }).pieces, planned: model.memory(length, { preset, piece, reserve: TOKENS }) };
await model.warm(length, settings);
result.loaded = taken();
say(`loaded: ${gigabytes(result.loaded.peak_anonymous_bytes)}`);
const told = progress("prompt");
const run = await model.prefill(Array.from({ length }, (_, i) => (i * 37 + 11 * (i % 7)) % model.config.vocabSize), { ...settings, onProgress: (share) => told(share, 1) });
result.prefilled = { seconds: run.prefillSeconds, kv_lengths: [...new Set(run.kv.lengths)], kv_bytes: run.kv.bytes, ...taken() };
const started = performance.now();
for (let i = 0; i < TOKENS; i++) await run.extend([i + 1]);
result.decoded = { tokens: TOKENS, seconds: (performance.now() - started) / 1e3, ...taken() };
const text = formatJson(result);
if (output) await writeFile(output, text);
process.stdout.write(text);
process.exit(0);

function gigabytes(bytes) {
  return `${(bytes / 1e9).toFixed(2)} GB`;
}

/** A line every half minute. */
function progress(what) {
  const [began, state] = [performance.now(), { last: performance.now() }];
  return (done, total) => {
    if (performance.now() - state.last < 3e4) return;
    state.last = performance.now();
    const [share, seconds] = [done / total, (state.last - began) / 1e3];
    say(`${what}: ${Math.floor(100 * share)} %, about ${Math.round((seconds / share) * (1 - share))} s left, ${gigabytes(anonymousBytes())}`);
  };
}
