import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Command } from "commander";

interface Options {
  output?: string;
  editor: string;
}

/** `sdtp vscode`: the extension by which VS Code knows what a cell knows. */
export function register(program: Command): void {
  program
    .command("vscode")
    .description("install the extension by which VS Code shows no false errors in cells: names of earlier cells, what is preloaded, await")
    .option("--output <file>", "only write the extension there (.vsix), for Extensions: Install from VSIX…")
    .option("--editor <command>", "the editor's command: code, code-insiders, codium, …", "code")
    .action(run);
}

async function run({ output, editor }: Options): Promise<void> {
  const [{ vsix }, { packageRoot }, { writeOutput }] = await Promise.all([import("../../vscode/pack.js"), import("../../checkpoint/package-root.js"), import("../../files.js")]);
  if (output !== undefined && !output.endsWith(".vsix")) throw new Error(`output: ${output} (must end in .vsix: an editor takes an extension for what its name says)`);
  const folder = output === undefined ? mkdtempSync(join(tmpdir(), "sdtp-vscode-")) : undefined;
  const file = output ?? join(folder!, "sdtp-notebook.vsix");
  try {
    await writeOutput(file, vsix(packageRoot()));
    if (output !== undefined) return void process.stdout.write(`${output}\n`);
    // On Windows the command is a script, which only a shell runs.
    const { error, status } = spawnSync(editor, ["--install-extension", file, "--force"], { stdio: "inherit", shell: process.platform === "win32" });
    if ((error as NodeJS.ErrnoException | undefined)?.code === "ENOENT") throw new Error(`editor: ${editor} (there is no such command; --editor names another one, or --output FILE.vsix writes the extension for Extensions: Install from VSIX…)`);
    if (error || status !== 0) throw new Error(`editor: ${editor} (did not install the extension: ${error?.message ?? `code ${status}`})`);
  } finally {
    if (folder !== undefined) rmSync(folder, { recursive: true, force: true });
  }
}
