/** How many of the tokens present stay: a share in (0, 1], or a number. */
export type Amount = { readonly ratio: number; readonly tokens?: never } | { readonly tokens: number; readonly ratio?: never };

/** @throws where it is neither a share nor a number of tokens, or both */
export function checkedAmount({ ratio, tokens }: Record<string, unknown>, label: string): Amount {
  if (tokens !== undefined) {
    if (ratio !== undefined) throw new Error(`${label}: both a ratio and a number of tokens (give one)`);
    if (!isPositiveInteger(tokens)) throw new Error(`${label}, tokens: ${String(tokens)} (must be a positive integer)`);
    return { tokens };
  }
  if (typeof ratio !== "number" || !(ratio > 0 && ratio <= 1)) throw new Error(`${label}, ratio: ${String(ratio)} (must be above 0 and at most 1)`);
  return { ratio };
}

/** So many of `present` tokens, rounded down. */
export function tokensOf({ ratio, tokens }: Amount, present: number): number {
  return tokens !== undefined ? Math.min(tokens, present) : Math.floor(ratio * present);
}

export function isPositiveInteger(value: unknown): value is number {
  return typeof value === "number" && Number.isSafeInteger(value) && value > 0;
}
