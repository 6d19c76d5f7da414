import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

/** Absolute path of this package's folder: the same for a checkout, its dist and an installed package. */
export function packageRoot(): string {
  let folder = dirname(fileURLToPath(import.meta.url));
  for (;;) {
    const file = join(folder, "package.json");
    if (existsSync(file) && (JSON.parse(readFileSync(file, "utf8")) as { name?: string }).name === "sdtp-notebook") return folder;
    const parent = dirname(folder);
    if (parent === folder) throw new Error(`package folder: none above ${fileURLToPath(import.meta.url)} (package.json of sdtp-notebook)`);
    folder = parent;
  }
}
