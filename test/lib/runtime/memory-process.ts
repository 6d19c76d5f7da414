// Run as a process by memory.test.ts: one prefill and a decode step; reports the plan and what the process took.
// Arguments: model folder, dtype, prompt length, attention.
import { load } from "../../../lib/runtime/model.js";

const [folder, dtype, length, attention] = process.argv.slice(2) as [string, string, string, "fused" | "plain"];
const model = await load(folder, { dtype, threads: 1, attention, cacheFolder: `${folder}-cache` });
const n = Number(length);
const { weights, cache, activations, total } = model.memory(n, { reserve: 8 });
const run = await model.prefill(Array.from({ length: n }, (_, i) => i % 1000), { reserve: 8 });
await run.extend([1]);
console.log(JSON.stringify({ weights, cache, activations, total, cacheHeld: run.kv.bytes, peak: process.resourceUsage().maxRSS * 1024 }));
