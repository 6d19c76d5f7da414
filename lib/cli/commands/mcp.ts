import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { Command } from "commander";
import { packageRoot } from "../../checkpoint/package-root.js";

/** `sdtp mcp`: notebooks for agents. */
export function register(program: Command): void {
  program
    .command("mcp")
    .description("serve a folder's notebooks to agents and scripts, over the Model Context Protocol on standard input and output")
    .argument("[folder]", "the folder; nothing outside of it is read or written by the tools", ".")
    .addHelpText(
      "after",
      `
Tools: list_notebooks, read_notebook, read_outputs, run_cell, run_code, restart_kernel, profile, sweep, table2, tokens_kept.
Cells run in kernels that keep their variables from call to call; they do what their code says, as in any notebook.
Nothing is fetched from the network: a hub's model must be in the cache (sdtp fetch).

Example, in a client's settings: { "command": "npx", "args": ["sdtp", "mcp", "notebooks"] }`,
    )
    .action(async (folder: string) => {
      const { serveMcp } = await import("../../notebook/mcp/server.js");
      const { version } = JSON.parse(readFileSync(join(packageRoot(), "package.json"), "utf8")) as { version: string };
      await serveMcp(folder, { version });
      // The kernels have ended; a pipe that the client left open would keep the process.
      process.exit(0);
    });
}
