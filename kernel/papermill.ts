import { spawnSync } from "node:child_process";
import { accessSync, constants, existsSync, mkdirSync, readFileSync } from "node:fs";
import { delimiter, join } from "node:path";
import { packageRoot } from "../lib/checkpoint/package-root.js";
import { writeWholeSync } from "../lib/files.js";

const MODULE = "sdtp_papermill.py";

/** What Python says of itself. */
interface Python {
  /** Folder of packages, of all users and of this one. */
  purelib: string;
  user: string;
  papermill: string | null;
}

const PROBE = `
import json, site, sysconfig
try:
    from importlib.metadata import version
    papermill = version("papermill")
except Exception:
    papermill = None
print(json.dumps({"purelib": sysconfig.get_paths()["purelib"], "user": site.getusersitepackages(), "papermill": papermill}))`;

/**
 * Puts the translator of parameters where papermill finds it, as a package that pip knows (\`pip uninstall sdtp-papermill\`).
 * @param python the interpreter that papermill runs on. Default: that of the \`papermill\` command, of the active environment, or python3
 * @returns the folder it is in, and papermill's version
 * @throws where there is no such interpreter, or it has no papermill
 */
export function installForPapermill(python = papermillsPython()): { folder: string; version: string } {
  const probe = spawnSync(python, ["-c", PROBE], { encoding: "utf8" });
  if (probe.status !== 0) throw new Error(`papermill: ${python} (cannot be run as Python: ${probe.error?.message ?? probe.stderr.trim().split("\n").at(-1)})`);
  const { purelib, user, papermill } = JSON.parse(probe.stdout) as Python;
  if (papermill === null) throw new Error(`papermill: ${python} (has no papermill; \`${python} -m pip install papermill\` installs it, --papermill PYTHON names another)`);
  const folder = isWritable(purelib) ? purelib : user;
  const { version } = JSON.parse(readFileSync(join(packageRoot(), "package.json"), "utf8")) as { version: string };
  const info = `sdtp_papermill-${version}.dist-info`;
  mkdirSync(join(folder, info), { recursive: true });
  const files: Record<string, string> = {
    [MODULE]: readFileSync(join(packageRoot(), "kernel", "papermill", MODULE), "utf8"),
    [join(info, "METADATA")]: `Metadata-Version: 2.1\nName: sdtp-papermill\nVersion: ${version}\nSummary: Parameters of TypeScript notebooks for papermill\nRequires-Dist: papermill\n`,
    [join(info, "entry_points.txt")]: "[papermill.engine]\nsdtp = sdtp_papermill:Engine\n",
    [join(info, "INSTALLER")]: "sdtp\n",
    [join(info, "top_level.txt")]: "sdtp_papermill\n",
  };
  const record = [...Object.keys(files), join(info, "RECORD")].map((file) => `${file.replaceAll("\\", "/")},,\n`).join("");
  for (const [file, text] of Object.entries({ ...files, [join(info, "RECORD")]: record })) writeWholeSync(join(folder, file), text);
  return { folder, version: papermill };
}

/** The interpreter in the first line of the `papermill` command, else that of the active environment, else python3. */
function papermillsPython(): string {
  const command = (process.env["PATH"] ?? "").split(delimiter).map((folder) => join(folder, "papermill")).find((path) => existsSync(path));
  const first = command === undefined ? undefined : /^#!(\S+)\s*$/.exec(readFileSync(command, "utf8").split("\n")[0] ?? "")?.[1];
  if (first !== undefined && existsSync(first)) return first;
  const environment = process.env["VIRTUAL_ENV"] ?? process.env["CONDA_PREFIX"];
  if (environment !== undefined) return process.platform === "win32" ? join(environment, "Scripts", "python.exe") : join(environment, "bin", "python");
  return process.platform === "win32" ? "python" : "python3";
}

function isWritable(folder: string): boolean {
  try {
    accessSync(folder, constants.W_OK);
    return true;
  } catch {
    return false;
  }
}
