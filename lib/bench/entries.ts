import type { ModelConfig } from "../checkpoint/types.js";
import type { Method } from "../methods/method.js";
import { planFlops, planTokens } from "../methods/plan/plan.js";
import { countedDecodeFlops, decodeFlops } from "../methods/plan/flops.js";
import type { Job, Measured } from "./job.js";
import { endToEndEntry, endToEndMeasurement, prefillEntry, prefillMeasurement } from "./measurement.js";
import type { EndToEndBaselineEntry, EndToEndEntry, PrefillBaselineEntry, PrefillEntry } from "./record.js";

export type Entry = EndToEndEntry | EndToEndBaselineEntry | PrefillEntry | PrefillBaselineEntry;

/** What was measured of one preset, and the memory it took. */
export interface Outcome {
  readonly preset: Method;
  readonly measured: Measured;
  /** Bytes. */
  readonly peakMemory?: number | undefined;
  /** Processors that were busy with something else meanwhile, on average. */
  readonly load?: number | undefined;
}

export type EntryContext = Pick<Job, "mode" | "maxNewTokens" | "warmup"> & { readonly config: ModelConfig; readonly length: number };

/** Without a run that does not count, the baseline pays for what all find warm after it. */
const cold = "no warm-up run: the first runs, the baseline's before all, are of a cold engine (take --warmup 1 or more)";

/** An entry of a results file: an outcome beside the baseline of the same run, or the baseline alone. */
export function entryOf(context: EntryContext, baseline: Outcome, outcome?: Outcome): Entry {
  const entry = warmOrCold(context, baseline, outcome);
  const warnings = [...(context.warmup > 0 ? [] : [cold]), ...differentWays(baseline, outcome), ...(entry.warnings ?? [])];
  return warnings.length > 0 ? { ...entry, warnings } : entry;
}

/** Where memory held only one of the two prompts as a whole. */
function differentWays(baseline: Outcome, outcome: Outcome | undefined): string[] {
  const [before, after] = [baseline, outcome ?? baseline].map(({ measured: { pieceTokens } }) => (pieceTokens ? `in pieces of ${pieceTokens} tokens` : "as a whole"));
  return before === after ? [] : [`the baseline's prompt went ${before}, this one ${after}, which takes other time by itself (take --piece for both)`];
}

function warmOrCold(context: EntryContext, baseline: Outcome, outcome: Outcome | undefined): Entry {
  if (context.mode === "prefill") {
    const before = prefillMeasurement(baseline.measured.prefill, besides(context, baseline));
    return outcome ? prefillEntry(before, prefillMeasurement(outcome.measured.prefill, { ...besides(context, outcome), ...kept(context, outcome) })) : { baseline: before };
  }
  const before = endToEnd(context, baseline);
  return outcome ? endToEndEntry(before, { ...endToEnd(context, outcome), ...kept(context, outcome) }) : { baseline: before };
}

function endToEnd(context: EntryContext, outcome: Outcome) {
  const { prefill, perToken, kvLensFinal, kvBytesFinal } = outcome.measured;
  const decode = perToken.map((tokens) => tokens.reduce((sum, seconds) => sum + seconds, 0));
  return endToEndMeasurement({ prefill, decode, perToken }, { ...besides(context, outcome), kv_lens_final: [...kvLensFinal], kv_bytes_final: kvBytesFinal, ...returned(outcome.measured) });
}

/** What came back while decoding. */
function returned({ auxBytesFinal, stepCounts }: Measured) {
  return stepCounts ? { aux_bytes_final: auxBytesFinal, tokens_returned: stepCounts.tokens.map((count) => count - stepCounts.steps) } : {};
}

function besides({ config, length, mode, maxNewTokens }: EntryContext, { preset, measured, peakMemory }: Outcome) {
  const plan = planTokens(preset, length, config.layers, measured.kvPolicy);
  const flops = (counting: "exact" | "paper") => {
    const prefill = planFlops(plan, config, { counting, modules: measured.scorer === "learned" });
    const { stepCounts } = measured;
    const decode = () => stepCounts ? countedDecodeFlops({ config, counting, ...stepCounts }) : decodeFlops({ config, stages: plan.stages, n: length, counting, newTokens: maxNewTokens, kvLengths: plan.kvLengths });
    return { prefill, ...(mode === "end2end" && { end2end: prefill + decode() }) };
  };
  return {
    kv_lens_after_prefill: [...measured.kvLensAfterPrefill],
    kv_bytes_after_prefill: measured.kvBytesAfterPrefill,
    ...(measured.auxBytesAfterPrefill !== undefined && { aux_bytes_after_prefill: measured.auxBytesAfterPrefill }),
    ...(peakMemory !== undefined && { peak_memory_bytes: peakMemory }),
    ...(measured.pieceTokens && { prefill_piece_tokens: measured.pieceTokens }),
    ...(measured.reading && { device: measured.reading }),
    flops: { exact: flops("exact"), paper: flops("paper") },
  };
}

function kept({ length }: EntryContext, { measured }: Outcome) {
  return {
    tokens_kept: measured.tokensKept,
    tokens_pruned: length - measured.tokensKept,
    stages: measured.stages.map(({ afterLayer, present, kept }) => ({ after_layer: afterLayer, present, kept })),
  };
}
