import { InvalidArgumentError, type Command } from "commander";
import { makeSnapshot } from "../../../kernel/compile/snapshot/keep.js";
import { installedKernels, installKernel, uninstallKernel, type InstallOptions } from "../../../kernel/install.js";
import { packageRoot } from "../../checkpoint/package-root.js";

interface InstallFlags {
  user?: boolean;
  prefix?: string;
  sysPrefix?: boolean;
  name: string;
  displayName: string;
  env: Record<string, string>;
  papermill?: string | true;
}

/** `sdtp kernel install|list|uninstall`. */
export function register(program: Command): void {
  const kernel = program.command("kernel").description("make the Jupyter kernel known to Jupyter and VS Code");

  kernel
    .command("install")
    .description("install the kernel; no Python is needed")
    .option("--user", "for this user (default)")
    .option("--prefix <folder>", "into FOLDER/share/jupyter, such as /usr/local")
    .option("--sys-prefix", "into the active virtualenv or conda environment")
    .option("--name <name>", "the kernel's name in notebooks", "sdtp")
    .option("--display-name <text>", "the name that people see", "TypeScript (sdtp)")
    .option("--env <key=value>", "an environment variable of the kernel; may be repeated", variable, {})
    .option("--papermill [python]", "and the parameters of TypeScript notebooks for papermill, into its Python environment")
    .addHelpText(
      "after",
      `
SDTP_PRELOAD, as a variable of the kernel, says what a notebook has without importing it:
all (default: sdtp, dfd, display, input, …), display (only display, input, …) or none.

Examples:
  sdtp kernel install
  sdtp kernel install --papermill               # then: papermill in.ipynb out.ipynb -p n 3
  sdtp kernel install --sys-prefix --name sdtp-plain --env SDTP_PRELOAD=none`,
    )
    .action(async (flags: InstallFlags) => {
      const chosen = [flags.user, flags.prefix, flags.sysPrefix].filter(Boolean);
      if (chosen.length > 1) throw new Error("kernel install: more than one of --user, --prefix, --sys-prefix");
      const where: InstallOptions["where"] = flags.prefix ? { prefix: flags.prefix } : flags.sysPrefix ? "sys-prefix" : "user";
      const folder = installKernel({ where, name: flags.name, displayName: flags.displayName, vars: flags.env });
      console.log(`installed ${flags.name} in ${folder}`);
      if (flags.papermill !== undefined) {
        const { installForPapermill } = await import("../../../kernel/papermill.js");
        const { folder: packages, version } = flags.papermill === true ? installForPapermill() : installForPapermill(flags.papermill);
        console.log(`installed sdtp-papermill for papermill ${version} in ${packages}`);
      }
      // Kernels start without it as well, a second later each; the first of them makes it then.
      await makeSnapshot(packageRoot()).catch(({ message }: Error) => console.error(`${message}; kernels start more slowly`));
    });

  kernel
    .command("list")
    .description("list the kernels that Jupyter finds")
    .option("--json", "as JSON")
    .action(({ json }: { json?: boolean }) => {
      const kernels = installedKernels();
      if (json) return console.log(JSON.stringify(kernels, null, 2));
      if (kernels.length === 0) return console.log("no kernels (install ours with: sdtp kernel install)");
      const width = Math.max(...kernels.map(({ name }) => name.length));
      for (const { name, folder, ours, problem } of kernels) {
        console.log(`${name.padEnd(width)}  ${folder}${ours ? "  (this package)" : ""}${problem ? `\n  ${problem}` : ""}`);
      }
    });

  kernel
    .command("uninstall")
    .description("remove a kernel that this package installed")
    .argument("[name]", "the kernel's name", "sdtp")
    .action((name: string) => console.log(`removed ${uninstallKernel(name)}`));
}

function variable(text: string, earlier: Record<string, string>): Record<string, string> {
  const at = text.indexOf("=");
  if (at < 1) throw new InvalidArgumentError("must be KEY=VALUE");
  return { ...earlier, [text.slice(0, at)]: text.slice(at + 1) };
}
