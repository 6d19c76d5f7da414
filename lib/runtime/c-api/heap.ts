import koffi from "koffi";

let trim: ((pad: number) => number) | null | undefined;

/**
 * Gives memory that native code has freed back to the system. glibc keeps freed pieces of up to 32 MB for later ones: while a graph is loaded these are
 * its weights, packed for the processor and found to be there already. Nothing elsewhere.
 */
export function giveBackFreedMemory(): void {
  if (trim === undefined) {
    try {
      trim = process.platform === "linux" ? (koffi.load(null).func("malloc_trim", "int", ["size_t"]) as (pad: number) => number) : null;
    } catch {
      // Another C library than glibc.
      trim = null;
    }
  }
  trim?.(0);
}
