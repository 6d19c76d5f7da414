import { closeSync, fstatSync, openSync } from "node:fs";
import koffi from "koffi";
import type { Address } from "./library.js";

/** A file in this process's memory, read-only: its pages are the system's, read when they are touched and given back when memory is short. */
export interface MappedFile {
  readonly address: Address;
  readonly bytes: number;
  /** Gives its pages back to the system now, instead of when memory is short; they are read again when they are touched. Nothing but on Linux. */
  giveBack(): void;
  unmap(): void;
}

const [PROT_READ, MAP_PRIVATE, MADV_DONTNEED] = [1, 2, 4];
const MAP_FAILED = 2n ** 64n - 1n;

/** Whether files can be mapped: wherever the C library has `mmap`. */
export const mapsFiles = process.platform !== "win32";

let functions: ReturnType<typeof declared> | null = null;

function declared() {
  const c = koffi.load(null);
  return {
    mmap: c.func("mmap", "void *", ["void *", "size_t", "int", "int", "int", "int64_t"]),
    munmap: c.func("munmap", "int", ["void *", "size_t"]),
    madvise: c.func("madvise", "int", ["void *", "size_t", "int"]),
  };
}

/** @throws where there is no such file, or it cannot be mapped */
export function mapFile(path: string): MappedFile {
  const file = openSync(path, "r");
  try {
    const { size: bytes } = fstatSync(file);
    const { mmap, munmap, madvise } = (functions ??= declared());
    const address = mmap(0n, bytes, PROT_READ, MAP_PRIVATE, file, 0) as Address | null;
    if (!address || BigInt.asUintN(64, address) === MAP_FAILED) throw new Error(`${path}: ${bytes} bytes cannot be mapped into memory (error ${koffi.errno()} of the system)`);
    // The mapping holds the file: it stays readable where another takes its place.
    return {
      address, bytes,
      // Of pages that are nobody's but the file's: nothing is lost. Elsewhere the same advice may mean something else.
      giveBack: () => void (process.platform === "linux" && madvise(address, bytes, MADV_DONTNEED)),
      unmap: () => void munmap(address, bytes),
    };
  } finally {
    closeSync(file);
  }
}
