import type { Notebook } from "./types.js";

/** The language of a notebook's code in lower case, as its kernelspec has it, else its language_info; undefined where neither says. */
export function languageOf({ metadata }: Notebook): string | undefined {
  return (metadata.kernelspec?.language || metadata.language_info?.name)?.toLowerCase();
}
