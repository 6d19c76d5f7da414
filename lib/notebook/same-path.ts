import { realpathSync } from "node:fs";
import { resolve } from "node:path";

/** Whether two paths are one file, links followed. */
export function samePath(a: string, b: string): boolean {
  const real = (path: string) => {
    try {
      return realpathSync(path);
    } catch {
      return resolve(path);
    }
  };
  return real(a) === real(b);
}
