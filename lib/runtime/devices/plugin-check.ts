import { availableParallelism } from "node:os";
import { openCheckpoint } from "../../checkpoint/open.js";
import type { Checkpoint } from "../../checkpoint/types.js";
import { SEAM } from "../../onnx/standard-builder.js";
import { hostHome, type Home } from "../home.js";
import { pluginHome, type PluginHomeOptions } from "../providers/home.js";
import type { PluginFile } from "../providers/installed.js";
import { BFLOAT16_THREADS, knownProvider } from "../providers/known.js";
import { pluginOf } from "../providers/names.js";
import { pluginDevices } from "../providers/session.js";
import { compare, compute, firstLine, largest, STEPS, wrong } from "./check.js";
import { OperatorCheck, wrongOperators } from "./operators.js";
import type { PluginFindings, Verdict } from "./verdict.js";

/** Largest difference in logits from the CPU with numbers rounded to bfloat16, as a share of the largest. What it costs a model is measured by `sdtp provider check`. */
export const BFLOAT16_TOLERANCE = 5e-2;

/** Tokens of the whole prompt: enough for attention in pieces, which providers do by operators of their own that no operator alone shows. */
const PROMPT = 600;

/**
 * Each kind of operator alone, then a pruned prompt, decode steps and the cache, on a plugin's provider and on the CPU; then a prompt rounded to bfloat16.
 * To be called in a process that may die: the library may end it.
 */
export async function checkPlugin(plugin: PluginFile, name = "tiny"): Promise<Verdict> {
  const { bfloat16, provider, kind } = knownProvider(pluginOf(plugin.device));
  const devices = await pluginDevices(plugin.file);
  const device = devices.find((each) => (provider === undefined || each.provider === provider) && (kind === undefined || each.kind === kind)) ?? devices[0]!;
  return provePlugin(await openCheckpoint(name, {}), (options) => pluginHome(plugin, options), { bfloat16, provider: device.provider, version: device.version });
}

/** As `checkPlugin`. @param homeOf the provider, computing so */
export async function provePlugin(checkpoint: Checkpoint, homeOf: (options: PluginHomeOptions) => Home, { bfloat16, ...named }: { readonly bfloat16: boolean } & Pick<PluginFindings, "provider" | "version">): Promise<Verdict> {
  const length = lengthFor(checkpoint);
  const check = new OperatorCheck();
  await compute(checkpoint, check.home(homeOf({ decodes: true }), hostHome("plain")));
  const far = wrongOperators(check.records, { strict: true });
  if (far.length > 0) return { ok: false, reason: `differs from the CPU in ${far.join("; ")}` };
  const expected = await compute(checkpoint, hostHome(), { length });
  const onCpu = new Set<string>();
  const onAssigned: PluginHomeOptions["onAssigned"] = (_, assigned) => {
    for (const [who, operators] of assigned) if (who === "CPUExecutionProvider") for (const operator of operators) if (operator !== SEAM) onCpu.add(operator);
  };
  const differences = compare(expected, await compute(checkpoint, homeOf({ decodes: true, onAssigned }), { length }));
  const reason = wrong(differences);
  if (reason !== "") return { ok: false, reason };
  const noBfloat16 = bfloat16 ? await whyNotBfloat16(checkpoint, homeOf({ accuracy: "bfloat16" })) : "the provider has no setting for it that is known here";
  return {
    ok: true, attention: { prefill: "plain", decode: "plain" }, differences, rejected: [], noFloat16: "not for plugin providers",
    plugin: { ...named, operators: check.kinds, onCpu: [...onCpu].sort(), noBfloat16 },
  };
}

const lengthFor = ({ config }: Checkpoint): number => Math.min(PROMPT, config.maxPositions - STEPS.length);

/** Null: nothing speaks against it but what it costs. */
async function whyNotBfloat16(checkpoint: Checkpoint, home: Home): Promise<string | null> {
  if (availableParallelism() < BFLOAT16_THREADS) return `it takes ${BFLOAT16_THREADS} processors at least`;
  try {
    const length = lengthFor(checkpoint);
    const [exact, rounded] = [await compute(checkpoint, hostHome(), { preset: "baseline", length }), await compute(checkpoint, home, { preset: "baseline", threads: BFLOAT16_THREADS, length })];
    const far = largest(exact.prefill, rounded.prefill) / exact.prefill.reduce((most, x) => Math.max(most, Math.abs(x)), 0);
    if (far === 0) return "it rounds nothing on this processor";
    return far <= BFLOAT16_TOLERANCE ? null : `rounded to bfloat16 logits differ from the CPU by ${far.toPrecision(2)} of the largest`;
  } catch (error) {
    return firstLine(error);
  }
}
