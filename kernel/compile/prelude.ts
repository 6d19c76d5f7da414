import { existsSync } from "node:fs";
import { join } from "node:path";

/** A name that a notebook has without importing it, as an import declaration for the compiler. */
export interface Preloaded {
  name: string;
  declaration: string;
  /** What else makes it needed: its types are those of what these words give. */
  also?: readonly string[];
}

/** Numbers up to this one stand for what is preloaded; cells have those that follow. */
export const LAST_PRELOADED = 9;

/** Names whose types are cheap: there from the start. */
const GLOBALS = ["display", "clearOutput", "input", "progress", "comms"];

/**
 * What is preloaded. `lazy` names are declared when a cell first mentions them, because reading their
 * types takes longer than starting the kernel.
 * @param setting `none` for nothing, `display` for the kernel's own functions only, anything else for all
 */
export function prelude(packageRoot: string, setting: string | undefined): { eager: string; lazy: Preloaded[] } {
  if (setting === "none") return { eager: "", lazy: [] };
  const api = join(packageRoot, "dist", "kernel", "child", "api.js");
  const eager = `import { ${GLOBALS.join(", ")} } from ${JSON.stringify(api)};\n`;
  if (setting === "display") return { eager, lazy: [] };
  const lazy: Preloaded[] = [];
  const library = join(packageRoot, "dist", "lib", "index.js");
  if (existsSync(library)) lazy.push({ name: "sdtp", declaration: `import * as sdtp from ${JSON.stringify(library)};\n` });
  // A dataframe from sdtp.frame has the type dfd.DataFrame, which can be named only where dfd is there.
  lazy.push({ name: "dfd", declaration: `import * as dfd from "danfojs-node";\n`, also: ["frame"] });
  return { eager, lazy };
}
