import { fork } from "node:child_process";
import { createHash } from "node:crypto";
import { readFile, stat } from "node:fs/promises";
import { cpus } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { endedEarly, isAbort } from "../../ambient-signal.js";
import { cached } from "../../checkpoint/cache.js";
import { writeOutput } from "../../files.js";
import type { PluginFile } from "../providers/installed.js";
import type { PluginName } from "../providers/names.js";
import type { DeviceAttention } from "../webgpu-home.js";
import { driverFacts, type DriverFacts } from "./driver.js";

export type Accelerator = "webgpu" | "cuda";

/** How far a device was from the CPU: the largest differences. */
export interface Differences {
  readonly prefillLogits: number;
  readonly decodeLogits: number;
  /** Keys and values after the last step, read back. */
  readonly cache: number;
  readonly keptPositions: "same" | "differ";
}

/** What was seen of a plugin's provider. */
export interface PluginFindings {
  /** As ONNX Runtime names it. */
  readonly provider: string;
  readonly version: string | null;
  /** Kinds of operators that were tried, each alone. */
  readonly operators: number;
  /** Operators that it leaves to the CPU. */
  readonly onCpu: readonly string[];
  /** Why it is not to round to bfloat16; null: nothing speaks against it but what it costs a model. */
  readonly noBfloat16: string | null;
}

/** What came of checking a device. */
export type Verdict =
  | {
      readonly ok: true;
      readonly attention: DeviceAttention;
      readonly differences: Differences;
      readonly rejected: readonly string[];
      /** Why nothing can be computed in 16-bit numbers there; null: it can. */
      readonly noFloat16: string | null;
      /** Of a plugin's provider. */
      readonly plugin?: PluginFindings;
    }
  | { readonly ok: false; readonly reason: string };

/** What a device proved, on what, and when. */
export interface CheckRecord {
  readonly device: Accelerator | PluginName;
  readonly model: string;
  readonly verdict: Verdict;
  readonly driver: DriverFacts;
  /** The library of a plugin's provider. */
  readonly plugin?: PluginFacts;
  /** ISO 8601. */
  readonly time: string;
  readonly seconds: number;
}

/** What a plugin's computing depends on. */
export interface PluginFacts extends PluginFile {
  readonly bytes: number;
  /** ISO 8601. */
  readonly changed: string;
  readonly processor: string;
}

/** What a checking process is asked. */
export type ToCheck = { readonly model: string } & ({ readonly device: Accelerator; readonly plugin?: undefined } | { readonly device?: undefined; readonly plugin: PluginFile });

export interface CheckOptions {
  /** Model to check with; default the embedded one. */
  readonly model?: string;
  /** Called where the check has to be made, which takes seconds, on a software driver a minute or two. */
  readonly onStart?: () => void;
  /** Seconds after which the device counts as failed; default 600. */
  readonly timeout?: number;
}

/** Of the check itself: raised when it checks otherwise. */
const VERSION = 3;
const PLUGIN_VERSION = 3;

/** As `checked`, a plugin's provider: kept for each library, processor and version of ONNX Runtime. */
export async function checkedPlugin(plugin: PluginFile, options: CheckOptions = {}): Promise<CheckRecord> {
  const { size, mtime } = await stat(plugin.file);
  const facts: PluginFacts = { ...plugin, bytes: size, changed: mtime.toISOString(), processor: cpus()[0]?.model ?? "unknown" };
  return keptCheck({ device: plugin.device, plugin }, { plugin: facts, version: PLUGIN_VERSION }, options);
}

/**
 * Whether a device computes what the CPU does, checked in a process of its own. Kept in the cache folder for each driver and version of
 * ONNX Runtime; where a driver's version cannot be seen, and where the process died or took too long, it is checked each time.
 * @throws AbortError where it was interrupted
 */
export function checked(device: Accelerator, options: CheckOptions = {}): Promise<CheckRecord> {
  return keptCheck({ device }, {}, options);
}

async function keptCheck({ device, plugin }: { device: CheckRecord["device"]; plugin?: PluginFile }, facts: { readonly plugin?: PluginFacts; readonly version?: number }, { model = "tiny", onStart, timeout = 600 }: CheckOptions): Promise<CheckRecord> {
  const driver = driverFacts();
  const record = (verdict: Verdict, seconds: number): CheckRecord => ({ device, model, verdict, driver, ...(facts.plugin && { plugin: facts.plugin }), time: new Date().toISOString(), seconds });
  const failed = (error: unknown): CheckRecord => {
    if (isAbort(error)) throw error;
    return record({ ok: false, reason: (error as Error).message }, 0);
  };
  const make = async (): Promise<CheckRecord> => {
    onStart?.();
    const started = performance.now();
    const verdict = await inProcess(plugin ? { plugin, model } : { device: device as Accelerator, model }, timeout);
    return record(verdict, (performance.now() - started) / 1e3);
  };
  if (!driver.versioned && !plugin) return make().catch(failed);
  const hash = createHash("sha256").update(JSON.stringify([VERSION, model, driver, ...(facts.plugin ? [facts] : [])])).digest("hex").slice(0, 16);
  try {
    const folder = await cached(`device-${device.replace(":", "-")}-${hash}`, async (temporary) => {
      await writeOutput(join(temporary, FILE), `${JSON.stringify(await make(), null, 2)}\n`);
    });
    return JSON.parse(await readFile(join(folder, FILE), "utf8")) as CheckRecord;
  } catch (error) {
    return failed(error);
  }
}

const FILE = "check.json";

/** @throws where the process dies or takes too long; AbortError where it was interrupted */
async function inProcess(question: ToCheck, timeout: number): Promise<Verdict> {
  const child = fork(fileURLToPath(new URL("./check-process.js", import.meta.url)), { execArgv: [], stdio: ["ignore", "ignore", "ignore", "ipc"] });
  let timer: NodeJS.Timeout | undefined;
  try {
    return await new Promise<Verdict>((resolve, reject) => {
      timer = setTimeout(() => reject(new Error(`its check was not done after ${timeout} s`)), timeout * 1e3);
      child.on("message", (verdict: Verdict) => resolve(verdict));
      child.on("error", reject);
      child.on("close", (code, signal) => reject(endedEarly(signal, `it ended the process that checked it (${signal ?? `code ${code}`})`)));
      child.send(question);
    });
  } finally {
    clearTimeout(timer);
    child.kill("SIGKILL");
  }
}
