import type { KvDtype } from "../../checkpoint/kv-dtype.js";
import type { Accuracy } from "../../decoder/checkpoint-weights.js";
import { backend } from "../c-api/backend.js";
import { hostHome, type AttentionKind, type Home } from "../home.js";
import type { DeviceAttention, GpuAccuracy } from "../webgpu-home.js";
import { driverFacts, onlySoftware } from "./driver.js";
import type { PluginFile } from "../providers/installed.js";
import { isPluginName, type PluginName } from "../providers/names.js";
import { requireDevice, type Device } from "./names.js";
import { checked, type Accelerator, type CheckRecord } from "./verdict.js";

export interface HomeOptions {
  readonly attention?: AttentionKind;
  readonly kvDtype?: KvDtype;
  /** See `LoadOptions`. */
  readonly accuracy?: Accuracy;
  /** What weights are to be held in: a GPU that has 16-bit numbers multiplies fp16 ones as such. */
  readonly dtype?: string;
  /** Run graphs in a thread of their own (CPU only). */
  readonly worker?: boolean;
  /** Library of a plugin provider; default: what `SDTP_PROVIDER_LIBRARY` says, else what `sdtp provider add` brought. */
  readonly providerLibrary?: string;
  /** The model's hash, for `auto`: a plugin's provider is taken for models on which its loss was measured. Absent: for none. */
  readonly modelHash?: () => Promise<string>;
  /** Told, once a process, what a user should know of the choice of a device: that it is being checked, why it was not taken. Default: stderr. */
  readonly onDevice?: (message: string) => void;
}

/**
 * A device other than the CPU is used only where it computes what the CPU does, with the attention that it was found to get right
 * (`attention` overrides that, unchecked). `auto` takes the first of CUDA, WebGPU and plugins' providers that does, but no software driver, and a plugin's
 * only where its loss on the model was measured and is small; else the CPU.
 * @throws on an unknown device, one that is not there or computes wrongly, and a cache dtype that it has not
 */
export async function openHome(device: Device = "cpu", { attention, kvDtype = "fp32", worker = false, onDevice = toStderr, accuracy, dtype, providerLibrary, modelHash }: HomeOptions = {}): Promise<Home> {
  const named = requireDevice(device);
  if (accuracy === "float16" && named === "cpu") throw new Error("accuracy: float16 (is for GPUs; the CPU has int8 and float32)");
  if (worker && named !== "cpu") throw new Error(`worker: true (is for device cpu, not ${named})`);
  // Known from now on: how many copies of the weights there will be, which plans of memory count.
  if (named === "cpu" || named === "auto") await backend();
  if (accuracy === "bfloat16" && !isPluginName(named)) throw new Error(`accuracy: bfloat16 (is for plugin providers as openvino, not ${named})`);
  const say = (message: string) => once(message, onDevice);
  if (isPluginName(named)) {
    const [{ openPluginHome }, { pluginFile }] = await Promise.all([import("../providers/open.js"), import("../providers/installed.js")]);
    return openPluginHome(await pluginFile(named, providerLibrary), { accuracy, attention, kvDtype, say });
  }
  if (named === "cpu") return worker ? (await import("../worker/home.js")).workerHome(attention, kvDtype) : hostHome(attention, kvDtype);
  if (named === "auto") {
    // Who asks for a way of computing asks for that of the devices that are built in.
    const choice = await chooseDevice({ onDevice, kvDtype, ...(modelHash && !accuracy && !attention && { modelHash }) });
    if ("plugin" in choice) {
      const home = await (await import("../providers/open.js")).openPluginHome(choice.plugin, { kvDtype, say }).catch((error: unknown) => say(`device: cpu (${(error as Error).message})`));
      return home ?? hostHome(attention, kvDtype);
    }
    if (choice.device !== "cpu") return homeOf(choice.device, attention ? both(attention) : choice.attention, products(choice.device, choice.noFloat16, { accuracy, dtype, onDevice }));
    if (accuracy === "float16") throw new Error(`accuracy: float16 (is for GPUs; auto found ${choice.why.join("; ") || "none"})`);
    return hostHome(attention, kvDtype);
  }
  if (kvDtype !== "fp32") throw new Error(`kvDtype: ${kvDtype} (on ${named} caches are fp32)`);
  if (named === "cuda") (await import("./cuda-home.js")).requireCuda();
  if (attention && accuracy !== "float16") return homeOf(named, both(attention), "float32");
  const { verdict } = await checkedAloud(named, onDevice);
  if (!verdict.ok) throw new Error(`device: ${named} (${verdict.reason}; sdtp doctor says more)`);
  return homeOf(named, attention ? both(attention) : verdict.attention, products(named, verdict.noFloat16, { accuracy, dtype, onDevice }));
}

