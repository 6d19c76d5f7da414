import { spawn } from "node:child_process";
import type { Command } from "commander";
import { interruptSignal } from "../interrupt.js";
import { nonNegativeInteger } from "../options.js";

interface Options {
  port: number;
  token?: string;
  browser: boolean;
}

/** `sdtp lab`: JupyterLab, served by Node. */
export function register(program: Command): void {
  program
    .command("lab")
    .description("open JupyterLab over a folder, without Python: every installed kernel, this package's own first")
    .argument("[folder]", "what is shown and may be changed; nothing outside it", ".")
    .option("--port <n>", "where to listen, or on the next that is free; 0: any that is free", nonNegativeInteger, 8888)
    .option("--token <text>", "what a browser must bring (default: a new random one; SDTP_LAB_TOKEN)")
    .option("--no-browser", "only print the address")
    .addHelpText("after", `
A cell goes on when its tab is closed, and its outputs are in the notebook when it is opened again. Ctrl-C ends kernels and terminals.`)
    .action(run);
}

async function run(folder: string, options: Options): Promise<void> {
  const signal = interruptSignal();
  const token = options.token ?? (process.env.SDTP_LAB_TOKEN || undefined);
  const [{ openLab }, { LOGOS }] = await Promise.all([import("../../lab/index.js"), import("../../../kernel/logos.js")]);
  const lab = await openLab(folder, { port: options.port, logos: LOGOS, ...(token !== undefined && { token }), onError: (error) => console.error(error.message) });
  console.log(`JupyterLab at ${lab.url}`);
  for (const each of lab.missing) console.log(each);
  if (options.browser) openBrowser(lab.url);
  await Promise.race([lab.shutdown, new Promise<void>((resolve) => (signal.aborted ? resolve() : signal.addEventListener("abort", () => resolve())))]);
  await lab.close();
}

/** The user's browser; where there is none, the printed address is all. */
function openBrowser(url: string): void {
  const [command, ...args]: [string, ...string[]] = process.platform === "darwin" ? ["open", url] : process.platform === "win32" ? ["rundll32", "url.dll,FileProtocolHandler", url] : ["xdg-open", url];
  const opened = spawn(command, args, { stdio: "ignore", detached: true });
  opened.on("error", () => {});
  opened.unref();
}
