import type { Model } from "../runtime/model.js";
import type { Run } from "../runtime/run.js";

export interface StepSettings {
  /** Sequences that one run of the model takes at most. */
  readonly slots: number;
  /** Tokens of a prompt that one run takes at most, beside one token of each of the others. */
  readonly pieceTokens: number;
  /** Told of every run that extends sequences. */
  readonly onStep?: (step: { readonly sequences: number; readonly tokens: number }) => void;
}

/** Further tokens that a request waits for. */
interface Waiting {
  readonly run: Run;
  readonly tokens: readonly number[];
  readonly each: boolean;
  readonly signal: AbortSignal;
  resolve(logits: Float32Array): void;
  reject(error: Error): void;
}

/**
 * What the model computes next. One run takes a token of each request that waits for one, and beside them a piece of one prompt; a prompt that cannot be
 * computed in pieces has a run of its own, and after each such run those that wait for a token have theirs. All in the order in which they asked.
 */
export class Steps {
  readonly #tokens: Waiting[] = [];
  readonly #whole: (() => Promise<void>)[] = [];
  #working = false;

  constructor(private readonly model: Model, private readonly settings: StepSettings) {}

  /**
   * Appends tokens to a run, in pieces where they are many.
   * @param each told of the logits after every token of a piece, `[tokens, vocabulary]`; else only those after the last are computed
   * @throws the signal's reason where it is aborted before the last piece
   */
  async extend(run: Run, tokens: readonly number[], signal: AbortSignal, each?: (logits: Float32Array, from: number, to: number) => void, pieceTokens = this.settings.pieceTokens): Promise<void> {
    for (let at = 0; at < tokens.length; at += pieceTokens) {
      signal.throwIfAborted();
      const piece = tokens.slice(at, at + pieceTokens);
      const logits = await new Promise<Float32Array>((resolve, reject) => {
        const waiting = { run, tokens: piece, each: each !== undefined, signal, resolve, reject };
        // A prompt that has begun ends before another one begins: in turn, all of them would end with the last.
        if (at > 0) this.#tokens.unshift(waiting);
        else this.#tokens.push(waiting);
        void this.#work();
      });
      each?.(logits, at, at + piece.length);
    }
  }

  /** Work on the model that is done while nothing else is. */
  whole<T>(work: () => Promise<T>): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      this.#whole.push(async () => {
        try {
          resolve(await work());
        } catch (error) {
          reject(error as Error);
        }
      });
      void this.#work();
    });
  }

  async #work(): Promise<void> {
    if (this.#working) return;
    this.#working = true;
    let wasWhole = false;
    while (this.#tokens.length + this.#whole.length > 0) {
      // Those whose token has just come ask for their next one first: they go together.
      await new Promise((resolve) => setImmediate(resolve));
      this.#leave();
      if (this.#whole.length > 0 && !(wasWhole && this.#tokens.length > 0)) {
        wasWhole = true;
        await this.#whole.shift()!();
      } else if (this.#tokens.length > 0) {
        wasWhole = false;
        await this.#step();
      }
    }
    this.#working = false;
  }

  /** Requests that ended while they waited. */
  #leave(): void {
    for (let i = this.#tokens.length - 1; i >= 0; i--) {
      const { signal, reject } = this.#tokens[i]!;
      if (signal.aborted) {
        this.#tokens.splice(i, 1);
        reject(signal.reason as Error);
      }
    }
  }

  async #step(): Promise<void> {
    const taken = this.#take();
    this.settings.onStep?.({ sequences: taken.length, tokens: taken.reduce((sum, { tokens }) => sum + tokens.length, 0) });
    await this.#compute(taken);
  }

  async #compute(taken: readonly Waiting[]): Promise<void> {
    try {
      if (taken.length === 1 && !taken[0]!.run.joint) {
        const { run, tokens, each, resolve } = taken[0]!;
        const logits = await run.extend(tokens);
        resolve(each ? logits : run.logits);
        return;
      }
      const given = await this.model.extendTogether(taken, this.settings.slots);
      taken.forEach(({ resolve, reject }, i) => (given[i] instanceof Error ? reject(given[i]) : resolve(given[i]!)));
    } catch (error) {
      if (taken.length === 1) return taken[0]!.reject(error as Error);
      // Before anything is computed it is said what is wrong with one of them: the others go without it.
      for (const each of taken) await this.#compute([each]);
    }
  }

  /** The first that waits and all that go with it in one run: only one of them brings several tokens. */
  #take(): Waiting[] {
    const first = this.#tokens.shift()!;
    if (!first.run.joint) return [first];
    const taken = [first];
    for (let i = 0; i < this.#tokens.length && taken.length < this.settings.slots; ) {
      const { run, tokens } = this.#tokens[i]!;
      if (run.joint && (tokens.length === 1 || taken.every((each) => each.tokens.length === 1))) taken.push(...this.#tokens.splice(i, 1));
      else i++;
    }
    return taken;
  }
}
