import { accessSync, constants, existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { listSupportedBackends } from "onnxruntime-node";
import { formatBytes } from "../checkpoint/free-space.js";
import { backend, type Backend } from "../runtime/c-api/backend.js";
import { memoryLimit } from "../runtime/memory.js";
import { TRIED_VERSION } from "../runtime/c-api/library.js";
import { cudaInstall } from "../runtime/devices/cuda-home.js";
import { CUDA_VARIABLE, cudaPlatform, cudaProvider, LEAST_DRIVER } from "../runtime/devices/cuda-provider.js";
import { driverFacts, onlySoftware, type DriverFacts } from "../runtime/devices/driver.js";
import { lookForCards, olderDriver } from "../runtime/devices/nvidia-smi.js";
import { checked, checkedPlugin, type CheckRecord } from "../runtime/devices/verdict.js";
import { installedProviders } from "../runtime/providers/installed.js";
import type { Finding } from "./finding.js";

/** CPU, WebGPU, CUDA: drivers, whether they prove themselves. @param onCheck called before a check, which can take a minute */
export async function devices(onCheck: (device: string) => void = () => {}): Promise<Finding[]> {
  const driver = driverFacts();
  const providers = listSupportedBackends().filter(({ bundled }) => bundled).map(({ name }) => name);
  return [
    { what: "ONNX Runtime", state: "ok", says: `${driver.onnxruntime} with ${providers.join(", ")}`, data: { version: driver.onnxruntime, providers } },
    cpu(await backend()),
    ...drivers(driver),
    webgpu(await checked("webgpu", { onStart: () => onCheck("webgpu") }), driver),
    await cuda(driver, onCheck),
    ...(await plugins(onCheck)),
  ];
}

function cpu({ name, why }: Backend): Finding {
  const calls = name === "c-api" ? "ONNX Runtime is called by its C API: a prompt can be stopped in the middle" : `ONNX Runtime is called by onnxruntime-node's binding: a prompt cannot be stopped in the middle (${why})`;
  return { what: "device cpu", state: "ok", says: `${formatBytes(memoryLimit())} of memory are there; ${calls}`, data: { memory_bytes: memoryLimit(), backend: name, why } };
}

function drivers({ vulkan, cards, nvidia, platform }: DriverFacts): Finding[] {
  if (!platform.startsWith("linux")) return [{ what: "drivers", state: "ok", says: `those of ${platform}: WebGPU needs no others` }];
  const findings: Finding[] = vulkan.map(({ file, library, bytes }): Finding => bytes === null
    ? { what: "Vulkan driver", state: "problem", says: `${file} names ${library}, which is not there`, todo: "install the driver's package again, or remove the file", data: { file, library } }
    : { what: "Vulkan driver", state: "ok", says: `${library} (${file})`, data: { file, library } });
  if (cards.length > 0 || nvidia) findings.push({ what: "graphics cards", state: "ok", says: [cards.map((card) => `PCI ${card}`).join(", "), nvidia].filter(Boolean).join("; "), data: { cards, nvidia } });
  const closed = renderNodes().filter((node) => !canOpen(node));
  if (closed.length > 0) findings.push({ what: "access to the GPU", state: "problem", says: `${closed.join(", ")} cannot be opened`, todo: "add yourself to the group that owns it (sudo usermod -aG render $USER) and log in again" });
  return findings;
}

function webgpu({ verdict, time, seconds }: CheckRecord, driver: DriverFacts): Finding {
  const what = "device webgpu";
  const data = { verdict, time, seconds };
  if (verdict.ok) {
    const { prefillLogits, decodeLogits, cache } = verdict.differences;
    const software = onlySoftware(driver) ? "; a software driver: slower than the CPU itself, auto does not take it" : "";
    return {
      what, state: "ok", data,
      says: `computes what the CPU does: kept positions the same, logits within ${prefillLogits.toExponential(1)} in prefill and ${decodeLogits.toExponential(1)} in decode, keys and values within ${cache.toExponential(1)}; 16-bit numbers: ${verdict.noFloat16 ?? "yes"}; attention ${verdict.attention.prefill} in prefill, ${verdict.attention.decode} in decode (checked ${time.slice(0, 10)} in ${seconds.toFixed(0)} s)${software}`,
    };
  }
  const gpu = driver.vulkan.length > 0 || driver.cards.length > 0 || !driver.platform.startsWith("linux");
  return gpu
    ? { what, state: "problem", says: verdict.reason, todo: "update the graphics driver and run sdtp doctor again; until then auto takes the CPU", data }
    : { what, state: "note", says: `no Vulkan driver (${verdict.reason})`, todo: "with a GPU: install its driver's Vulkan part (Debian: mesa-vulkan-drivers or nvidia-vulkan-icd, and libvulkan1); without one: nothing, the CPU does it all", data };
}

async function cuda({ nvidia }: DriverFacts, onCheck: (device: string) => void): Promise<Finding> {
  const what = "device cuda";
  const provider = cudaProvider();
  const [{ cards, problem }, fits] = [await lookForCards(), `fits: ONNX Runtime ${TRIED_VERSION}, from npm (CUDA 12, driver ${LEAST_DRIVER[12]}) or PyPI's onnxruntime-gpu ${TRIED_VERSION} (CUDA 13, driver ${LEAST_DRIVER[13]})`];
  const [card] = cards;
  const data = { provider, cards };
  const seen = card ? `${cards.map(({ name }) => name).join(", ")}, driver ${card.driver}` : `no card: ${problem}`;
  if (provider.missing.length > 0 || !cudaPlatform()) {
    const todo = card ?? nvidia ? `${cudaInstall} (${fits})` : `with an NVIDIA GPU: ${cudaInstall}; without one: nothing`;
    return { what, state: process.env[CUDA_VARIABLE] ? "problem" : "note", says: `ONNX Runtime's CUDA provider is not installed: ${provider.problem}; ${seen}`, todo, data };
  }
  const about = `provider of ONNX Runtime ${provider.version ?? "(version unknown)"} for CUDA ${provider.cuda ?? "(unknown)"} in ${provider.folder}`;
  if (!card) return { what, state: "problem", says: `${about}; ${seen}`, todo: "NVIDIA's driver must be loaded, and in a container the card be passed on (nvidia-smi must list it)", data };
  const least = LEAST_DRIVER[provider.cuda ?? 12] ?? LEAST_DRIVER[12]!;
  if (olderDriver(card.driver, least)) return { what, state: "problem", says: `${about}; ${seen}: too old`, todo: `a driver from ${least} on, or a provider for an older CUDA (${fits})`, data };
  if (provider.problem !== null) return { what, state: "problem", says: `${provider.problem}; ${seen}`, todo: fits, data };
  const { verdict, time, seconds } = await checked("cuda", { onStart: () => onCheck("cuda") });
  const result = { ...data, verdict, time, seconds };
  if (verdict.ok) return { what, state: "ok", says: `computes what the CPU does (checked ${time.slice(0, 10)} in ${seconds.toFixed(0)} s); ${about}; ${seen}`, data: result };
  return { what, state: "problem", says: `${verdict.reason}; ${about}; ${seen}`, todo: "its libraries must be found (LD_LIBRARY_PATH), and the driver be loaded (nvidia-smi)", data: result };
}

/** Plugins' providers that were added, the newest of each name. */
async function plugins(onCheck: (device: string) => void): Promise<Finding[]> {
  const newest = (await installedProviders()).filter(({ name }, i, all) => all.findIndex((each) => each.name === name) === i);
  const findings: Finding[] = [];
  for (const { device, folder, library, version, name } of newest) {
    const what = `device ${device}`;
    const { verdict, time, seconds } = await checkedPlugin({ device, file: join(folder, library), version }, { onStart: () => onCheck(device) });
    const data = { verdict, time, seconds, version };
    if (!verdict.ok) findings.push({ what, state: "problem", says: verdict.reason, todo: `sdtp provider add ${name} brings the newest version; until it computes what the CPU does it is not used`, data });
    else findings.push({ what, state: "ok", says: `${version} computes what the CPU does (checked ${time.slice(0, 10)} in ${seconds.toFixed(0)} s); bfloat16: ${verdict.plugin!.noBfloat16 ?? `yes (sdtp provider check ${name} says what that costs a model)`}`, data });
  }
  return findings;
}

const renderNodes = (): string[] => (existsSync("/dev/dri") ? readdirSync("/dev/dri").filter((name) => name.startsWith("render")).map((name) => `/dev/dri/${name}`) : []);

function canOpen(file: string): boolean {
  try {
    accessSync(file, constants.R_OK | constants.W_OK);
    return true;
  } catch {
    return false;
  }
}
