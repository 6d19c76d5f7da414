import { loadavg } from "node:os";
import { join } from "node:path";
import { packageRoot } from "../../checkpoint/package-root.js";
import { fillArgv, listKernels, type KernelSpec } from "../../jupyter/kernelspec.js";
import { environment, type Environment } from "../environment.js";
import { cellsFor, type Cells } from "./cells.js";
import { measureKernel, type KernelRound } from "./measure.js";

export interface KernelBenchOptions {
  /** Installed kernels to measure beside this package's own; default: `python3` and `tslab`, where they are installed. */
  readonly others?: readonly string[];
  /** Default 5. */
  readonly rounds?: number;
  /** Cells that declare a variable; default 1000. */
  readonly declaring?: number;
  readonly signal?: AbortSignal;
  readonly onProgress?: (share: number, label: string) => void;
}

export interface KernelBenchResult {
  readonly schema_version: 1;
  readonly environment: Environment;
  /** Load of the machine before and after, in processes that want to run. */
  readonly load: readonly [number, number];
  readonly time: string;
  readonly declaring: number;
  readonly rounds: Readonly<Record<string, readonly KernelRound[]>>;
}

interface Candidate {
  name: string;
  spec: Pick<KernelSpec, "argv"> & Partial<KernelSpec>;
  cells: Cells;
}

/**
 * Measures this package's kernel beside others, which take turns, so that a busy minute of the machine does not fall on one.
 * @throws for a kernel that is not installed, or whose language is neither TypeScript, JavaScript nor Python
 */
export async function benchKernel({ others, rounds = 5, declaring = 1000, signal, onProgress }: KernelBenchOptions = {}): Promise<KernelBenchResult> {
  const candidates = [own(), ...installed(others)];
  const results: Record<string, KernelRound[]> = Object.fromEntries(candidates.map(({ name }) => [name, []]));
  const before = loadavg()[0] as number;
  for (let round = 0; round < rounds; round++) {
    for (const [i, { name, spec, cells }] of candidates.entries()) {
      onProgress?.((round * candidates.length + i) / (rounds * candidates.length), `${name}, round ${round + 1} of ${rounds}`);
      results[name]?.push(await measureKernel(spec, cells, declaring, signal));
    }
  }
  return { schema_version: 1, environment: environment(), load: [before, loadavg()[0] as number], time: new Date().toISOString(), declaring, rounds: results };
}

function own(): Candidate {
  const argv = [process.execPath, join(packageRoot(), "dist", "kernel", "main.js"), "{connection_file}"];
  return { name: "sdtp", spec: { argv, interrupt_mode: "message" }, cells: cellsFor("typescript") as Cells };
}

function installed(names: readonly string[] | undefined): Candidate[] {
  const kernels = listKernels();
  const found = (names ?? ["python3", "tslab"]).flatMap((name) => {
    const kernel = kernels.find((each) => each.name === name.toLowerCase());
    if (!kernel && names) throw new Error(`kernel: ${name} (installed: ${kernels.map((each) => each.name).join(", ") || "none"})`);
    return kernel ? [kernel] : [];
  });
  return found.map(({ name, folder, spec }) => {
    const cells = cellsFor(spec.language);
    if (!cells) throw new Error(`kernel: ${name} (its language is ${spec.language}; known are typescript, javascript and python)`);
    return { name, spec: { ...spec, argv: fillArgv(spec.argv, { connectionFile: "{connection_file}", resourceDir: folder }) }, cells };
  });
}
