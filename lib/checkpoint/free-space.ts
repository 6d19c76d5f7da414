import { statfs } from "node:fs/promises";

/**
 * Checks that a folder's disk has room.
 * @param bytes needed
 * @param what needs them, for the error
 * @throws an error with the needed and the free bytes
 */
export async function requireFreeSpace(folder: string, bytes: number, what: string): Promise<void> {
  const { bavail, bsize } = await statfs(folder);
  const free = bavail * bsize;
  if (free < bytes) {
    throw new Error(`free space: ${free} bytes (${formatBytes(free)}) in ${folder} (${what} needs ${bytes} bytes, ${formatBytes(bytes)})`);
  }
}

/** `15.2 GB`: decimal units. */
export function formatBytes(bytes: number): string {
  const units = ["B", "kB", "MB", "GB", "TB"];
  let unit = 0;
  let size = bytes;
  while (size >= 999.95 && unit < units.length - 1) {
    size /= 1000;
    unit++;
  }
  return unit === 0 ? `${bytes} B` : `${size.toFixed(1)} ${units[unit]}`;
}
