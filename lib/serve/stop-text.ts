/** Text as it arrives, ended before the first of some strings; what could become one of them is held back. */
export class StopText {
  #held = "";
  #stopped: string | undefined;
  readonly #stops: readonly string[];

  constructor(stops: readonly string[]) {
    this.#stops = stops;
  }

  /** The string that ended the text, if one did. */
  get stopped(): string | undefined {
    return this.#stopped;
  }

  /** @returns what of the text so far is certain and was not returned yet */
  push(piece: string): string {
    if (this.#stopped !== undefined) return "";
    this.#held += piece;
    const found = this.#stops.map((stop) => ({ stop, at: this.#held.indexOf(stop) })).filter(({ at }) => at >= 0).sort((a, b) => a.at - b.at)[0];
    if (found) {
      this.#stopped = found.stop;
      return this.#take(found.at);
    }
    return this.#take(this.#held.length - this.#beginning());
  }

  /** What was held back, where no more comes. */
  end(): string {
    return this.#stopped === undefined ? this.#take(this.#held.length) : "";
  }

  #take(length: number): string {
    const text = this.#held.slice(0, length);
    this.#held = this.#held.slice(length);
    return text;
  }

  /** Length of the longest end of the text that is the beginning of a stop string. */
  #beginning(): number {
    const lengths = this.#stops.flatMap((stop) => Array.from({ length: Math.min(stop.length - 1, this.#held.length) }, (_, i) => i + 1).filter((length) => this.#held.endsWith(stop.slice(0, length))));
    return Math.max(0, ...lengths);
  }
}
