import { send } from "./channel.js";
import { currentRun } from "./output.js";

interface Waiting {
  resolve: (value: string) => void;
  reject: (error: Error) => void;
}

/** Questions to the person at the client. */
export class Inputs {
  readonly #waiting = new Map<number, Waiting>();
  #count = 0;

  ask(prompt: string, password: boolean): Promise<string> {
    const id = ++this.#count;
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject });
      send({ type: "input", run: currentRun(), id, prompt, password });
    });
  }

  /** The answer, or why there is none. */
  receive(id: number, value: string | undefined, error: string | undefined): void {
    const waiting = this.#waiting.get(id);
    this.#waiting.delete(id);
    if (value !== undefined) waiting?.resolve(value);
    else waiting?.reject(new Error(error ?? "input: no answer"));
  }
}
