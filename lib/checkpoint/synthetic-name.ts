// How synthetic models are told from others: apart from what makes them, which most models do without.

export const syntheticPrefix = "synthetic:";
/** The key in a file's `__metadata__` that marks weights as synthetic. */
export const syntheticMarker = "sdtp_synthetic";

export function isSyntheticName(name: string): boolean {
  return name.startsWith(syntheticPrefix);
}

export function isSyntheticMetadata(metadata: Readonly<Record<string, string>>): boolean {
  return syntheticMarker in metadata;
}

/** Synthetic weights take token ids alone. */
export function noTokenizer(name: string): Error {
  return new Error(`tokenizer: ${name} has synthetic weights and no tokenizer (give the prompt as token ids)`);
}
