import type { Declared } from "../compile/earlier.js";
import type { Outcome } from "../compile/cells.js";
import type { Answer, Call, Methods, ServiceData } from "../compile/service.js";
import { startProcess, startThread, type CompilerHost } from "./compiler-host.js";

interface Waiting {
  call: Call;
  resolve: (value: never) => void;
  reject: (error: Error) => void;
}

/** Milliseconds for a cell, and for it once it was interrupted. */
const LONGEST = 60_000;
const LONGEST_INTERRUPTED = 1000;

/** Exit codes of ../compile/service.ts, which is not loaded here. */
const [TOO_DEEP, FAILED] = [70, 71];
const WHY: Record<number, string> = { [TOO_DEEP]: "the cell is nested too deeply for TypeScript", [FAILED]: "TypeScript failed on the cell" };

/**
 * The compiler, seen from the kernel. It runs from its snapshot where there is one, else as a thread. Calls are answered
 * in order. Where it ends (a cell whose types take all memory), what waits is rejected, and another starts that knows
 * what earlier cells declared.
 */
export class Compiler {
  readonly #data: ServiceData;
  readonly #waiting = new Map<number, Waiting>();
  readonly #idle: (() => void) | undefined;
  #snapshot: string | undefined;
  #host: CompilerHost | undefined;
  #closed = false;
  #count = 0;
  #declared: Declared[] = [];
  /** Cells that are being compiled, and where. */
  readonly #compiling = new Set<{ host: CompilerHost | undefined }>();
  /** Why one was ended. */
  #why: string | undefined;

  /**
   * @param snapshot file of the compiler's snapshot; it does without where that does not start
   * @param idle called when the compiler, started without a snapshot, has had nothing to do for a while
   */
  constructor(data: Omit<ServiceData, "declared">, snapshot?: string, idle?: () => void) {
    this.#data = { ...data, declared: [] };
    this.#snapshot = snapshot;
    this.#idle = idle;
    this.#host = this.#start();
  }

  call<Name extends keyof Methods>(method: Name, ...args: Parameters<Methods[Name]>): Promise<ReturnType<Methods[Name]>> {
    const call: Call = { id: ++this.#count, method, args };
    // One that cannot even start would end again and again: the next call tries once more.
    const host = (this.#host ??= this.#start());
    return new Promise((resolve, reject) => {
      this.#waiting.set(call.id, { call, resolve, reject });
      host.post(call);
    });
  }

  /**
   * Compiles a cell.
   * @param beside whether other shells run cells meanwhile
   * @throws {@link CompilerEnded} where that takes too long, or fails in TypeScript itself.
   */
  async compile(source: string, beside: boolean): Promise<ReturnType<Methods["compile"]>> {
    const compilation = { host: this.#host };
    this.#compiling.add(compilation);
    const timer = setTimeout(() => this.#end(compilation.host, `it took more than ${LONGEST / 1000} s on the cell; // @ts-nocheck as its first line leaves out the types`), LONGEST);
    try {
      return await this.call("compile", source, beside);
    } finally {
      clearTimeout(timer);
      this.#compiling.delete(compilation);
    }
  }

  /** Ends compilations that go on for long, because their cells were interrupted. */
  interrupt(): void {
    for (const compilation of this.#compiling) {
      setTimeout(() => this.#compiling.has(compilation) && this.#end(compilation.host, "the cell was interrupted"), LONGEST_INTERRUPTED).unref();
    }
  }

  /** Ends it for good. */
  close(): void {
    this.#closed = true;
    this.#host?.end();
  }

  #end(host: CompilerHost | undefined, why: string): void {
    this.#why = why;
    host?.end();
  }

  /** Tells how the cell that was compiled last ended. */
  async commit(id: number, outcome: Outcome): Promise<void> {
    const change = await this.call("commit", id, outcome);
    if (!change) return;
    const gone = new Set(change.gone);
    if (gone.size > 0) this.#declared = this.#declared.filter((each) => !gone.has(each.id));
    this.#declared.push(change.declared);
  }

  /** A compiled cell does not run, or declares nothing that lasts. */
  discard(id: number): void {
    this.call("discard", id).catch(() => undefined);
  }

  /** The process that held the variables is gone. */
  reset(): void {
    this.#declared = [];
    // One that ended knows nothing in any case.
    this.call("reset").catch(() => undefined);
  }

  #start(): CompilerHost {
    const data = { ...this.#data, declared: this.#declared };
    const snapshot = this.#snapshot;
    let answered = false;
    const answer = ({ id, value, error }: Answer) => {
      answered = true;
      const waiting = this.#waiting.get(id);
      this.#waiting.delete(id);
      if (error === undefined) waiting?.resolve(value as never);
      else waiting?.reject(new Error(error));
    };
    const ended = (code: number | undefined, why: string | undefined) => {
      if (this.#closed) return;
      const reason = this.#why ?? why ?? WHY[code ?? NaN] ?? `exit code ${code}`;
      const wanted = this.#why !== undefined;
      this.#why = undefined;
      // A snapshot that does not fit, or a cell for which a thread has the larger stack: once more without one.
      if (snapshot !== undefined && !wanted && (!answered || code === TOO_DEEP)) {
        this.#snapshot = undefined;
        this.#host = this.#start();
        for (const { call } of this.#waiting.values()) this.#host.post(call);
        for (const compilation of this.#compiling) compilation.host = this.#host;
        return;
      }
      const lost = [...this.#waiting.values()];
      this.#waiting.clear();
      this.#host = answered ? this.#start() : undefined;
      for (const { reject } of lost) reject(new CompilerEnded(reason));
    };
    if (snapshot !== undefined) return startProcess(snapshot, data, { answer, ended });
    return startThread(data, { answer, ended, idle: () => this.#idle?.() });
  }
}

/** Rejects the calls that a thread which ended leaves behind. */
export class CompilerEnded extends Error {
  override name = "CompilerEnded";
  constructor(why: string) {
    super(`the compiler ended (${why}); variables are kept, another compiler starts`);
  }
}
