// Prompts and single tokens on a plugin's provider and on the CPU, in turns within one process: `node results/published/providers/measure.mjs MODEL [LENGTHS] [ROUNDS] [CONFIGS] [DEVICE] > measured.json`.
// Seconds on the clock and of CPU time; the system's load before and after, since others may share the machine.
import { cpus, loadavg } from "node:os";
import { measuredEnvironment } from "../../../dist/lib/bench/environment.js";
import { openCheckpoint } from "../../../dist/lib/checkpoint/index.js";
import { load, Model } from "../../../dist/lib/runtime/model.js";
import { pluginHome } from "../../../dist/lib/runtime/providers/home.js";
import { pluginFile } from "../../../dist/lib/runtime/providers/installed.js";
import { heldOutText } from "../../../dist/lib/train/corpus.js";

const [name, lengths = "1024,4096", rounds = "5", configs = "baseline,keep07", device = "openvino"] = process.argv.slice(2);
const [threads, dtype, tokens] = [2, "fp32", 8];
const other = (decodes) => load(name, { dtype, threads, device }).then(async (model) => (decodes ? new Model(await openCheckpoint(name, { dtype }), { threads }, pluginHome(await pluginFile(device), { accuracy: "bfloat16", decodes })) : model));
const models = { cpu: await load(name, { dtype, threads }), [device]: await other(false), [`${device}, tokens too`]: await other(true) };
const ids = (await models.cpu.tokenizer()).encode(heldOutText(), { addSpecialTokens: false });
const used = () => {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e6;
};
const rows = [];
const before = loadavg();
for (const length of lengths.split(",").map(Number)) for (const preset of configs.split(",")) {
  const prompt = ids.slice(0, length);
  const row = { length, preset };
  const kept = {};
  for (let round = -1; round < Number(rounds); round++) for (const [where, model] of Object.entries(models)) {
    if (round < 0) {
      const started = performance.now();
      await model.warm(length, { preset });
      row[where] = { warm_seconds: (performance.now() - started) / 1e3, seconds: [], cpu_seconds: [], token_seconds: [], token_cpu_seconds: [] };
    }
    const start = used();
    const run = await model.prefill(prompt, { preset, reserve: tokens + 2 });
    const end = used();
    kept[where] = run.kept;
    Object.assign(row[where], { kept: run.kept.length, first_choice: run.logits.reduce((best, logit, id) => (logit > run.logits[best] ? id : best), 0) });
    // The first step of a shape finds its buffers.
    await run.extend([ids[length]]);
    const [tokenStart, clock] = [used(), performance.now()];
    for (let i = 1; i <= tokens; i++) await run.extend([ids[length + i]]);
    // So does the first run of a graph.
    if (round < 0) continue;
    row[where].token_seconds.push((performance.now() - clock) / 1e3 / tokens);
    row[where].token_cpu_seconds.push((used() - tokenStart) / tokens);
    row[where].seconds.push(run.prefillSeconds);
    row[where].cpu_seconds.push(end - start);
  }
  const there = new Set(kept[device]);
  rows.push({ ...row, kept_same: kept.cpu.filter((position) => there.has(position)).length });
  process.stderr.write(`${JSON.stringify(rows.at(-1))}\n`);
}
console.log(JSON.stringify({ model: name.replace(/.*\//, ""), dtype, threads, time: new Date().toISOString(), processor: cpus()[0].model, load: { before, after: loadavg() }, environment: await measuredEnvironment(device), rows }, null, 2));
process.exit(0);
