import { mkdtemp, readFile, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Kernel, type KernelSpec } from "../../jupyter/index.js";
import type { Cells } from "./cells.js";

/** Milliseconds after which a kernel that does not answer is given up. */
const PATIENCE = 120_000;
/** Requests of a warm latency, the first ones left out. */
const REQUESTS = 30;
const SKIPPED = 5;

/** One kernel once. Seconds, but for what is in the name; an empty list where the kernel's language has no such cell. */
export interface KernelRound {
  /** From starting the process to its first answer. */
  readonly ready: number;
  /** The first cell, once ready. */
  readonly first: number;
  readonly warm: readonly number[];
  readonly completion: readonly number[];
  readonly loop: readonly number[];
  readonly lines: number;
  /** From the interrupt to the cell's end, by what was interrupted. */
  readonly interrupts: Readonly<Record<string, number>>;
  /** Cells that declare a variable each, in order. */
  readonly declaring: readonly number[];
  /** Resident bytes of the kernel's processes after those; null where the system does not tell. */
  readonly memory_bytes: number | null;
  /** A restart, then two cells. */
  readonly restart: number;
}

/**
 * Measures a kernel once, in a folder of its own.
 * @param declaring how many cells declare a variable
 */
export async function measureKernel(spec: Pick<KernelSpec, "argv"> & Partial<KernelSpec>, cells: Cells, declaring: number, signal?: AbortSignal): Promise<KernelRound> {
  const folder = await mkdtemp(join(tmpdir(), "sdtp-bench-kernel-"));
  const [kernel, ready] = await timed(() => Kernel.start({ spec, cwd: folder, env: { SDTP_HISTORY: "none" } }, { timeout: PATIENCE }));
  try {
    const run = async (code: string): Promise<number> => {
      signal?.throwIfAborted();
      const [reply, seconds] = await timed(() => kernel.client.execute(code, { timeout: PATIENCE }));
      if (reply.status !== "ok") throw new Error(`kernel: ${code} (${reply.ename}: ${reply.evalue})`);
      return seconds;
    };
    const first = await run(cells.sum);
    const warm = await repeat(() => run(cells.sum));
    const completion = await repeat((i) => complete(kernel, cells, i));
    const loop = cells.loop === undefined ? [] : [await run(cells.loop)];
    const lines = await run(cells.lines);
    const interrupts: Record<string, number> = {};
    for (const [what, code] of Object.entries(cells.endless)) interrupts[what] = await interrupt(kernel, code);
    const declared: number[] = [];
    for (let i = 0; i < declaring; i++) declared.push(await run(cells.declare(i)));
    const memory_bytes = await memoryOf(kernel.pid);
    const [, restart] = await timed(async () => {
      await kernel.restart({ timeout: PATIENCE });
      for (let i = 0; i < 2; i++) await kernel.client.execute(cells.sum, { timeout: PATIENCE });
    });
    return { ready, first, warm, completion, loop, lines, interrupts, declaring: declared, memory_bytes, restart };
  } finally {
    await kernel.shutdown();
    await rm(folder, { recursive: true, force: true });
  }
}

async function timed<T>(work: () => Promise<T>): Promise<[T, number]> {
  const start = performance.now();
  const value = await work();
  return [value, (performance.now() - start) / 1000];
}

async function repeat(once: (i: number) => Promise<number>): Promise<number[]> {
  const samples: number[] = [];
  for (let i = 0; i < REQUESTS + SKIPPED; i++) samples.push(await once(i));
  return samples.slice(SKIPPED);
}

async function complete(kernel: Kernel, { members }: Cells, i: number): Promise<number> {
  // Another line in front each time: an answer kept from before does not fit.
  const code = `value${i} = ${i};\n${members[i % members.length]}`;
  const [{ matches }, seconds] = await timed(() => kernel.client.complete(code, undefined, { timeout: PATIENCE }));
  if (matches.length === 0) throw new Error(`kernel: no completion of ${JSON.stringify(code)}`);
  return seconds;
}

/** Seconds from an interrupt to the cell's end. */
async function interrupt(kernel: Kernel, code: string): Promise<number> {
  let begin = () => {};
  const started = new Promise<void>((resolve) => (begin = resolve));
  const running = kernel.client.execute(code, {
    timeout: PATIENCE,
    onOutput: ({ content }) => {
      if (String(content.text ?? "").includes("started")) begin();
    },
  });
  await Promise.race([started, running]);
  await new Promise((resolve) => setTimeout(resolve, 100));
  const [, seconds] = await timed(async () => {
    await kernel.interrupt({ timeout: PATIENCE });
    await running;
  });
  return seconds;
}

/** Resident bytes of a process and all that it started. */
async function memoryOf(pid: number | undefined): Promise<number | null> {
  if (process.platform !== "linux" || pid === undefined) return null;
  const parents = new Map<number, number>();
  for (const name of await readdir("/proc")) {
    const stat = /^\d+$/.test(name) ? await readFile(`/proc/${name}/stat`, "utf8").catch(() => "") : "";
    const parent = /^.*\) \S (\d+)/.exec(stat)?.[1];
    if (parent !== undefined) parents.set(Number(name), Number(parent));
  }
  const isBelow = (each: number): boolean => each === pid || (parents.has(each) && isBelow(parents.get(each) as number));
  const resident = async (each: number) => Number(/^VmRSS:\s+(\d+) kB/m.exec(await readFile(`/proc/${each}/status`, "utf8").catch(() => ""))?.[1] ?? 0) * 1024;
  const sizes = await Promise.all([...parents.keys()].filter(isBelow).map(resident));
  return sizes.reduce((sum, size) => sum + size, 0);
}
