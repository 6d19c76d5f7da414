/**
 * The compiler as a process that starts from a snapshot: a heap in which TypeScript is loaded and the types of the
 * language, of Node and of this package are read, so that the first cell does not wait for them.
 */
import { CellCompiler } from "../cells.js";
import { complete } from "../complete.js";
import { inspect } from "../inspect.js";
import { prelude } from "../prelude.js";
import { answer, createMethods, type Call, type Methods, type ServiceData } from "../service.js";
import { ts } from "../typescript.js";

/** Cells of the usual kinds: what they make TypeScript read and V8 compile is in the snapshot. */
const CELLS = [
  "1 + 1",
  "const numbers = [1, 2, 3].map((x) => x + 1)\nnumbers",
  "import { readFileSync } from 'node:fs'\nfunction size(file: string): number { return readFileSync(file).length }\nclass Held { size = size('x') }",
  "console.log(await Promise.resolve(numbers.length), process.argv)",
  "const frame = sdtp.frame([{ a: 1 }]); frame.shape",
  "frame.nothing",
];

/** What is completed at its end, likewise: the first completion of what is preloaded looks at all of it. */
const COMPLETED = ["const list = [1, 2, 3]; list.", "sdtp.", "con"];

/** Reads what every notebook needs. */
export function warm(packageRoot: string): void {
  const cells = new CellCompiler(packageRoot, prelude(packageRoot, undefined));
  for (const source of CELLS) {
    const cell = cells.compile(source);
    if (cell.ok) cells.commit(cell.id, "ok");
  }
  withoutCollator(() => {
    for (const code of COMPLETED) complete(cells, code, code.length);
  });
  inspect(cells, "numbers", 3, 0);
  cells.project.complete();
  cells.project.rest();
}

/** TypeScript sorts completions by an Intl.Collator, which V8 cannot put into a snapshot: here it has another, which it forgets. */
function withoutCollator(work: () => void): void {
  const { Collator } = Intl;
  const compare = (a: string, b: string) => (a < b ? -1 : a > b ? 1 : 0);
  try {
    Object.assign(Intl, { Collator: function () { return { compare }; } });
    work();
  } finally {
    Object.assign(Intl, { Collator });
    const { setUILocale } = ts as unknown as { setUILocale(locale: string | undefined): void };
    setUILocale("none");
    setUILocale(undefined);
  }
}

/** Runs in the process that was started from the snapshot: its first message is the {@link ServiceData}. */
export function serve(): void {
  // TypeScript remembers where the snapshot was made.
  ts.sys.getCurrentDirectory = () => process.cwd();
  let methods: Methods | undefined;
  process.on("message", (message: Call | ServiceData) => {
    if ("method" in message) process.send?.(answer(methods as Methods, message));
    else methods = createMethods(message, () => undefined);
  });
  // An interrupt from a terminal reaches all processes of the kernel, and is the parent's business.
  process.on("SIGINT", () => undefined);
  process.on("disconnect", () => process.exit());
}
