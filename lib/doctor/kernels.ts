import { accessSync, constants } from "node:fs";
import { delimiter, isAbsolute, join } from "node:path";
import { Kernel } from "../jupyter/launch.js";
import type { InstalledKernel } from "../jupyter/kernelspec.js";
import type { Finding } from "./finding.js";

/** A kernelspec, and whether this package installed it. */
export interface KernelToTry extends InstalledKernel {
  readonly ours: boolean;
  readonly problem?: string;
}

/** Milliseconds that a kernel has to answer in. */
const PATIENCE = 60_000;

/** Kernels of this package are started and asked who they are; of others it is seen whether their program is there. */
export async function kernels(found: readonly KernelToTry[]): Promise<Finding[]> {
  const findings: Finding[] = [];
  for (const kernel of found) findings.push(kernel.ours ? await tried(kernel) : seen(kernel));
  if (!found.some(({ ours }) => ours)) {
    findings.push({ what: "kernel", state: "note", says: "this package's kernel is not installed", todo: "for notebooks in Jupyter or VS Code: npx sdtp kernel install" });
  }
  return findings;
}

async function tried({ name, folder, spec, problem }: KernelToTry): Promise<Finding> {
  const what = `kernel ${name}`;
  const todo = `npx sdtp kernel install --name ${name}`;
  const data = { folder, argv: spec.argv };
  if (problem) return { what, state: "problem", says: `${folder}: ${problem}`, todo, data };
  const started = performance.now();
  try {
    const kernel = await Kernel.start({ spec, resourceDir: folder }, { timeout: PATIENCE });
    const seconds = (performance.now() - started) / 1e3;
    await kernel.shutdown();
    return { what, state: "ok", says: `${folder} starts and answers in ${seconds.toFixed(1)} s`, data: { ...data, seconds } };
  } catch (error) {
    return { what, state: "problem", says: `${folder} does not start: ${(error as Error).message.replace(/\s*\n\s*/g, "; ")}`, todo, data };
  }
}

function seen({ name, folder, spec: { argv } }: KernelToTry): Finding {
  const there = onPath(argv[0]!);
  return {
    what: `kernel ${name}`, state: there ? "ok" : "note", data: { folder, argv },
    says: `${folder}, another package's${there ? "" : `; its program ${argv[0]} is not there`}`,
    ...(!there && { todo: "install it again, or remove the folder" }),
  };
}

function onPath(program: string): boolean {
  const places = isAbsolute(program) ? [program] : (process.env["PATH"] ?? "").split(delimiter).flatMap((folder) => [join(folder, program), join(folder, `${program}.exe`)]);
  return places.some((place) => {
    try {
      accessSync(place, constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}
