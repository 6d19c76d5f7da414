import type { KvDtype } from "../../checkpoint/kv-dtype.js";
import type { Accuracy } from "../../decoder/checkpoint-weights.js";
import type { AttentionKind, Home } from "../home.js";
import { checkedPlugin, type PluginFindings } from "../devices/verdict.js";
import { pluginHome } from "./home.js";
import { pluginFile, type PluginFile } from "./installed.js";
import type { PluginAccuracy } from "./known.js";
import type { PluginName } from "./names.js";

export interface PluginOptions {
  readonly accuracy?: Accuracy | undefined;
  readonly attention?: AttentionKind | undefined;
  readonly kvDtype?: KvDtype | undefined;
  /** Told, once a process, what a user should know. */
  readonly say: (message: string) => void;
}

/**
 * A plugin's provider, where it computes what the CPU does. Numbers are rounded to bfloat16 where it can do that and nothing else was asked for.
 * @throws where it is not there, cannot be used, or computes wrongly
 */
export async function openPluginHome(plugin: PluginFile, { accuracy, attention, kvDtype, say }: PluginOptions): Promise<Home> {
  const { device } = plugin;
  if (attention === "fused") throw new Error(`attention: fused (is ONNX Runtime's own operator; on ${device} attention is plain)`);
  if (accuracy === "int8" || accuracy === "float16") throw new Error(`accuracy: ${accuracy} (on ${device}: must be bfloat16 or float32)`);
  const { verdict } = await checkedPlugin(plugin, { onStart: () => say(`device: checking ${device} against the CPU; this is done once for a library`) });
  if (!verdict.ok) throw new Error(`device: ${device} (${verdict.reason})`);
  const { noBfloat16, onCpu } = verdict.plugin!;
  if (onCpu.length > 0) say(`device: ${device} leaves ${onCpu.join(", ")} to the CPU`);
  const rounded = accuracyOf(device, accuracy, noBfloat16, say);
  return pluginHome(plugin, { accuracy: rounded, ...(kvDtype && { kvDtype }) });
}

/** Version of the provider that a device stands for here, as its package or itself says it. */
export async function pluginVersion(device: PluginName): Promise<string> {
  const plugin = await pluginFile(device);
  if (plugin.version !== null) return plugin.version;
  const { verdict } = await checkedPlugin(plugin);
  return (verdict.ok && verdict.plugin?.version) || "unknown";
}

function accuracyOf(device: PluginName, asked: "float32" | "bfloat16" | undefined, noBfloat16: PluginFindings["noBfloat16"], say: (message: string) => void): PluginAccuracy {
  if (asked === "float32") return asked;
  if (noBfloat16 === null) {
    if (!asked) say(`device: ${device} rounds to bfloat16 (sdtp provider check ${device} says what that costs a model; accuracy: "float32" does not round)`);
    return "bfloat16";
  }
  if (asked) throw new Error(`accuracy: bfloat16 (${device}: ${noBfloat16})`);
  return "float32";
}