/** What a GPU's products with weights are in. @throws where 16-bit ones were asked for and the device has them not */
function products(device: Accelerator, noFloat16: string | null, { accuracy, dtype, onDevice }: { accuracy: Accuracy | undefined; dtype: string | undefined; onDevice: (message: string) => void }): GpuAccuracy {
  const asked = accuracy === "float16";
  const wanted = asked || (accuracy === undefined && dtype?.split(":")[0] === "fp16");
  if (!wanted) return "float32";
  if (noFloat16 === null) return "float16";
  if (asked) throw new Error(`accuracy: float16 (${device}: ${noFloat16})`);
  once(`device: ${device} multiplies fp16 weights in float32 (${noFloat16})`, onDevice);
  return "float32";
}

const both = (attention: AttentionKind): DeviceAttention => ({ prefill: attention, decode: attention });
async function homeOf(device: Accelerator, attention: DeviceAttention, accuracy: GpuAccuracy): Promise<Home> {
  if (device === "webgpu") return (await import("../webgpu-home.js")).webgpuHome(attention, accuracy);
  const { cudaHome, freeMemory } = await import("./cuda-home.js");
  return cudaHome(attention, accuracy, await freeMemory());
}

export type Choice =
  | { readonly device: "cpu"; readonly why: readonly string[] }
  | { readonly device: PluginName; readonly plugin: PluginFile; readonly why: readonly string[] }
  | { readonly device: Accelerator; readonly attention: DeviceAttention; readonly noFloat16: string | null; readonly why: readonly string[] };

/** The device that `auto` stands for here, and why better ones were passed over. */
export async function chooseDevice({ onDevice = toStderr, kvDtype = "fp32", modelHash }: Pick<HomeOptions, "onDevice" | "kvDtype" | "modelHash"> = {}): Promise<Choice> {
  const { hasCuda } = await import("./cuda-home.js");
  const why: string[] = [];
  for (const device of ["cuda", "webgpu"] as const) {
    // A provider that nobody installed is no failure.
    if (device === "cuda" && !hasCuda()) continue;
    if (kvDtype !== "fp32") {
      why.push(`${device}: has no ${kvDtype} caches`);
      continue;
    }
    if (device === "webgpu" && onlySoftware(driverFacts())) {
      why.push("webgpu: has a software driver only, which is slower than the CPU itself");
      continue;
    }
    const { verdict } = await checkedAloud(device, onDevice);
    if (verdict.ok) return { device, attention: verdict.attention, noFloat16: verdict.noFloat16, why };
    why.push(`${device}: ${verdict.reason}`);
  }
  const { pluginForAuto } = await import("../providers/auto.js");
  const plugin = await pluginForAuto(modelHash, why);
  if (plugin) return { device: plugin.device, plugin, why };
  once(`device: cpu (${why.join("; ")})`, onDevice);
  return { device: "cpu", why };
}

const checkedAloud = (device: Accelerator, onDevice: (message: string) => void): Promise<CheckRecord> =>
  checked(device, { onStart: () => once(`device: checking ${device} against the CPU; this is done once for a driver`, onDevice) });

const said = new Set<string>();

function once(message: string, say: (message: string) => void): void {
  if (said.has(message)) return;
  said.add(message);
  say(message);
}

function toStderr(message: string): void {
  process.stderr.write(`${message}\n`);
}
