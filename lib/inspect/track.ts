import type { Run } from "../runtime/run.js";
import { greedy } from "../runtime/sampler.js";
import { AttentionSum, requireTokens, type AttentionPaid } from "./attention.js";
import { runLabel } from "./label.js";
import { requireSamePrompt } from "./shared.js";

/** One generated token, both runs having seen the same tokens before it. */
export interface TrackStep {
  /** From 0. */
  readonly step: number;
  /** The token that the reference run chose, which both then go on with. */
  readonly id: number;
  /** The token that the tracked run would have chosen. */
  readonly own: number;
  readonly agrees: boolean;
  /** KL divergence in nats of the tracked run's next-token distribution from the reference run's: sum of p ln(p / q), p the reference. */
  readonly kl: number;
  /** KV lengths by layer of the tracked run after the step. */
  readonly lengths: readonly number[];
}

export interface Tracking {
  readonly label: string;
  /** The run tracked against. */
  readonly against: string;
  readonly promptLength: number;
  readonly steps: readonly TrackStep[];
  /** First step at which the runs choose different tokens; null where they never do. Up to it their own generations are the same. */
  readonly firstDivergence: number | null;
  /** Share of steps at which both choose the same token, after the same tokens. */
  readonly agreement: number;
  /** Mean over steps, in nats. */
  readonly meanKl: number;
  /** What each generates by itself, greedily. */
  readonly referenceIds: readonly number[];
  readonly ownIds: readonly number[];
  /** Where the tracked run's tokens look. */
  readonly attention: AttentionPaid;
}

/**
 * Follows generation with and without pruning, token by token. Both runs are given the reference run's tokens, so that
 * every step compares distributions after the same text; from the first divergence on, a fork of the tracked run also
 * goes its own way. The runs given are not changed.
 * @param tokens to generate at most (default 32); ends after an end-of-sequence token
 * @param against another run of the same prompt; default: the unpruned one
 * @throws on a run that has generated already, or of another prompt
 */
export async function trackRun(run: Run, { tokens = 32, against }: { tokens?: number; against?: Run } = {}): Promise<Tracking> {
  requireTokens(tokens);
  const given = against ?? (await run.unpruned());
  requireSamePrompt(run, given);
  for (const each of [run, given]) {
    if (each.position !== each.ids.length) throw new Error(`run: ${each.position - each.ids.length} tokens generated already (track a run right after its prefill, or a fork made then)`);
  }
  const reference = given.fork();
  const tracked = run.fork();
  const attention = new AttentionSum(tracked);
  const stops = new Set(run.model?.config.eosTokenIds);
  const steps: TrackStep[] = [];
  let free: Run | null = null;
  const ownIds: number[] = [];
  for (let step = 0; step < tokens; step++) {
    const [id, own] = [greedy(reference.logits), greedy(tracked.logits)];
    const kl = divergence(reference.logits, tracked.logits);
    if (id !== own) free ??= tracked.fork();
    if (!(ownIds.length > 0 && stops.has(ownIds.at(-1)!))) {
      ownIds.push(free ? greedy(free.logits) : own);
      if (free) await free.extend([ownIds.at(-1)!]);
    }
    attention.add(await tracked.observe([id]));
    await reference.extend([id]);
    steps.push({ step, id, own, agrees: id === own, kl, lengths: tracked.kv.lengths });
    if (stops.has(id)) break;
  }
  for (const fork of [reference, tracked, free]) fork?.dispose();
  const first = steps.find(({ agrees }) => !agrees);
  return {
    label: runLabel(run),
    against: runLabel(given),
    promptLength: run.ids.length,
    steps,
    firstDivergence: first?.step ?? null,
    agreement: steps.filter(({ agrees }) => agrees).length / steps.length,
    meanKl: steps.reduce((sum, { kl }) => sum + kl, 0) / steps.length,
    referenceIds: steps.map(({ id }) => id),
    ownIds,
    attention: attention.result(),
  };
}

/** KL(softmax(p) || softmax(q)) in nats, in double precision. */
export function divergence(p: ArrayLike<number>, q: ArrayLike<number>): number {
  const [logP, logQ] = [logSoftmax(p), logSoftmax(q)];
  return logP.reduce((sum, lp, i) => (lp === -Infinity ? sum : sum + Math.exp(lp) * (lp - logQ[i]!)), 0);
}

function logSoftmax(logits: ArrayLike<number>): Float64Array {
  const x = Float64Array.from(logits);
  const best = x.reduce((a, b) => Math.max(a, b), -Infinity);
  const total = Math.log(x.reduce((sum, value) => sum + Math.exp(value - best), 0)) + best;
  return x.map((value) => value - total);
}
