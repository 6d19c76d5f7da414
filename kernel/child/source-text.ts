/** What the compiler puts around `await`, `for await`, `import()` and `import.meta` (compile/transform.ts), and what stands there without it. */
const ADDED: [RegExp, string][] = [
  [/__cell__\.resume\(await __cell__\.pass\(/g, "(await ("],
  [/__cell__\.iterate\(/g, "("],
  [/__cell__\.import\(/g, "import("],
  [/__cell__\.meta\b/g, "import.meta"],
];

/**
 * Makes a function's text its own: people send functions as text to workers and to pages, where there is no cell.
 * Brackets stay in pairs, because those of a call become those of an expression.
 */
export function installSourceText(): void {
  const { toString } = Function.prototype;
  Function.prototype.toString = {
    toString(this: unknown): string {
      const text = toString.call(this) as string;
      return text.includes("__cell__") ? ADDED.reduce((plain, [added, without]) => plain.replace(added, without), text) : text;
    },
  }.toString;
}
