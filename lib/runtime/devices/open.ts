import type { KvDtype } from "../../checkpoint/kv-dtype.js";
import type { Accuracy } from "../../decoder/checkpoint-weights.js";
import { backend } from "../c-api/backend.js";
import { kvDtypeOf } from "../compute-dtype.js";
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
export async function openHome(device: Device = "cpu", { attention, kvDtype, worker = false, onDevice = toStderr, accuracy, dtype, providerLibrary, modelHash }: HomeOptions = {}): Promise<Home> {
  const named = requireDevice(device);
  if (worker && named !== "cpu") throw new Error(`worker: true (is for device cpu, not ${named})`);
  // Known from now on: how many copies of the weights there will be, which plans of memory count.
  if (named === "cpu" || named === "auto") await backend();
  if (accuracy === "bfloat16" && !isPluginName(named)) throw new Error(`accuracy: bfloat16 (is for plugin providers as openvino, not ${named})`);
  const say = (message: string) => once(message, onDevice);
  if (isPluginName(named)) {
    const [{ openPluginHome }, { pluginFile }] = await Promise.all([import("../providers/open.js"), import("../providers/installed.js")]);
    return openPluginHome(await pluginFile(named, providerLibrary), { accuracy, attention, say, ...(kvDtype && { kvDtype }) });
  }
  if (named === "cpu" && accuracy === "float16") {
    if (worker) throw new Error("worker: true (not with accuracy float16)");
    return (await import("./rounding-home.js")).roundingHome(attention, kvDtype);
  }
  if (named === "cpu") return worker ? (await import("../worker/home.js")).workerHome(attention, kvDtype) : hostHome(attention, kvDtype);
  if (named === "auto") {
    // Who asks for a way of computing asks for that of the devices that are built in.
    const choice = await chooseDevice({ onDevice, accuracy, ...(kvDtype && { kvDtype }), ...(dtype !== undefined && { dtype }), ...(modelHash && !accuracy && !attention && { modelHash }) });
    if ("plugin" in choice) {
      const home = await (await import("../providers/open.js")).openPluginHome(choice.plugin, { say, ...(kvDtype && { kvDtype }) }).catch((error: unknown) => say(`device: cpu (${(error as Error).message})`));
      return home ?? hostHome(attention, kvDtype);
    }
    if (choice.device !== "cpu") return homeOf(choice.device, attention ? both(attention) : choice.attention, floats(choice.device, choice.noFloat16, { accuracy, dtype, onDevice }), kvDtype);
    if (accuracy === "float16") throw new Error(`accuracy: float16 (is for GPUs; auto found ${choice.why.join("; ") || "none"})`);
    return hostHome(attention, kvDtype);
  }
  // Those of WebGPU never leave the device; CUDA's are in this process's memory between runs.
  if (named === "webgpu" && kvDtype === "int8") throw new Error("kvDtype: int8 (on webgpu caches are in what is computed in: fp32, or fp16)");
  if (named === "cuda") (await import("./cuda-home.js")).requireCuda();
  if (attention && !wantsFloat16({ accuracy, dtype })) return homeOf(named, both(attention), "float32", kvDtype);
  const { verdict } = await checkedAloud(named, onDevice);
  if (!verdict.ok) throw new Error(`device: ${named} (${verdict.reason}; sdtp doctor says more)`);
  return homeOf(named, attention ? both(attention) : verdict.attention, floats(named, verdict.noFloat16, { accuracy, dtype, onDevice }), kvDtype);
}

const wantsFloat16 = ({ accuracy, dtype }: Pick<HomeOptions, "accuracy"> & { readonly dtype: string | undefined }): boolean => (accuracy === undefined ? dtype?.split(":")[0] === "fp16" : accuracy === "float16");

/** What a GPU computes in. @throws where 16-bit numbers were asked for and the device has them not */
function floats(device: Accelerator, noFloat16: string | null, { accuracy, dtype, onDevice }: { accuracy: Accuracy | undefined; dtype: string | undefined; onDevice: (message: string) => void }): GpuAccuracy {
  if (!wantsFloat16({ accuracy, dtype })) return "float32";
  if (noFloat16 === null) return "float16";
  if (accuracy === "float16") throw new Error(`accuracy: float16 (${device}: ${noFloat16})`);
  once(`device: ${device} computes fp16 weights in float32 (${noFloat16})`, onDevice);
  return "float32";
}

const both = (attention: AttentionKind): DeviceAttention => ({ prefill: attention, decode: attention });

/** @throws on caches that the device has not */
async function homeOf(device: Accelerator, attention: DeviceAttention, accuracy: GpuAccuracy, kvDtype: KvDtype = kvDtypeOf(accuracy)): Promise<Home> {
  if (device === "webgpu") {
    if (kvDtype !== kvDtypeOf(accuracy)) throw new Error(`kvDtype: ${kvDtype} (on webgpu caches are in what is computed in: ${kvDtypeOf(accuracy)})`);
    return (await import("../webgpu-home.js")).webgpuHome(attention, accuracy);
  }
  const { cudaHome, freeMemory } = await import("./cuda-home.js");
  return cudaHome(attention, accuracy, await freeMemory(), kvDtype);
}

export type Choice =
  | { readonly device: "cpu"; readonly why: readonly string[] }
  | { readonly device: PluginName; readonly plugin: PluginFile; readonly why: readonly string[] }
  | { readonly device: Accelerator; readonly attention: DeviceAttention; readonly noFloat16: string | null; readonly why: readonly string[] };

/** The device that `auto` stands for here, and why better ones were passed over. */
export async function chooseDevice({ onDevice = toStderr, kvDtype, modelHash, accuracy, dtype }: Pick<HomeOptions, "onDevice" | "kvDtype" | "modelHash" | "dtype"> & { readonly accuracy?: Accuracy | undefined } = {}): Promise<Choice> {
  const { hasCuda } = await import("./cuda-home.js");
  const why: string[] = [];
  for (const device of ["cuda", "webgpu"] as const) {
    // A provider that nobody installed is no failure.
    if (device === "cuda" && !hasCuda()) continue;
    if (device === "webgpu" && kvDtype === "int8") {
      why.push("webgpu: has no int8 caches");
      continue;
    }
    if (device === "webgpu" && onlySoftware(driverFacts())) {
      why.push("webgpu: has a software driver only, which is slower than the CPU itself");
      continue;
    }
    const { verdict } = await checkedAloud(device, onDevice);
    const computed = verdict.ok && verdict.noFloat16 === null && wantsFloat16({ accuracy, dtype }) ? "float16" : "float32";
    if (!verdict.ok) why.push(`${device}: ${verdict.reason}`);
    else if (device === "webgpu" && kvDtype !== undefined && kvDtype !== kvDtypeOf(computed)) why.push(`${device}: has no ${kvDtype} caches`);
    else return { device, attention: verdict.attention, noFloat16: verdict.noFloat16, why };
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
