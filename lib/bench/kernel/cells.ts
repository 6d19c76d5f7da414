/** What kernels are given to do, in the language of each; undefined where a language has no fair equal. */
export interface Cells {
  sum: string;
  /** Adds 2e8 numbers in a loop at the top level. */
  loop?: string;
  /** Prints 200,000 lines. */
  lines: string;
  /** Declares a variable and reads it; no two alike. */
  declare: (i: number) => string;
  /** Text to complete behind it; no two alike. */
  members: readonly string[];
  /** What is interrupted, by what it does. Each first prints `started`. */
  endless: Readonly<Record<string, string>>;
}

/** Lines of {@link Cells.lines}. */
export const LINES = 200_000;

const typescript: Cells = {
  sum: "1+1",
  loop: "let sum = 0; for (let i = 0; i < 2e8; i++) sum += i; sum",
  lines: `for (let i = 0; i < ${LINES}; i++) console.log(i)`,
  declare: (i) => `const v${i} = { a: ${i}, b: "${i}" }; v${i}.a`,
  members: ["console.", "Math.", "JSON.", "process.", "Object.", "Array.", "'text'.", "[1].", "new Map().", "new Date().", "Promise.", "Number.", "Buffer.", "Symbol.", "cons"],
  endless: {
    "a loop": "console.log('started'); while (true) {}",
    "a promise": "console.log('started'); await new Promise(() => {})",
    "a loop behind an await": "console.log('started'); await null; while (true) {}",
    "a loop in a timer": "console.log('started'); await new Promise(() => setTimeout(() => { while (true) {} }, 1))",
  },
};

const python: Cells = {
  sum: "1+1",
  lines: `for i in range(${LINES}): print(i)`,
  declare: (i) => `v${i} = dict(a=${i}, b="${i}"); v${i}["a"]`,
  members: ["complex.", "str.", "list.", "dict.", "int.", "float.", "'text'.", "[1].", "set.", "tuple.", "bytes.", "object.", "range.", "type.", "pri"],
  endless: {
    "a loop": "print('started', flush=True)\nwhile True: pass",
    "a sleep": "import time\nprint('started', flush=True)\ntime.sleep(10_000)",
  },
};

/** By a kernelspec's language; undefined for one that has no cells here. */
export function cellsFor(language: string): Cells | undefined {
  return { typescript, javascript: typescript, python }[language.toLowerCase()];
}
