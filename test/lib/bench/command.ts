import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";

/** Runs one command of lib/cli/commands in its own process, as the main program would. */
export function command(name: string, args: readonly string[], cwd?: string): { status: number | null; stdout: string; stderr: string } {
  const file = fileURLToPath(new URL(`../../../lib/cli/commands/${name}.js`, import.meta.url));
  const commander = import.meta.resolve("commander");
  const script = `
    import { Command } from ${JSON.stringify(commander)};
    import { register } from ${JSON.stringify(`file://${file}`)};
    const program = new Command("sdtp");
    register(program);
    await program.parseAsync(${JSON.stringify([name, ...args])}, { from: "user" }).catch((error) => { console.error(error.message); process.exitCode = 1; });`;
  return spawnSync(process.execPath, ["--input-type=module", "--eval", script], { encoding: "utf8", ...(cwd && { cwd }) });
}
