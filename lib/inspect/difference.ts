/** A difference found; anything else that is thrown is no finding. */
export class Difference extends Error {}

/** @throws a difference found */
export function differs(text: string): never {
  throw new Difference(text);
}
