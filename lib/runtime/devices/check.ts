import { openCheckpoint } from "../../checkpoint/open.js";
import type { Checkpoint } from "../../checkpoint/types.js";
import { norm } from "../../methods/scorers/norm.js";
import { hostHome, type Home } from "../home.js";
import type { HostKv } from "../kv-cache.js";
import { Model } from "../model.js";
import { webgpuHome, type DeviceAttention, type GpuAccuracy } from "../webgpu-home.js";
import { cudaHome } from "./cuda-home.js";
import { wrongSums } from "./sums.js";
import type { Accelerator, Differences, Verdict } from "./verdict.js";

/** Largest difference that a device may have from the CPU, in logits, keys and values. */
export const TOLERANCE = 1e-3;

/** The same in 16-bit numbers, as a share of the largest logit, key and value. */
export const FLOAT16_TOLERANCE = 2e-2;

/** Long enough for every kernel that takes over from a simpler one at some length. */
const LENGTH = 160;
/** Ids of the tokens that follow the prompt. */
export const STEPS: readonly number[] = [5, 9, 17];

/** What a model computes somewhere. */
export interface Checked {
  readonly kept: Int32Array;
  readonly prefill: Float32Array;
  readonly steps: readonly Float32Array[];
  readonly kv: HostKv;
}

/**
 * A prompt with pruning, decode steps and the cache read back, on the device and on the CPU. ONNX Runtime's fused attention
 * is taken where it is right, attention spelled out where it is not.
 * To be called in a process that may die: some drivers end it.
 * @param name the model to check with; default the embedded one
 */
export async function checkDevice(device: Accelerator, name = "tiny"): Promise<Verdict> {
  return prove(await openCheckpoint(name, {}), (attention, accuracy) => (device === "webgpu" ? webgpuHome(attention, accuracy) : cudaHome(attention, accuracy)));
}

/** As `checkDevice`. @param homeOf the device, computing attention so, and in these numbers */
export async function prove(checkpoint: Checkpoint, homeOf: (attention: DeviceAttention, accuracy: GpuAccuracy) => Home): Promise<Verdict> {
  const expected = await compute(checkpoint, hostHome());
  const rejected: string[] = [];
  let attention: DeviceAttention = { prefill: "fused", decode: "fused" };
  for (;;) {
    let differences: Differences | null = null;
    let failure: string;
    try {
      differences = compare(expected, await compute(checkpoint, homeOf(attention, "float32")));
      failure = wrong(differences);
    } catch (error) {
      failure = firstLine(error);
    }
    if (differences && failure === "") return { ok: true, attention, differences, rejected, noFloat16: await noFloat16(checkpoint, homeOf(attention, "float16")) };
    const next = plainer(attention, differences);
    if (!next) return { ok: false, reason: failure };
    rejected.push(`attention ${attention.prefill} in prefill, ${attention.decode} in decode: ${failure}`);
    attention = next;
  }
}

/** Why the device does not compute in 16-bit numbers well enough; null: it does. Which tokens are kept may change with the rounding: nothing is pruned. */
async function noFloat16(checkpoint: Checkpoint, home: Home): Promise<string | null> {
  try {
    const wrong = await wrongSums(home);
    if (wrong !== null) return wrong;
    const [expected, half] = [await compute(checkpoint, hostHome(), { preset: "baseline" }), await compute(checkpoint, home, { preset: "baseline" })];
    const top = (all: readonly Float32Array[]) => all.reduce((most, values) => values.reduce((sofar, x) => Math.max(sofar, Math.abs(x)), most), 0);
    const cached = ({ kv }: Checked) => kv.layers.flatMap((layer) => Array.from({ length: layer.kvHeads }, (_, head) => [layer.key(head), layer.value(head)]).flat());
    for (const [what, of] of [["logits", ({ prefill, steps }: Checked) => [prefill, ...steps]], ["keys and values", cached]] as const) {
      const [a, b] = [of(expected), of(half)];
      const far = Math.max(...a.map((values, i) => largest(values, b[i]!))) / top(a);
      if (!(far <= FLOAT16_TOLERANCE)) return `in 16-bit numbers ${what} differ from the CPU by ${far.toPrecision(2)} of the largest`;
    }
    return null;
  } catch (error) {
    return /requires f16|does not support it/.test((error as Error).message) ? "the device has no 16-bit numbers" : firstLine(error);
  }
}

