/**
 * How much of streams a tab is sent: a browser takes in more than it can show, and would not come to the end of a cell that floods,
 * nor to its interrupt. Jupyter's own server has a limit as well.
 */
export class Allowance {
  #left: number;
  #since: number;
  #out = false;

  /**
   * @param burst bytes that may be sent at once
   * @param rate bytes a second from then on
   */
  constructor(readonly burst: number, readonly rate: number, readonly now: () => number = () => performance.now()) {
    this.#left = burst;
    this.#since = now();
  }

  /** @returns whether so many bytes may be sent */
  take(bytes: number): boolean {
    const now = this.now();
    this.#left = Math.min(this.burst, this.#left + ((now - this.#since) / 1000) * this.rate);
    this.#since = now;
    // Some at a time, not a line here and a line there.
    this.#out = this.#left < (this.#out ? this.rate : 0);
    if (!this.#out) this.#left -= bytes;
    return !this.#out;
  }
}
