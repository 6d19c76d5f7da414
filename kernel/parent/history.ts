import type { HistoryReply, JsonObject } from "../../lib/jupyter/messages.js";
import type { Entry, Sessions } from "./sessions.js";

/** The cells that were run, in this session and earlier ones, for history_request. */
export class History {
  readonly #sessions: Sessions;
  readonly #own: Omit<Entry, "session">[] = [];

  constructor(sessions: Sessions) {
    this.#sessions = sessions;
  }

  add(line: number, input: string): void {
    this.#own.push({ line, input, output: null });
    this.#sessions.append(line, input);
  }

  setOutput(line: number, output: string): void {
    const entry = this.#own.findLast((each) => each.line === line);
    if (entry) entry.output = output;
  }

  /**
   * The entries that a history_request asks for: `hist_access_type` tail (the last `n`), range (lines
   * `start` to before `stop` of a session: its number, 0 for this one, -1 for the one before it) or search
   * (`pattern` with `*` and `?`, the last `n`; `unique`: of equal inputs the last). Tail and search go through all sessions.
   */
  query(request: JsonObject): HistoryReply["history"] {
    const withOutput = request.output === true;
    return this.#select(request).map(({ session, line, input, output }) => [session, line, withOutput ? [input, output] : input]);
  }

  #select(request: JsonObject): Entry[] {
    const last = (entries: Entry[]) => (typeof request.n === "number" ? entries.slice(Math.max(0, entries.length - request.n)) : entries);
    switch (request.hist_access_type) {
      case "tail":
        return last(this.#all());
      case "range":
        return this.#range(Number(request.session ?? 0), Number(request.start ?? 1), typeof request.stop === "number" ? request.stop : Infinity);
      case "search": {
        const pattern = glob(String(request.pattern ?? "*"));
        const found = this.#all().filter(({ input }) => pattern.test(input));
        const latest = new Map(found.map((entry) => [entry.input, entry]));
        return last(request.unique === true ? found.filter((entry) => latest.get(entry.input) === entry) : found);
      }
      default:
        throw new Error(`hist_access_type: ${JSON.stringify(request.hist_access_type)} (must be tail, range or search)`);
    }
  }

  #range(session: number, start: number, stop: number): Entry[] {
    const { current } = this.#sessions;
    const others = this.#sessions.others();
    let wanted = session;
    if (session <= 0) {
      // Counted in sessions that are kept.
      const numbers = [...new Set(others.map((entry) => entry.session).filter((number) => number < current)), current];
      wanted = numbers.at(session - 1) ?? NaN;
    }
    const entries = wanted === current ? this.#this() : others.filter((entry) => entry.session === wanted);
    return entries.filter(({ line }) => line >= start && line < stop);
  }

  #this(): Entry[] {
    const session = this.#sessions.current;
    return this.#own.map((entry) => ({ session, ...entry }));
  }

  /** In order of time: a session that runs beside this one counts as earlier. */
  #all(): Entry[] {
    return [...this.#sessions.others(), ...this.#this()];
  }
}

function glob(pattern: string): RegExp {
  const source = pattern.replace(/[.+^${}()|[\]\\]/g, "\\$&").replaceAll("*", ".*").replaceAll("?", ".");
  return new RegExp(`^${source}$`, "s");
}
