/** @throws on a length that is no positive integer, and on lengths out of order or given twice */
export function checkLengths(lengths: readonly number[]): readonly number[] {
  if (lengths.length === 0) throw new Error("lengths: none (give prompt lengths in tokens, e.g. 1024 2048)");
  lengths.forEach((length, index) => {
    const before = lengths[index - 1];
    if (!Number.isSafeInteger(length) || length < 1) throw new Error(`length: ${length} (must be a positive integer, in tokens)`);
    if (before === length) throw new Error(`length: ${length} (is given twice)`);
    if (before !== undefined && before > length) throw new Error(`lengths: ${length} after ${before} (must ascend)`);
  });
  return lengths;
}

/** Lengths as words of a command line, a comma between two of them allowed too. */
export function parseLengths(words: readonly string[]): readonly number[] {
  const parts = words.flatMap((word) => word.split(",")).filter((part) => part !== "");
  return checkLengths(
    parts.map((part) => {
      if (!/^[+-]?[0-9.]+$/.test(part)) throw new Error(`length: ${part} (must be a positive integer, in tokens)`);
      return Number(part);
    }),
  );
}
