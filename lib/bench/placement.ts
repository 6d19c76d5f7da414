// What of a machine a measuring process is given: one card of several, or some of the processors.
import { type ChildProcess, fork, spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { cpus } from "node:os";
import { delimiter, join } from "node:path";
import { isPluginName } from "../runtime/providers/names.js";
import type { Provider } from "../runtime/session.js";
import { defaultThreads } from "./environment.js";

/** A device, or a part of it: `cuda:1` is the second card, `cpu:0-7` eight processors. */
export interface Placement {
  /** As it was written. */
  readonly name: string;
  readonly device: Provider;
  /** Number of the card among those that this process sees. */
  readonly card?: number;
  /** First and last processor. */
  readonly processors?: readonly [first: number, last: number];
}

/** @throws on a device that is not known, or cannot be told apart from others of its kind */
export function parsePlacement(name: string): Placement {
  if (isPluginName(name)) return { name, device: name };
  const [, device, part] = /^(cpu|cuda|webgpu)(?::(.+))?$/.exec(name) ?? [];
  if (device === undefined) throw new Error(`device: ${name} (must be cpu, cuda, webgpu or openvino, one card as in cuda:1, some processors as in cpu:0-7, or a provider as in plugin:NAME)`);
  if (part === undefined) return { name, device: device as Provider };
  if (device === "webgpu") throw new Error(`device: ${name} (WebGPU does not let a card be chosen: must be webgpu)`);
  if (device === "cuda") {
    if (!/^\d{1,3}$/.test(part)) throw new Error(`device: ${name} (must be cuda and the number of one card, as in cuda:1)`);
    return { name, device, card: Number(part) };
  }
  const [, low, high = low] = /^(\d{1,5})(?:-(\d{1,5}))?$/.exec(part) ?? [];
  const [first, last] = [Number(low), Number(high)];
  if (low === undefined || last < first) throw new Error(`device: ${name} (must be cpu and one processor or a range of them, as in cpu:3 or cpu:0-7)`);
  if (process.platform !== "linux" || !onPath("taskset")) throw new Error(`device: ${name} (processors are chosen by taskset, which is not here; must be cpu)`);
  return { name, device: "cpu", processors: [first, last] };
}

/** Placements of this machine. @throws where the same card or processor is given to two, or a processor is not there */
export function parsePlacements(names: readonly string[]): Placement[] {
  const placements = names.map(parsePlacement);
  placements.forEach((one, index) => {
    requireHere(one);
    const other = placements.slice(0, index).find((before) => overlap(before, one));
    if (other) throw new Error(`devices: ${other.name} and ${one.name} (share hardware: each must be given once)`);
  });
  return placements;
}

function requireHere({ name, processors }: Placement): void {
  if (processors && processors[1] >= cpus().length) throw new Error(`device: ${name} (this machine has processors 0 to ${cpus().length - 1})`);
}

/** Whether both run on the same card or processors. */
export function overlap(a: Placement, b: Placement): boolean {
  if (a.device !== b.device) return false;
  if (a.card !== undefined && b.card !== undefined) return a.card === b.card;
  if (a.processors && b.processors) return a.processors[0] <= b.processors[1] && b.processors[0] <= a.processors[1];
  return true;
}

/** Threads where none are asked for: one a physical core, as far as the placement has them. */
export function placedThreads({ processors }: Placement): number {
  return processors ? Math.min(defaultThreads(), processors[1] - processors[0] + 1) : defaultThreads();
}

/** Starts a module in a process of its own that sees no other card, and runs on no other processor, than it is given. */
export function startPlaced(file: string, execArgv: readonly string[], placement: Placement | undefined): ChildProcess {
  const stdio = ["ignore", "ignore", "pipe", "ipc"] as ("ignore" | "pipe" | "ipc")[];
  const { card, processors, name } = placement ?? {};
  const env = card === undefined ? process.env : { ...process.env, CUDA_VISIBLE_DEVICES: visible(card, name!) };
  if (!processors) return fork(file, { execArgv: [...execArgv], stdio, env });
  // taskset replaces itself by the program: the channel to it stays.
  return spawn("taskset", ["-c", `${processors[0]}-${processors[1]}`, process.execPath, ...execArgv, file], { stdio, env });
}

/** Cards are counted among those that this process may see itself. */
function visible(card: number, name: string): string {
  const cards = process.env["CUDA_VISIBLE_DEVICES"];
  if (cards === undefined) return String(card);
  const chosen = cards.split(",").map((each) => each.trim()).filter((each) => each !== "")[card];
  if (chosen === undefined) throw new Error(`device: ${name} (CUDA_VISIBLE_DEVICES is ${cards || "empty"})`);
  return chosen;
}

function onPath(program: string): boolean {
  return (process.env["PATH"] ?? "").split(delimiter).some((folder) => existsSync(join(folder, program)));
}
