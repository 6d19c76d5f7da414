import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** Clients of today, as PyPI has them. */
const PACKAGES = ["papermill==2.7.0", "nbclient==0.11.0", "nbval==0.11.0", "nbmake==1.5.5", "jupytext==1.19.6", "voila==0.5.13", "pytest==9.2.0", "ipykernel==7.3.0"];

/** JupyterLab and Notebook, with what draws widgets. */
const FRONT_ENDS = ["jupyterlab==4.6.6", "notebook==7.6.5", "ipywidgets==8.1.9", "anywidget==0.11.0"];

type Environment = { bin: string } | { missing: string };

export const pypiClients = (): Environment => environment(PACKAGES, process.env["SDTP_TEST_VENV"]);

export const jupyterClients = (): Environment => environment(FRONT_ENDS, process.env["SDTP_TEST_JUPYTER"]);

/**
 * A virtual environment with packages, made once and kept in the temporary folder.
 * @param given one that has them
 * @returns its folder of commands; or why there is none
 */
function environment(packages: readonly string[], given: string | undefined): Environment {
  const folder = given ?? join(tmpdir(), `sdtp-pypi-${createHash("sha256").update(packages.join()).digest("hex").slice(0, 12)}`);
  const bin = join(folder, "bin");
  if (given !== undefined || existsSync(join(folder, "complete"))) return { bin };
  rmSync(folder, { recursive: true, force: true });
  for (const [command, ...args] of [["python3", "-m", "venv", folder], [join(bin, "pip"), "install", "-q", ...packages], ["touch", join(folder, "complete")]] as [string, ...string[]][]) {
    const { status, stderr } = spawnSync(command, args, { encoding: "utf8", timeout: 600_000 });
    if (status !== 0) return { missing: `needs a virtual environment from PyPI (${[command, ...args].join(" ")}: ${stderr?.trim().split("\n").at(-1) ?? "cannot be run"})` };
  }
  return { bin };
}
