import { kvTokenBytes } from "../checkpoint/kv-dtype.js";
import { stagePlace } from "../methods/plan/stages.js";
import type { HostKv } from "../runtime/kv-cache.js";
import type { Run } from "../runtime/run.js";
import { Difference, differs } from "./difference.js";
import { requireComparable, sharedSlots } from "./shared.js";
import { cacheChoiceHolds, headsHold } from "./verify-heads.js";
import { lengthsWithReturned, returningHold } from "./verify-returning.js";

export interface Check {
  readonly name: string;
  /** null: could not be checked, the text says why. */
  readonly ok: boolean | null;
  /** What holds, or the first difference. */
  readonly text: string;
}

export interface Verification {
  /** No check failed. */
  readonly ok: boolean;
  readonly checks: readonly Check[];
  readonly lengths: readonly number[];
}

export interface VerifyOptions {
  /** Throw where a check fails; default true. */
  readonly throws?: boolean;
  /** The unpruned run to hold keys and values against; default: computed. */
  readonly against?: Run;
  /** Largest difference between keys or values that counts as equal, as a share of the layer's largest; default 1e-4, 1e-2 where 16-bit numbers are computed in. */
  readonly tolerance?: number;
}

/**
 * Checks a run's cache against what the schedule and the stages say: counts of every stage, length, positions and bytes
 * of every layer, and that up to the first block that prunes, keys and values are those of the unpruned run.
 * @throws where a check fails, naming the first difference, unless `throws` is false
 */
export async function verifyRun(run: Run, { throws = true, against, tolerance = run.model?.computeDtype === "fp16" ? 1e-2 : 1e-4 }: VerifyOptions = {}): Promise<Verification> {
  const expected = run.plan.cache || run.plan.method.revives ? null : expectedPositions(run);
  const read = await run.toHost();
  const cache = await run.kv.toHost();
  const checks = [
    check("stages", () => stagesHold(run)),
    check("choice", () => choiceHolds(run)),
    check("lengths", () => lengthsHold(run, expected, run.plan.method.revives ? lengthsWithReturned(run) : run.lengthsByRule)),
    check("positions", () => (expected ? positionsHold(run, expected) : run.plan.method.revives ? returningHold(run) : headsHold(run))),
    check("bytes", () => bytesHold(run, cache)),
    await unprunedHolds(run, read, against, tolerance),
  ];
  const failed = checks.find(({ ok }) => ok === false);
  if (failed && throws) throw new Error(`verify ${failed.name}: ${failed.text}`);
  return { ok: !failed, checks, lengths: run.kv.lengths };
}

function check(name: string, hold: () => string | null): Check {
  try {
    const text = hold();
    return text === null ? { name, ok: null, text: "scores were not read (prefill with { scores: true })" } : { name, ok: true, text };
  } catch (error) {
    if (!(error instanceof Difference)) throw error;
    return { name, ok: false, text: error.message };
  }
}

/** Positions that each layer must hold: of the prompt what policy and stages leave, then the generated tokens. */
function expectedPositions({ stages, plan, ids, position, kept, kv }: Run): Int32Array[] {
  const generated = Int32Array.from({ length: position - ids.length }, (_, i) => ids.length + i);
  let present = Int32Array.from(ids, (_, i) => i);
  for (const stage of stages) if (stage.afterLayer < 0) present = new Int32Array(stage.kept);
  return kv.layers.map((_, layer) => {
    const prompt = plan.evicts ? kept : present;
    for (const stage of stages) if (stage.afterLayer === layer) present = new Int32Array(stage.kept);
    return join(prompt, generated);
  });
}

function join(a: Int32Array, b: Int32Array): Int32Array {
  const both = new Int32Array(a.length + b.length);
  both.set(a);
  both.set(b, a.length);
  return both;
}

