import { attentionByHead, requireTokens } from "../../inspect/attention.js";
import type { Run } from "../../runtime/run.js";
import { short } from "./text.js";

/** Heads that are named, of those that look at a token most. */
const HEADS = 3;

/** What is computed for a token's trace beside what the run holds. */
export interface LookedAt {
  /** Tokens to generate, which look at those of the prompt. */
  readonly generate: number;
  /** How much they hang on each: the gradient of their log-odds, at each block that a stage stands after. A pass forward and back through the whole unpruned model; default true. */
  readonly saliency?: boolean;
}

/** Lines for each token of the prompt: how much what is generated looks at it, with which heads, and hangs on it. `[n]` @throws on a run from a file */
export async function lookedAtLines(run: Run, { generate, saliency = true }: LookedAt): Promise<string[][]> {
  requireTokens(generate);
  if (run.model === null) throw new Error("tokens: trace.generate (a run from a file has no model to generate with)");
  const { ids, paid } = await attentionByHead(run, { tokens: generate });
  const lines = run.ids.map((_, position) => [attentionLine(paid, position, generate)]);
  if (saliency) await addSaliency(run, [...run.ids, ...ids], lines);
  return lines;
}

function attentionLine(paid: readonly (readonly Float32Array[])[], position: number, steps: number): string {
  const shares = paid.flatMap((heads, layer) => heads.map((shares, head) => ({ layer, head, share: shares[position]! })));
  const most = shares.filter(({ share }) => share > 0).sort((a, b) => b.share - a.share).slice(0, HEADS);
  const mean = shares.reduce((sum, { share }) => sum + share, 0) / shares.length;
  return `attention of ${steps} generated tokens: ${short(mean)} over all heads${most.length === 0 ? "" : `; most: ${most.map(({ layer, head, share }) => `layer ${layer} head ${head} ${short(share)}`).join(", ")}`}`;
}

async function addSaliency({ ids: prompt, stages, model }: Run, ids: readonly number[], lines: readonly string[][]): Promise<void> {
  const { SaliencyMeter } = await import("../../train/saliency.js");
  const blocks = [...new Set(stages.map(({ afterLayer }) => afterLayer))].filter((block) => block >= 0).sort((a, b) => a - b);
  const meter = await SaliencyMeter.create(model!.checkpoint, { blocks: blocks.length > 0 ? blocks : [0], threads: model!.threads });
  try {
    const { values } = await meter.measure({ ids: [...ids], promptLength: prompt.length });
    const blocksOf = values.map((all) => all.subarray(0, prompt.length));
    const sorted = blocksOf.map((own) => Float32Array.from(own).sort().reverse());
    for (const [position, own] of lines.entries()) {
      const each = blocksOf.map((all, b) => `block ${meter.blocks[b]} ${short(all[position]!)} (${sorted[b]!.indexOf(all[position]!) + 1})`);
      own.push(`saliency (and rank of ${prompt.length}) after ${each.join(", ")}`);
    }
  } finally {
    await meter.release();
  }
}
