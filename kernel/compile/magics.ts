import type { CellDiagnostic } from "../../lib/jupyter/messages.js";

/** What to write instead of lines that other kernels take for commands. */
const INSTEAD: Record<string, string> = {
  time: 'write console.time("cell") before and console.timeEnd("cell") behind what is to be timed',
  timeit: "measure with performance.now() around a loop",
  run: 'import the file: import "./file.ts"',
  load: "open the file in the editor",
  cd: 'write process.chdir("folder")',
  pwd: "write process.cwd()",
  env: "write process.env.NAME",
  who: "type a name's first letters and press Tab",
  whos: "type a name's first letters and press Tab",
  matplotlib: "charts need no set-up: display.plotly(data, layout)",
  pip: "install packages in a terminal: npm install NAME",
  conda: "install packages in a terminal: npm install NAME",
  npm: "install packages in a terminal: npm install NAME",
  html: "write display.html(`…`)",
  markdown: "write display.markdown(`…`)",
  latex: "write display.latex(`…`)",
  svg: "write display.svg(`…`)",
  writefile: 'write require("node:fs").writeFileSync("file", `…`)',
  bash: SHELL("…"),
  sh: SHELL("…"),
};

function SHELL(command: string): string {
  return `write console.log(require("node:child_process").execSync(${JSON.stringify(command)}).toString())`;
}

/**
 * What to write instead, where the line of a cell's first error is a command as other kernels have them.
 * @param line of that error, from 1
 */
export function magicOf(source: string, line: number): CellDiagnostic | undefined {
  const whole = source.split("\n")[line - 1] ?? "";
  const text = whole.trim();
  const magic = /^%%?([A-Za-z]\w*)/.exec(text);
  // `!ready && go()` is TypeScript.
  const shell = /^!\s*([A-Za-z./~][\w./~-]*(?:\s+[^\s&|?=.<>+*/()[\]{};,].*)?)$/.exec(text);
  const help = /^\?{1,2}[\p{ID_Start}$][\p{ID_Continue}$.]*$|^[\p{ID_Start}$][\p{ID_Continue}$.]*\?{1,2}$/u.test(text);
  const message = magic
    ? `${magic[0]}: this kernel has no magics; ${INSTEAD[magic[1] as string] ?? "a cell is TypeScript"}`
    : shell
      ? `!: this kernel runs no shell commands; ${SHELL(shell[1] as string)}`
      : help
        ? "?: this kernel has no help lines; put the cursor on the name and press Shift-Tab"
        : undefined;
  if (message === undefined) return undefined;
  const column = whole.indexOf(text) + 1;
  return { message: `${message}.`, code: 1127, line, column, endLine: line, endColumn: column + text.length };
}
