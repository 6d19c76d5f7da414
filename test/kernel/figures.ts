/**
 * Start-up and latency of Jupyter kernels, measured with one client in one run:
 * `node dist/test/kernel/figures.js [--rounds N] [--json]`. Compares ours with stock tslab and, where Debian's
 * python3-ipykernel is installed, with ipykernel. Prints a table for the README, with its conditions, or all samples.
 */
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { cpus, loadavg, tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { Kernel, type KernelSpec } from "../../lib/jupyter/index.js";
import { root, spec as ours } from "./session.js";

const PATIENCE = 120_000;
/** Requests per round of a warm latency, the first ones left out. */
const REQUESTS = 30;
const SKIPPED = 5;

interface Candidate {
  name: string;
  spec: Pick<KernelSpec, "argv"> & Partial<KernelSpec>;
  /** Expressions to complete. */
  members: string[];
}

const JAVASCRIPT = ["console.", "Math.", "JSON.", "process.", "Object.", "Array.", "'text'.", "[1].", "new Map().", "new Date().", "Promise.", "Number.", "Buffer.", "Symbol.", "cons"];
const PYTHON = ["complex.", "str.", "list.", "dict.", "int.", "float.", "'text'.", "[1].", "set.", "tuple.", "bytes.", "object.", "range.", "type.", "pri"];

const candidates: Candidate[] = [
  { name: "sdtp", spec: ours, members: JAVASCRIPT },
  { name: "tslab", spec: { argv: [process.execPath, join(root, "node_modules/tslab/bin/tslab"), "kernel", "--config-path", "{connection_file}"] }, members: JAVASCRIPT },
  { name: "ipykernel", spec: { argv: ["/usr/bin/python3", "-m", "ipykernel_launcher", "-f", "{connection_file}"] }, members: PYTHON },
].filter(({ name }) => name !== "ipykernel" || existsSync("/usr/lib/python3/dist-packages/ipykernel"));

interface Round {
  /** Milliseconds from spawning the process to its first answer. */
  ready: number;
  /** Milliseconds from spawning to the answer to a first `1+1`. */
  first: number;
  /** Milliseconds of each later `1+1`. */
  warm: number[];
  /** Milliseconds of each completion, no two requests alike. */
  complete: number[];
}

async function measure({ name, spec, members }: Candidate): Promise<Round> {
  const folder = mkdtempSync(join(tmpdir(), "sdtp-figures-"));
  const start = performance.now();
  const kernel = await Kernel.start({ spec, cwd: folder }, { timeout: PATIENCE });
  try {
    const ready = performance.now() - start;
    await kernel.client.execute("1+1", { timeout: PATIENCE });
    const first = performance.now() - start;
    const warm = await repeat(() => kernel.client.execute("1+1", { timeout: PATIENCE }));
    const complete = await repeat(async (i) => {
      // Another line in front each time: an answer kept from before does not fit.
      const code = `value${i} = ${i};\n${members[i % members.length]}`;
      const { matches } = await kernel.client.complete(code, undefined, { timeout: PATIENCE });
      if (matches.length === 0) throw new Error(`${name}: no completion of ${JSON.stringify(code)}`);
    });
    return { ready, first, warm, complete };
  } finally {
    await kernel.shutdown();
    rmSync(folder, { recursive: true, force: true });
  }
}

async function repeat(action: (i: number) => Promise<unknown>): Promise<number[]> {
  const samples: number[] = [];
  for (let i = 0; i < REQUESTS + SKIPPED; i++) {
    const start = performance.now();
    await action(i);
    if (i >= SKIPPED) samples.push(performance.now() - start);
  }
  return samples;
}

function median(values: number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? NaN;
}

const { values } = parseArgs({ options: { rounds: { type: "string", default: "5" }, json: { type: "boolean", default: false } } });
const rounds = new Map<string, Round[]>(candidates.map(({ name }) => [name, []]));
// Kernels take turns, so that a busy minute of the machine does not fall on one of them.
for (let i = 0; i < Number(values.rounds); i++) {
  for (const candidate of candidates) rounds.get(candidate.name)?.push(await measure(candidate));
}
const environment = { node: process.version, cpu: cpus()[0]?.model, cores: cpus().length, load: loadavg(), platform: process.platform };
if (values.json) {
  console.log(JSON.stringify({ environment, rounds: Object.fromEntries(rounds) }, null, 2));
} else {
  const { cpu, cores, node, load } = environment;
  console.log(`Medians of ${values.rounds} rounds in which the kernels took turns, ${REQUESTS} requests each; Node ${node.slice(1)}, ${cores} cores of ${cpu}, load ${load[0]?.toFixed(1)}.\n`);
  console.log("| Kernel | Ready (s) | First `1+1` (s) | Warm `1+1` (ms) | Completion (ms) |\n|---|---|---|---|---|");
  for (const [name, all] of rounds) {
    const of = (pick: (round: Round) => number | number[]) => median(all.flatMap(pick));
    const seconds = (ms: number) => (ms / 1000).toFixed(2);
    console.log(
      `| ${name} | ${seconds(of((r) => r.ready))} | ${seconds(of((r) => r.first))} | ${of((r) => r.warm).toFixed(1)} | ${of((r) => r.complete).toFixed(1)} |`,
    );
  }
}
