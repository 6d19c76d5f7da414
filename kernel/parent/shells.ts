import { randomUUID } from "node:crypto";
import type { Message } from "../../lib/jupyter/messages.js";
import { History } from "./history.js";
import { Sessions } from "./sessions.js";

/** What runs requests one after the other: the notebook's own shell, or a subshell beside it. */
export class Shell {
  readonly queue: Message[] = [];
  working = false;
  /** Its execution count: each shell counts for itself. */
  count = 0;
  /** The request that is being executed. */
  current: Message | undefined;
  /** The run of its cell while that runs. */
  run: number | undefined;
  /** Grows with each interrupt: a cell that was still being compiled is stopped as well. */
  interrupts = 0;

  constructor(
    readonly id: string | undefined,
    readonly history: History,
  ) {}

  /** Tells its cells from those of the same number in stack traces. */
  get label(): string {
    return this.id === undefined ? "" : ` of subshell ${this.id.slice(0, 8)}`;
  }
}

/**
 * The shells of the kernel. Source: JEP 91, https://github.com/jupyter/enhancement-proposals/tree/master/91-kernel-subshells
 */
export class Shells {
  readonly #subshells = new Map<string, Shell>();
  /** Deleted ones whose last cell may still run. */
  #leaving: Shell[] = [];

  /** @param main the notebook's own shell */
  constructor(readonly main: Shell) {}

  /** A new subshell. Its history is its own, and lost with it. */
  create(): Shell {
    const shell = new Shell(randomUUID(), new History(new Sessions(undefined)));
    this.#subshells.set(shell.id as string, shell);
    return shell;
  }

  ids(): string[] {
    return [...this.#subshells.keys()];
  }

  /** The shell that a message on shell is for; undefined where there is none of that id. */
  find({ header: { subshell_id: id } }: Message): Shell | undefined {
    if (id === undefined || id === null) return this.main;
    return this.#subshells.get(id);
  }

  /** Takes a subshell out. @throws where there is none of that id */
  delete(id: unknown): Shell {
    const shell = typeof id === "string" ? this.#subshells.get(id) : undefined;
    if (!shell) throw unknownSubshell(id);
    this.#subshells.delete(shell.id as string);
    this.#leaving.push(shell);
    return shell;
  }

  /** Every shell that may run something. */
  all(): Shell[] {
    this.#leaving = this.#leaving.filter(({ working }) => working);
    return [this.main, ...this.#subshells.values(), ...this.#leaving];
  }

  /** Whether others than this one are at work. */
  workBeside(shell: Shell): boolean {
    return this.all().some((each) => each !== shell && each.working);
  }
}

export function unknownSubshell(id: unknown): Error {
  return new Error(`subshell_id: ${JSON.stringify(id)} (must be one that create_subshell_request gave and that was not deleted)`);
}
