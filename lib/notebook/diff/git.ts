import { spawnSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { packageRoot } from "../../checkpoint/package-root.js";
import { writeOutput } from "../../files.js";

const ATTRIBUTES = "*.ipynb diff=sdtp merge=sdtp";

/**
 * Makes git show and merge notebooks by their cells, in the repository of a folder: its config, and a line in its .gitattributes.
 * @returns the .gitattributes file
 * @throws where the folder is in no repository
 */
export async function installGit(folder: string): Promise<string> {
  const git = (...args: string[]) => spawnSync("git", ["-C", folder, ...args], { encoding: "utf8" });
  const top = git("rev-parse", "--show-toplevel");
  if (top.status !== 0) throw new Error(`git: ${folder} (${top.error ? "git cannot be run" : "is in no git repository"})`);
  const command = `${quoted(process.execPath)} ${quoted(join(packageRoot(), "lib", "cli", "sdtp.mjs"))} diff`;
  const settings = { "diff.sdtp.command": `${command} --git-diff`, "merge.sdtp.name": "notebooks by their cells", "merge.sdtp.driver": `${command} --git-merge %O %A %B %P` };
  for (const [key, value] of Object.entries(settings)) {
    const { status, stderr } = git("config", "--local", key, value);
    if (status !== 0) throw new Error(`git: ${key} (cannot be set: ${stderr.trim()})`);
  }
  const file = join(top.stdout.trim(), ".gitattributes");
  const text = existsSync(file) ? readFileSync(file, "utf8") : "";
  if (!text.split("\n").some((line) => line.trim() === ATTRIBUTES)) await writeOutput(file, `${text}${text === "" || text.endsWith("\n") ? "" : "\n"}${ATTRIBUTES}\n`);
  return file;
}

/** For the shell that git gives commands to. */
const quoted = (path: string): string => `'${path.replaceAll("'", "'\\''")}'`;
