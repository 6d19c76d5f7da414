import { ApiError } from "./api-error.js";

export interface Limits {
  /** Requests whose caches are held at once. */
  readonly running: number;
  /** Requests that wait for one of those to end; more are refused. */
  readonly waiting: number;
}

/** Seconds after which a client that was refused may try again. */
const RETRY_AFTER = 1;

/** Who may use the model: so many requests run at once (see `Steps` for what each of them gets); the others wait in the order in which they came. */
export class Turns {
  #running = 0;
  readonly #waiting: { start: () => void }[] = [];

  constructor(readonly limits: Limits) {}

  get running(): number {
    return this.#running;
  }

  get waiting(): number {
    return this.#waiting.length;
  }

  /**
   * Runs a request once there is room for it.
   * @throws {@link ApiError} 429 where too many wait already; the signal's reason where it is aborted before
   */
  async admit<T>(signal: AbortSignal, work: () => Promise<T>): Promise<T> {
    if (this.#running >= this.limits.running) await this.#wait(signal);
    else this.#running++;
    try {
      return await work();
    } finally {
      const next = this.#waiting.shift();
      // It takes over the place.
      if (next) next.start();
      else this.#running--;
    }
  }

  #wait(signal: AbortSignal): Promise<void> {
    if (this.#waiting.length >= this.limits.waiting) {
      throw new ApiError(429, `${this.#running} requests run and ${this.#waiting.length} wait already; try again in ${RETRY_AFTER} s`, { type: "rate_limit_error", code: "rate_limit_exceeded" });
    }
    return new Promise((resolve, reject) => {
      const waiting = { start: () => (signal.removeEventListener("abort", gone), resolve()) };
      const gone = () => {
        const at = this.#waiting.indexOf(waiting);
        if (at >= 0) this.#waiting.splice(at, 1);
        reject(signal.reason as Error);
      };
      signal.addEventListener("abort", gone);
      this.#waiting.push(waiting);
    });
  }
}

export { RETRY_AFTER };
