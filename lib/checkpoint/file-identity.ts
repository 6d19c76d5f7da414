import { statSync } from "node:fs";

/** Tells a file from one that has taken its place, and from itself once it was written to. @throws where there is none */
export function fileIdentity(path: string): string {
  const { dev, ino, size, mtimeNs } = statSync(path, { bigint: true });
  return [dev, ino, size, mtimeNs].join(" ");
}
