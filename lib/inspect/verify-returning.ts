// What `verifyRun` checks of runs whose tokens return.
import type { Run } from "../runtime/run.js";
import { differs } from "./difference.js";

/**
 * Every layer holds tokens so far, each once; between two stages all hold the same, after a stage a part of those before it, all that it kept and all that came later; what
 * may return at a stage is what the layers before it hold and those after it do not.
 */
export function returningHold({ kv, stages, ids, position, auxPositions, auxBytes, model }: Run): string {
  let before: ReadonlySet<number> | null = null;
  kv.layers.forEach((layer, l) => {
    const held = layer.positions;
    held.forEach((at, slot) => {
      if (slot > 0 && at <= held[slot - 1]!) differs(`layer ${l} holds position ${at} after ${held[slot - 1]} (must be ascending)`);
      if (at >= position) differs(`layer ${l} holds position ${at}, which was not there (the next token's is ${position})`);
    });
    const own = new Set(held);
    const stage = stages.findIndex(({ afterLayer }) => afterLayer === l - 1);
    const more = before && held.find((at) => !before!.has(at));
    if (more !== null && more !== undefined) differs(`layer ${l} holds position ${more}, which layer ${l - 1} does not`);
    if (stage < 0 && held.length !== (before?.size ?? position)) differs(`layer ${l} holds ${held.length} tokens (must be ${before?.size ?? position}, as ${before ? "the layer before it: no stage is between" : "there were"})`);
    if (stage >= 0) {
      const lost = stages[stage]!.kept.find((at) => !own.has(at));
      if (lost !== undefined) differs(`layer ${l} does not hold position ${lost}, which stage ${stage} kept`);
      const missing = [...before!].filter((at) => !own.has(at));
      const aux = auxPositions?.[stage];
      if (aux && (aux.length !== missing.length || missing.some((at, i) => at !== aux[i]))) differs(`stage ${stage}: ${aux.length} tokens may return (must be the ${missing.length} that layer ${l - 1} holds and layer ${l} does not)`);
    }
    for (let at = ids.length; at < position; at++) if (!own.has(at)) differs(`layer ${l} does not hold position ${at}, which was generated`);
    before = own;
  });
  if (!auxPositions) return "layers hold what stages kept and what returned to them, in order";
  const returning = auxPositions.reduce((sum, { length }) => sum + length, 0);
  const due = returning * 4 * model!.config.hiddenSize;
  if (auxBytes !== due) differs(`hidden states of ${returning} tokens take ${auxBytes} bytes (must be ${due})`);
  return `layers hold what stages kept and what returned to them, in order; ${returning} hidden states may yet return (${auxBytes} bytes)`;
}

/** Tokens that each layer is to hold: those after prefill, and all that steps computed since; null: not known, of a run from a file. */
export const lengthsWithReturned = ({ plan, stepCounts }: Pick<Run, "plan" | "stepCounts">): number[] | null => stepCounts && plan.kvLengths.map((length, layer) => length + stepCounts.tokens[layer]!);
