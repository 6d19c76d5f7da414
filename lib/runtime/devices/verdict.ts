import { fork } from "node:child_process";
import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { endedEarly, isAbort } from "../../ambient-signal.js";
import { cached } from "../../checkpoint/cache.js";
import { writeOutput } from "../../files.js";
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

/** What came of checking a device. */
export type Verdict =
  | {
      readonly ok: true;
      readonly attention: DeviceAttention;
      readonly differences: Differences;
      readonly rejected: readonly string[];
      /** Why products with weights cannot be of 16-bit numbers there; null: they can. */
      readonly noFloat16: string | null;
    }
  | { readonly ok: false; readonly reason: string };

/** What a device proved, on what, and when. */
export interface CheckRecord {
  readonly device: Accelerator;
  readonly model: string;
  readonly verdict: Verdict;
  readonly driver: DriverFacts;
  /** ISO 8601. */
  readonly time: string;
  readonly seconds: number;
}

export interface CheckOptions {
  /** Model to check with; default the embedded one. */
  readonly model?: string;
  /** Called where the check has to be made, which takes seconds, on a software driver a minute or two. */
  readonly onStart?: () => void;
  /** Seconds after which the device counts as failed; default 600. */
  readonly timeout?: number;
}

/** Of the check itself: raised when it checks otherwise. */
const VERSION = 2;

/**
 * Whether a device computes what the CPU does, checked in a process of its own. Kept in the cache folder for each driver and version of
 * ONNX Runtime; where a driver's version cannot be seen, and where the process died or took too long, it is checked each time.
 * @throws AbortError where it was interrupted
 */
export async function checked(device: Accelerator, { model = "tiny", onStart, timeout = 600 }: CheckOptions = {}): Promise<CheckRecord> {
  const driver = driverFacts();
  const make = async (): Promise<CheckRecord> => {
    onStart?.();
    const started = performance.now();
    const verdict = await inProcess(device, model, timeout);
    return { device, model, verdict, driver, time: new Date().toISOString(), seconds: (performance.now() - started) / 1e3 };
  };
  if (!driver.versioned) return make().catch((error: unknown) => failed(device, model, driver, error));
  const hash = createHash("sha256").update(JSON.stringify([VERSION, model, driver])).digest("hex").slice(0, 16);
  try {
    const folder = await cached(`device-${device}-${hash}`, async (temporary) => {
      await writeOutput(join(temporary, FILE), `${JSON.stringify(await make(), null, 2)}\n`);
    });
    return JSON.parse(await readFile(join(folder, FILE), "utf8")) as CheckRecord;
  } catch (error) {
    return failed(device, model, driver, error);
  }
}

const FILE = "check.json";

function failed(device: Accelerator, model: string, driver: DriverFacts, error: unknown): CheckRecord {
  if (isAbort(error)) throw error;
  return { device, model, driver, verdict: { ok: false, reason: (error as Error).message }, time: new Date().toISOString(), seconds: 0 };
}

/** @throws where the process dies or takes too long; AbortError where it was interrupted */
async function inProcess(device: Accelerator, model: string, timeout: number): Promise<Verdict> {
  const child = fork(fileURLToPath(new URL("./check-process.js", import.meta.url)), { execArgv: [], stdio: ["ignore", "ignore", "ignore", "ipc"] });
  let timer: NodeJS.Timeout | undefined;
  try {
    return await new Promise<Verdict>((resolve, reject) => {
      timer = setTimeout(() => reject(new Error(`its check was not done after ${timeout} s`)), timeout * 1e3);
      child.on("message", (verdict: Verdict) => resolve(verdict));
      child.on("error", reject);
      child.on("close", (code, signal) => reject(endedEarly(signal, `it ended the process that checked it (${signal ?? `code ${code}`})`)));
      child.send({ device, model });
    });
  } finally {
    clearTimeout(timer);
    child.kill("SIGKILL");
  }
}
