import { dirname, join } from "node:path";
import { findKernel, listKernels, Kernel, type KernelSpec, type WaitOptions } from "../../jupyter/index.js";
import { packageRoot } from "../../checkpoint/package-root.js";
import { languageOf } from "../language.js";
import { UsageError } from "../parameters/parameter.js";
import type { Notebook } from "../types.js";

/** Name of this package's own kernel in notebooks. */
const OWN = "sdtp";

export interface ChosenKernel {
  name: string;
  /** It is this package's. */
  own: boolean;
  spec: Pick<KernelSpec, "argv"> & Partial<KernelSpec>;
  /** Folder of kernel.json. */
  resourceDir?: string;
}

/**
 * The kernel that a notebook asks for, or `name`. This package's own need not be installed; where it is, its
 * environment variables hold.
 * @throws UsageError where it is not installed, naming those that are
 */
export function chooseKernel(notebook: Notebook, name = notebook.metadata.kernelspec?.name): ChosenKernel {
  const language = languageOf(notebook);
  const chosen = name ?? (language === undefined || language === "typescript" ? OWN : undefined);
  if (chosen === undefined) {
    throw new UsageError(`kernel: the notebook (${language}) names none (installed: ${listKernels().map((each) => each.name).join(", ") || "none"})`);
  }
  if (chosen === OWN) {
    const installed = listKernels().find((kernel) => kernel.name === OWN);
    const argv = [process.execPath, join(packageRoot(), "dist", "kernel", "main.js"), "{connection_file}"];
    return { name: OWN, own: true, spec: { argv, interrupt_mode: "message", language: "typescript", display_name: "TypeScript (sdtp)", metadata: { debugger: true }, ...(installed && { env: installed.spec.env }) } };
  }
  try {
    const { spec, folder } = findKernel(chosen);
    return { name: chosen, own: false, spec, resourceDir: folder };
  } catch (error) {
    throw new UsageError((error as Error).message);
  }
}

/** Starts a kernel in the notebook's folder. @throws KernelDied, KernelTimeout */
export function startKernel({ spec, resourceDir, name }: ChosenKernel, notebookFile: string, wait: WaitOptions): Promise<Kernel> {
  return Kernel.start(
    {
      spec,
      ...(resourceDir !== undefined && { resourceDir }),
      cwd: dirname(notebookFile),
      kernelName: name,
      // By this a kernel knows whose it is, and ends when that process does.
      env: { JPY_PARENT_PID: String(process.pid) },
    },
    wait,
  );
}
