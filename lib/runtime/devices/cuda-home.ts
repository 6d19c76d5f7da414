// Not run on a real GPU yet: only that it is refused with a clear error where CUDA is not there, and its graphs on the CPU, were seen.
import { listSupportedBackends } from "onnxruntime-node";
import type { KvDtype } from "../../checkpoint/kv-dtype.js";
import { kvDtypeOf } from "../compute-dtype.js";
import type { Home } from "../home.js";
import { createSession } from "../session.js";
import { cudaGraphs } from "./cuda-graphs.js";
import { deviceMemoryPlan } from "./device-memory.js";
import { hasCudaFiles, linkCudaProvider } from "./cuda-provider.js";
import { chosenCard, lookForCards } from "./nvidia-smi.js";
import type { DeviceAttention, GpuAccuracy } from "../webgpu-home.js";

/** Tokens generated in one run: then caches cross to the host and back, which costs their bytes twice. */
const LOOP = 32;

/** How CUDA gets there. */
export const cudaInstall = "npx sdtp cuda --install npm";

/** Whether ONNX Runtime knows CUDA here and its provider is there. That onnxruntime-node does not bundle it says nothing: it never does, installed or not. */
export const hasCuda = (): boolean => listSupportedBackends().some(({ name }) => name === "cuda") && hasCudaFiles();

/** Bytes of the card's memory that nobody uses; null: the driver does not say, or it cannot be told which card CUDA takes. */
export async function freeMemory(env: NodeJS.ProcessEnv = process.env): Promise<number | null> {
  const { cards } = await lookForCards({ env });
  try {
    const { memoryBytes, usedBytes } = chosenCard(cards, env);
    return memoryBytes === null || usedBytes === null ? null : memoryBytes - usedBytes;
  } catch {
    return null;
  }
}

/** @throws where its provider is not installed, or is of another version */
export function requireCuda(): void {
  // Else NVIDIA's libraries round what float32 products multiply to 10 bits, on cards that are faster so, and nobody would have asked for that.
  process.env["NVIDIA_TF32_OVERRIDE"] ??= "0";
  linkCudaProvider();
  if (!hasCuda()) throw new Error(`device: cuda (its provider is not installed; to install it: ${cudaInstall})`);
}

/**
 * CUDA: the graphs of the CPU on the device. Caches are in this process's memory, since with CUDA ONNX Runtime hands every output over there; greedy
 * decoding runs in a loop inside the graph, so that they stay on the device between tokens.
 * @param free bytes of the card's memory that nobody uses; null: unknown, and no prompt is refused
 * @throws where its provider is not installed
 */
export function cudaHome({ prefill }: Pick<DeviceAttention, "prefill"> = { prefill: "plain" }, accuracy: GpuAccuracy = "float32", free: number | null = null, kvDtype: KvDtype = kvDtypeOf(accuracy)): Home {
  requireCuda();
  return {
    ...cudaGraphs(prefill, accuracy, kvDtype),
    memory: free === null ? null : { limit: free, plan: (checkpoint, plan, options) => deviceMemoryPlan(checkpoint, plan, { ...options, accuracy, kvDtype }) },
    device: "cuda",
    loop: LOOP,
    load: (g, settings) => createSession(g, { ...settings, provider: "cuda" }),
  };
}
