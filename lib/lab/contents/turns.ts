/**
 * One at a time for each file. A page that is left does not wait for its last save: what the next page reads comes after it, and
 * two that write never read each other's file in between.
 */
export class Turns {
  readonly #last = new Map<string, Promise<unknown>>();

  /**
   * Acts when all that came before for any of these paths is over.
   * @param paths of the API; whoever acts must not take a turn of its own for them
   */
  take<T>(paths: string | readonly string[], act: () => Promise<T>): Promise<T> {
    const keys = [...new Set([paths].flat().map((path) => path.split("/").filter(Boolean).join("/")))];
    // All are taken at once: nobody waits for one that holds another.
    const acting = Promise.all(keys.map((key) => this.#last.get(key))).then(act);
    const over = acting.then(() => undefined, () => undefined).then(() => {
      for (const key of keys) if (this.#last.get(key) === over) this.#last.delete(key);
    });
    for (const key of keys) this.#last.set(key, over);
    return acting;
  }
}
