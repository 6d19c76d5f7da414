import { join } from "node:path";
import { packageRoot } from "../checkpoint/package-root.js";
import { readText } from "../files.js";

/** Public-domain prose that the package holds, never trained on. */
const proseFile = (): string => join(packageRoot(), "lib", "bench", "prompts", "held-out.txt");

export const shippedProse = (): Promise<string> => readText("prose", proseFile());
