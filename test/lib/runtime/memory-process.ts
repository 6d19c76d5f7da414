// Run as a process by memory.test.ts: one prefill and a decode step; reports the plan and what the process took.
// Arguments: model folder, dtype, prompt length or LENGTH/PIECE, attention, then presets to prefill with one after the other.
import { load } from "../../../lib/runtime/model.js";
import { anonymousBytes, watchAnonymous } from "./anonymous-memory.js";

const [folder, dtype, length, attention, ...presets] = process.argv.slice(2) as [string, string, string, "fused" | "plain", ...string[]];
const peak = await watchAnonymous();
const model = await load(folder, { dtype, threads: 1, attention, cacheFolder: `${folder}-cache` });
const [n, piece] = length.split("/").map(Number) as [number, number | undefined];
const inPieces = piece === undefined ? {} : { piece };
const { weights, cache, activations, total } = model.memory(n, { reserve: 8, ...inPieces, preset: presets[0] ?? "baseline" });
const ids = Array.from({ length: n }, (_, i) => i % 1000);
const held: (number | null)[] = [];
let cacheHeld = 0;
for (const preset of presets.length > 0 ? presets : ["baseline"]) {
  const run = await model.prefill(ids, { preset, scorer: preset === "baseline" ? undefined : "norm", reserve: 8, ...inPieces });
  await run.extend([1]);
  cacheHeld = run.kv.bytes;
  run.kv.dispose();
  held.push(anonymousBytes());
}
console.log(JSON.stringify({ weights, cache, activations, total, cacheHeld, held, peak: peak() }));