/** What to try next: spelled out where it went wrong. */
function plainer({ prefill, decode }: DeviceAttention, differences: Differences | null): DeviceAttention | null {
  const prefillWrong = !differences || differences.keptPositions === "differ" || !(differences.prefillLogits <= TOLERANCE);
  if (prefillWrong && prefill === "fused") return { prefill: "plain", decode };
  return decode === "fused" ? { prefill, decode: "plain" } : null;
}

/** A prompt with pruning and decode steps, by a home. */
export async function compute(checkpoint: Checkpoint, home: Home, { preset = "keep07", threads = 1, length = LENGTH } = {}): Promise<Checked> {
  const model = new Model(checkpoint, { threads }, home);
  try {
    const ids = Array.from({ length }, (_, i) => (i * 7919 + 13) % checkpoint.config.vocabSize);
    const run = await model.prefill(ids, { preset, scorer: norm, reserve: STEPS.length });
    const steps: Float32Array[] = [];
    const prefill = run.logits;
    for (const id of STEPS) steps.push(await run.extend([id % checkpoint.config.vocabSize]));
    const kv = await run.kv.toHost();
    run.dispose();
    return { kept: run.kept, prefill, steps, kv };
  } finally {
    await model.release();
  }
}

/** How far a device is from what was expected. */
export function compare(expected: Checked, found: Checked): Differences {
  const same = expected.kept.length === found.kept.length && expected.kept.every((position, i) => position === found.kept[i]);
  const parts = same ? expected.kv.layers.flatMap((layer, l) => (["key", "value"] as const).flatMap((part) =>
    Array.from({ length: layer.kvHeads }, (_, head) => largest(layer[part](head), found.kv.layer(l)[part](head))))) : [Infinity];
  return {
    prefillLogits: largest(expected.prefill, found.prefill),
    decodeLogits: Math.max(...expected.steps.map((logits, step) => largest(logits, found.steps[step]!))),
    cache: Math.max(...parts),
    keptPositions: same ? "same" : "differ",
  };
}

/** The largest difference of two vectors. What is not a number is infinitely far. */
export function largest(a: Float32Array, b: Float32Array): number {
  let most = a.length === b.length ? 0 : Infinity;
  for (let i = 0; i < a.length && most < Infinity; i++) {
    const difference = Math.abs(a[i]! - b[i]!);
    most = Number.isNaN(difference) ? Infinity : Math.max(most, difference);
  }
  return most;
}

/** What of that is too far; empty: nothing. */
export function wrong({ prefillLogits, decodeLogits, cache, keptPositions }: Differences): string {
  const far = Object.entries({ "logits after prefill": prefillLogits, "logits of decode steps": decodeLogits, "keys and values": cache })
    .filter(([, difference]) => !(difference <= TOLERANCE))
    .map(([what, difference]) => `${what} by ${difference.toPrecision(2)}`);
  const kept = keptPositions === "differ" ? ["the kept positions"] : [];
  const all = [...kept, ...far];
  return all.length > 0 ? `differs from the CPU in ${all.join(", ")}` : "";
}

/** The end of ONNX Runtime's message, where the reason stands. */
export function firstLine(error: unknown): string {
  const message = error instanceof Error ? error.message : String(error);
  const line = message.split("\n").find((each) => each.trim() !== "") ?? message;
  return (/(Failed to get .*)/.exec(line)?.[1] ?? line).trim().slice(0, 300);
}
