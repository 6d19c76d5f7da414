import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { packageRoot } from "../checkpoint/package-root.js";

/** Public-domain prose that the package holds, never trained on. */
export function shippedProse(): Promise<string> {
  return readFile(join(packageRoot(), "lib", "bench", "prompts", "held-out.txt"), "utf8");
}
