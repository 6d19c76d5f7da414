import { existsSync, readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import { dataDirs, type PathContext } from "./paths.js";

const schema = z.looseObject({
  argv: z.array(z.string()).min(1),
  display_name: z.string(),
  language: z.string().default(""),
  interrupt_mode: z.enum(["signal", "message"]).default("signal"),
  /** The protocol that the kernel speaks, so that a client need not ask it (JEP 66). */
  kernel_protocol_version: z.string().optional(),
  env: z.record(z.string(), z.string()).default({}),
  metadata: z.record(z.string(), z.unknown()).default({}),
});

/** `kernel.json`: how a kernel is started. */
export type KernelSpec = z.infer<typeof schema>;

export interface InstalledKernel {
  name: string;
  /** Folder of kernel.json. */
  folder: string;
  spec: KernelSpec;
}

/**
 * Every kernel that Jupyter would find, the first folder winning for a name; folders without a valid
 * kernel.json are left out. Names are lower case, as jupyter_client compares them.
 */
export function listKernels(context: PathContext = {}): InstalledKernel[] {
  const found = new Map<string, InstalledKernel>();
  for (const dir of dataDirs(context).map((data) => join(data, "kernels"))) {
    if (!existsSync(dir)) continue;
    for (const entry of readdirSync(dir).sort()) {
      const name = entry.toLowerCase();
      if (found.has(name)) continue;
      try {
        found.set(name, { name, folder: join(dir, entry), spec: readKernelSpec(join(dir, entry)) });
      } catch {
        continue;
      }
    }
  }
  return [...found.values()];
}

/**
 * The kernel called `name`.
 * @throws where there is none, naming those that are installed.
 */
export function findKernel(name: string, context: PathContext = {}): InstalledKernel {
  const kernels = listKernels(context);
  const kernel = kernels.find((candidate) => candidate.name === name.toLowerCase());
  if (!kernel) {
    throw new Error(`kernel: ${name} (installed: ${kernels.map((each) => each.name).join(", ") || "none"})`);
  }
  return kernel;
}

/**
 * Reads `kernel.json` in `folder`.
 * @throws with the file and the field that is wrong.
 */
export function readKernelSpec(folder: string): KernelSpec {
  const path = join(folder, "kernel.json");
  const parsed = schema.safeParse(JSON.parse(readFileSync(path, "utf8")));
  if (!parsed.success) {
    const issue = parsed.error.issues[0];
    throw new Error(`kernel.json: ${path} (${issue?.path.join(".") ?? ""}: ${issue?.message ?? "invalid"})`);
  }
  return parsed.data;
}

/** The command of a kernelspec with its placeholders filled in. */
export function fillArgv(argv: string[], values: { connectionFile: string; resourceDir: string }): string[] {
  return argv.map((part) =>
    part.replaceAll("{connection_file}", values.connectionFile).replaceAll("{resource_dir}", values.resourceDir),
  );
}
