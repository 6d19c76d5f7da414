import { decode } from "../../runtime/generate.js";
import type { Job } from "../job.js";
import type { Span } from "../reading/energy.js";
import { startMeter } from "../reading/meter.js";
import { loadFor } from "./load-for.js";
import type { EnergyResult } from "./tasks.js";

/**
 * Energy of a prompt and of a token: prompts one after the other for so many seconds, then tokens. Cards give their power as a mean over up to a
 * second: a single prompt would be lost in it.
 */
export async function measureEnergy(job: Job, seconds: number): Promise<EnergyResult> {
  const meter = await startMeter({ device: job.device ?? "cpu" });
  const model = await loadFor(job);
  const { preset, scorer } = job.methods[0]!;
  const prefill = () => model.prefill(job.ids, { preset, reserve: job.maxNewTokens, ...(scorer !== undefined && { scorer }) });
  await model.warm(job.ids.length, { preset, ...(scorer !== undefined && { scorer }) });
  const decoded = async (run: Awaited<ReturnType<typeof prefill>>, count: number) => {
    let tokens = 0;
    for await (const _ of decode(run, { maxNewTokens: count, stopTokens: [], fixedLength: true })) tokens++;
    return tokens;
  };
  const first = await prefill();
  await decoded(first, Math.min(4, job.maxNewTokens));
  first.dispose();

  const spans: { prefill: Span[]; decode: Span[] } = { prefill: [], decode: [] };
  let [prompts, tokens] = [0, 0];
  meter.mark();
  const begun = Date.now();
  while (Date.now() - begun < 1e3 * seconds) {
    (await prefill()).dispose();
    prompts++;
  }
  spans.prefill.push([begun, Date.now()]);
  meter.mark();
  const decodingFrom = Date.now();
  while (Date.now() - decodingFrom < 1e3 * seconds) {
    const run = await prefill();
    meter.mark();
    const from = Date.now();
    tokens += await decoded(run, job.maxNewTokens);
    spans.decode.push([from, Date.now()]);
    meter.mark();
    run.dispose();
  }
  const reading = (await meter.read()).record({ ...spans, tokens });
  meter.stop();
  const each = reading.energy_per_prompt_joules;
  return { prompts, tokens, reading: { ...reading, energy_per_prompt_joules: each === null ? null : each / prompts } };
}
