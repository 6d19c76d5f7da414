import type { KvDtype } from "../../decoder/cache-input.js";
import { hostHome, type AttentionKind, type Home } from "../home.js";
import { workerHome } from "../worker/home.js";
import { webgpuHome, type DeviceAttention } from "../webgpu-home.js";
import { cudaHome, hasCuda, requireCuda } from "./cuda-home.js";
import { driverFacts, onlySoftware } from "./driver.js";
import { requireDevice, type Device } from "./names.js";
import { checked, type Accelerator, type CheckRecord } from "./verdict.js";

export interface HomeOptions {
  readonly attention?: AttentionKind;
  readonly kvDtype?: KvDtype;
  /** Run graphs in a thread of their own (CPU only). */
  readonly worker?: boolean;
  /** Told, once a process, what a user should know of the choice of a device: that it is being checked, why it was not taken. Default: stderr. */
  readonly onDevice?: (message: string) => void;
}

/**
 * A device other than the CPU is used only where it computes what the CPU does, with the attention that it was found to get right
 * (`attention` overrides that, unchecked). `auto` takes the first of CUDA and WebGPU that does, but no software driver, else the CPU.
 * @throws on an unknown device, one that is not there or computes wrongly, and a cache dtype that it has not
 */
export async function openHome(device: Device = "cpu", { attention, kvDtype = "fp32", worker = false, onDevice = toStderr }: HomeOptions = {}): Promise<Home> {
  const named = requireDevice(device);
  if (worker && named !== "cpu") throw new Error(`worker: true (is for device cpu, not ${named})`);
  if (named === "cpu") return worker ? workerHome(attention, kvDtype) : hostHome(attention, kvDtype);
  if (named === "auto") {
    const choice = await chooseDevice({ onDevice, kvDtype });
    return choice.device === "cpu" ? hostHome(attention, kvDtype) : homeOf(choice.device, attention ? both(attention) : choice.attention);
  }
  if (kvDtype !== "fp32") throw new Error(`kvDtype: ${kvDtype} (on ${named} caches are fp32)`);
  if (named === "cuda") requireCuda();
  if (attention) return homeOf(named, both(attention));
  const { verdict } = await checkedAloud(named, onDevice);
  if (!verdict.ok) throw new Error(`device: ${named} (${verdict.reason}; sdtp doctor says more)`);
  return homeOf(named, verdict.attention);
}

const both = (attention: AttentionKind): DeviceAttention => ({ prefill: attention, decode: attention });
const homeOf = (device: Accelerator, attention: DeviceAttention): Home => (device === "webgpu" ? webgpuHome(attention) : cudaHome(attention));

export type Choice =
  | { readonly device: "cpu"; readonly why: readonly string[] }
  | { readonly device: Accelerator; readonly attention: DeviceAttention; readonly why: readonly string[] };

/** The device that `auto` stands for here, and why better ones were passed over. */
export async function chooseDevice({ onDevice = toStderr, kvDtype = "fp32" }: Pick<HomeOptions, "onDevice" | "kvDtype"> = {}): Promise<Choice> {
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
    if (verdict.ok) return { device, attention: verdict.attention, why };
    why.push(`${device}: ${verdict.reason}`);
  }
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