function stagesHold({ plan, ids, stages }: Run): string {
  const planned = plan.stages;
  if (planned.length !== stages.length) differs(`${stages.length} stages (the schedule has ${planned.length})`);
  planned.forEach(({ afterLayer, present, keep }, s) => {
    const stage = stages[s]!;
    if (stage.afterLayer !== afterLayer) differs(`stage ${s} stands ${stagePlace(stage.afterLayer)} (must be ${stagePlace(afterLayer)})`);
    if (stage.presentPositions.length !== present) differs(`stage ${s} saw ${stage.presentPositions.length} tokens (must be ${present})`);
    if (stage.kept.length !== keep) differs(`stage ${s} kept ${stage.kept.length} tokens (must be ${keep})`);
  });
  if (planned.length === 0) return plan.cache ? "no stage: every block computes all tokens" : "no stage, nothing is pruned";
  return `${planned.length} ${planned.length === 1 ? "stage keeps the scheduled count" : "stages keep the scheduled counts"}: ${[ids.length, ...stages.map(({ kept }) => kept.length)].join(" → ")}`;
}

/** Kept tokens are among those present, in order, the forced ones with them, and no free one that fell scores above one that stayed. */
function choiceHolds({ stages, selections, plan }: Run): string | null {
  if (plan.cache && stages.length === 0) return selections ? cacheChoiceHolds(selections, plan) : null;
  stages.forEach(({ kept, presentPositions, forced }, s) => {
    const [present, stays] = [new Set(presentPositions), new Set(kept)];
    kept.forEach((position, i) => {
      if (!present.has(position)) differs(`stage ${s} kept position ${position}, which was not present`);
      if (i > 0 && position <= kept[i - 1]!) differs(`stage ${s} kept position ${position} after ${kept[i - 1]} (must be ascending)`);
    });
    const missing = forced.find((position) => !stays.has(position));
    if (missing !== undefined) differs(`stage ${s} dropped position ${missing}, which always stays`);
  });
  if (stages.length === 0) return "nothing was chosen";
  if (stages.some(({ scores }) => !scores)) return null;
  stages.forEach(({ kept, presentPositions, head, tail, scores }, s) => {
    const stays = new Set(kept);
    let [lowest, highest] = [Infinity, -Infinity];
    for (let i = head; i < presentPositions.length - tail; i++) {
      const score = Number.isNaN(scores![i]!) ? -Infinity : scores![i]!;
      if (stays.has(presentPositions[i]!)) lowest = Math.min(lowest, score);
      else highest = Math.max(highest, score);
    }
    if (highest > lowest) differs(`stage ${s} dropped a token of score ${highest} and kept one of ${lowest}`);
  });
  return "forced tokens stayed, and no token that fell scores above one that had to win its place";
}

function lengthsHold({ kv, plan, kvLengthsAfterPrefill, ids, position }: Run, expected: readonly Int32Array[] | null, lengthsByRule: readonly number[] | null): string {
  const sum = (lengths: readonly number[]) => Math.round(lengths.reduce((a, b) => a + b, 0) * HEADS) / HEADS;
  if (plan.shared && sum(kvLengthsAfterPrefill) !== sum(plan.kvLengths)) differs(`layers held ${sum(kvLengthsAfterPrefill)} tokens together after prefill (the plan says ${sum(plan.kvLengths)}, which ${plan.shared} share)`);
  if (!plan.shared) plan.kvLengths.forEach((length, layer) => {
    if (kvLengthsAfterPrefill[layer] !== length) differs(`layer ${layer} held ${kvLengthsAfterPrefill[layer]} tokens after prefill (the plan says ${length})`);
  });
  const generated = position - ids.length;
  kv.lengths.forEach((length, layer) => {
    // Of a run from a file it is not known when its cache was cut down.
    if ((plan.decoding || plan.method.revives) && !lengthsByRule && generated > 0) return;
    const due = lengthsByRule?.[layer] ?? (expected ? expected[layer]!.length : (plan.shared ? kvLengthsAfterPrefill : plan.kvLengths)[layer]! + generated);
    if (Math.abs(length - due) * HEADS > 1) differs(`layer ${layer} holds ${length} tokens (must be ${due})`);
  });
  const distinct = [...new Set(kv.lengths)];
  return distinct.length === 1 ? `${kv.layers.length} layers hold ${distinct[0]} tokens each` : `layers hold ${kv.lengths.join(", ")} tokens`;
}

