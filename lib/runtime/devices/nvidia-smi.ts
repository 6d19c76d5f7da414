import { execFile } from "node:child_process";

/** A card as `nvidia-smi` describes it. What it does not say is null. */
export interface Card {
  /** Number on the PCI bus, which is `nvidia-smi`'s order. */
  readonly index: number;
  readonly uuid: string;
  readonly name: string;
  /** Version of NVIDIA's driver, `550.127.05`. */
  readonly driver: string;
  /** Bytes in all, and in use by anyone. Null where the card is split (MIG): they would be those of the whole. */
  readonly memoryBytes: number | null;
  readonly usedBytes: number | null;
  /** Split into instances: power, clocks and memory are then those of the whole card. */
  readonly mig: boolean;
  /** `9.0`; null: the driver is too old to say. */
  readonly computeCapability: string | null;
}

export type Look = { readonly cards: readonly Card[]; readonly problem: null } | { readonly cards: readonly []; readonly problem: string };

export interface SmiOptions {
  /** Where `PATH` and the variables that choose a card are looked up; default: this process's. */
  readonly env?: NodeJS.ProcessEnv;
  /** Milliseconds after which a call counts as hanging; default 20000: without a daemon that keeps it loaded, the driver takes seconds to start. */
  readonly timeout?: number;
}

const FIELDS = ["index", "uuid", "name", "driver_version", "memory.total", "memory.used"] as const;
/** That drivers from before 2020 do not know. */
const LATER = ["mig.mode.current", "compute_cap"] as const;

/** The cards of this machine, or in words why there are none to be seen. Starts `nvidia-smi`, and waits for it no longer than `timeout`. */
export async function lookForCards({ env = process.env, timeout = 20_000 }: SmiOptions = {}): Promise<Look> {
  const ask = (fields: readonly string[]) => run([`--query-gpu=${fields.join(",")}`, "--format=csv,noheader,nounits"], { env, timeout });
  let answer = await ask([...FIELDS, ...LATER]);
  if (answer.problem !== null && /not a valid field/i.test(answer.problem)) answer = await ask(FIELDS);
  if (answer.problem !== null) return { cards: [], problem: answer.problem };
  const cards = rows(answer.text).flatMap(card);
  return cards.length > 0 ? { cards, problem: null } : { cards: [], problem: `nvidia-smi: no card (it says ${JSON.stringify(answer.text.trim().slice(0, 200))})` };
}

/**
 * Which of the cards CUDA takes first: as `CUDA_VISIBLE_DEVICES` says by number or UUID, else the first.
 * @throws where it names none of them, or where CUDA would count cards of several kinds in another order than `nvidia-smi`
 */
export function chosenCard(cards: readonly Card[], env: NodeJS.ProcessEnv = process.env): Card {
  const asked = env["CUDA_VISIBLE_DEVICES"]?.split(",")[0]?.trim();
  if (asked === "" || asked === "-1") throw new Error(`CUDA_VISIBLE_DEVICES: ${asked || "(empty)"} (hides every card: unset it, or name one)`);
  if (asked === undefined || /^\d+$/.test(asked)) {
    // CUDA puts the fastest kind first, nvidia-smi goes by the bus.
    if (new Set(cards.map(({ name }) => name)).size > 1 && env["CUDA_DEVICE_ORDER"] !== "PCI_BUS_ID") {
      throw new Error(`cards: ${cards.map(({ name }) => name).join(", ")} (of several kinds, which CUDA may count in another order than nvidia-smi: set CUDA_DEVICE_ORDER=PCI_BUS_ID)`);
    }
    const index = Number(asked ?? 0);
    const card = cards[index];
    if (cards.length === 0) throw new Error("cards: none (nvidia-smi lists none)");
    if (!card) throw new Error(`CUDA_VISIBLE_DEVICES: ${asked} (there ${cards.length === 1 ? "is one card, 0" : `are cards 0 to ${cards.length - 1}`})`);
    return card;
  }
  // An instance of a split card is named by an identifier of its own, or by its card's and two numbers.
  const split = cards.filter(({ mig }) => mig);
  const card = cards.find(({ uuid }) => uuid.startsWith(asked) || asked.startsWith(`MIG-${uuid}`)) ?? (asked.startsWith("MIG-") && split.length === 1 ? split[0] : undefined);
  if (!card) throw new Error(`CUDA_VISIBLE_DEVICES: ${asked} (must be a number or one of ${cards.map(({ uuid }) => uuid).join(", ")})`);
  return card;
}

/** Compares `550.127.05` part by part. */
export function olderDriver(version: string, least: string): boolean {
  const [a, b] = [version, least].map((text) => text.split(".").map(Number)) as [number[], number[]];
  for (let i = 0; i < b.length; i++) if ((a[i] ?? 0) !== b[i]) return (a[i] ?? 0) < b[i]!;
  return false;
}

/** Rows of `--format=csv,noheader,nounits`. */
export const rows = (text: string): string[][] => text.split("\n").filter((line) => line.trim() !== "").map((line) => line.split(",").map((cell) => cell.trim()));

/** A number, or null for all that `nvidia-smi` writes in its place: `[N/A]`, `[Not Supported]`, `[Insufficient Permissions]`, `[Unknown Error]`, … */
export function numberOf(cell: string | undefined): number | null {
  return cell !== undefined && /^-?\d+(\.\d+)?$/.test(cell) ? Number(cell) : null;
}

/** MiB, as `nvidia-smi` counts memory, in bytes. */
export function bytesOf(cell: string | undefined): number | null {
  const mebibytes = numberOf(cell);
  return mebibytes === null ? null : mebibytes * 2 ** 20;
}

function card([index, uuid, name, driver, total, used, mode, capability]: string[]): Card[] {
  if (numberOf(index) === null || !uuid || !name || !driver) return [];
  const mig = mode === "Enabled";
  return [{ index: Number(index), uuid, name, driver, memoryBytes: mig ? null : bytesOf(total), usedBytes: mig ? null : bytesOf(used), mig, computeCapability: capability !== undefined && /^\d+\.\d+$/.test(capability) ? capability : null }];
}

type Answer = { readonly text: string; readonly problem: null } | { readonly problem: string };

function run(args: readonly string[], { env, timeout }: Required<SmiOptions>): Promise<Answer> {
  return new Promise((resolve) => {
    execFile("nvidia-smi", args, { env, timeout, killSignal: "SIGKILL", encoding: "utf8" }, (error, stdout, stderr) => {
      if (!error) return resolve({ text: stdout, problem: null });
      const { code, killed } = error as { code?: number | string; killed?: boolean };
      if (code === "ENOENT") return resolve({ problem: "nvidia-smi: not found on the PATH (it comes with NVIDIA's driver)" });
      if (killed) return resolve({ problem: `nvidia-smi: gave no answer in ${timeout / 1e3} s` });
      // It says what is wrong on its ordinary output.
      const said = `${stdout}\n${stderr}`.split("\n").map((line) => line.trim()).find((line) => line !== "");
      resolve({ problem: `nvidia-smi: ${said?.slice(0, 300) ?? `ended with ${String(code)}`}` });
    });
  });
}
