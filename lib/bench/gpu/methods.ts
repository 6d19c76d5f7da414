import type { MethodResult } from "./tasks.js";

/** Kept as on the CPU at least so far, and logits as near as 16-bit numbers are. */
export const methodIsWrong = ({ kept, logits, error }: MethodResult): boolean => error !== null || kept < 0.99 || (logits !== null && !(logits <= 2e-2));