function positionsHold({ kv }: Run, expected: readonly Int32Array[]): string {
  kv.layers.forEach(({ positions }, layer) => {
    const at = positions.findIndex((position, slot) => position !== expected[layer]![slot]);
    if (at >= 0) differs(`layer ${layer}, slot ${at} holds position ${positions[at]} (must be ${expected[layer]![at]})`);
  });
  return "every layer holds the positions that the stages kept, in order";
}

/** Mean lengths over heads are compared to this part of a token. */
const HEADS = 1e6;

/** Bytes are counted on the arrays themselves; a device's, on their copy. */
function bytesHold({ kv }: Run, cache: HostKv): string {
  cache.layers.forEach((layer, l) => {
    const expected = layer.length * kvTokenBytes(layer, layer.kvDtype);
    let held = 0;
    for (let head = 0; head < layer.kvHeads; head++) {
      for (const part of ["key", "value"] as const) {
        const { elements, scales } = layer.stored(part, head);
        held += elements.byteLength + (scales?.byteLength ?? 0);
      }
    }
    const says = kv.layer(l).bytes;
    if (held !== Math.round(expected) || says !== held) differs(`layer ${l} holds ${held} bytes and says ${says} (must be ${expected})`);
  });
  return `${kv.bytes} bytes in all: keys and values of every token held, nothing else`;
}

async function unprunedHolds(run: Run, read: Run, against: Run | undefined, tolerance: number): Promise<Check> {
  const name = "unpruned";
  if (run.plan.method.restart) return { name, ok: null, text: "the prompt started anew on the tokens kept: their keys and values are others" };
  if (!against && !run.model) return { name, ok: null, text: "a saved run has no model to compute the unpruned run with (give it as against)" };
  const other = against ?? (await run.unpruned());
  if (other === run) return { name, ok: true, text: "this is the unpruned run" };
  requireComparable(run, other);
  const base = await other.toHost();
  return check(name, () => prefixHolds(read, base, tolerance));
}

function prefixHolds(run: Run, other: Run, tolerance: number): string {
  // Before anything was mixed in, a token's keys and values are its own: pruned before the first block, the first layer's are still those.
  const last = Math.max(0, run.stages.find(({ present, keep }) => keep < present)?.afterLayer ?? run.kv.layers.length - 1);
  let largest = 0;
  for (let l = 0; l <= last; l++) {
    const [layer, base] = [run.kv.layer(l), other.kv.layer(l)];
    const { headDim } = layer;
    for (const part of ["key", "value"] as const) {
      for (let head = 0; head < layer.kvHeads; head++) {
        const [x, y] = [layer[part](head), base[part](head)];
        const scale = y.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
        for (const slot of sharedSlots(layer, base, run.ids.length, head)) {
          for (let i = 0; i < headDim; i++) {
            const difference = Math.abs(x[slot.a * headDim + i]! - y[slot.b * headDim + i]!);
            // Written so that a value that is not a number counts as different.
            if (!(difference <= tolerance * scale)) {
              differs(`layer ${l}, head ${head}, position ${layer.headPositions(head)[slot.a]}: ${part}[${i}] is ${x[slot.a * headDim + i]} (the unpruned run has ${y[slot.b * headDim + i]})`);
            }
            largest = Math.max(largest, difference);
          }
        }
      }
    }
  }
  return `keys and values of ${last === 0 ? "layer 0" : `layers 0 to ${last}`} equal the unpruned run's at the same positions (largest difference ${Number(largest.toPrecision(2))})`;
}
