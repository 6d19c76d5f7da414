import type { HistoryReply, JsonObject } from "../../lib/jupyter/messages.js";

interface Entry {
  line: number;
  input: string;
  output: string | null;
}

/** Number of this session in replies; earlier sessions are not kept. */
const SESSION = 1;

/** The cells that were run, for history_request. */
export class History {
  readonly #entries: Entry[] = [];

  add(line: number, input: string): void {
    this.#entries.push({ line, input, output: null });
  }

  setOutput(line: number, output: string): void {
    const entry = this.#entries.findLast((each) => each.line === line);
    if (entry) entry.output = output;
  }

  /**
   * The entries that a history_request asks for: `hist_access_type` tail (the last `n`), range (lines
   * `start` to before `stop`; session 0 is this one, -1 the one before it) or search (`pattern` with `*` and `?`).
   */
  query(request: JsonObject): HistoryReply["history"] {
    const withOutput = request.output === true;
    return this.#select(request).map(({ line, input, output }) => [SESSION, line, withOutput ? [input, output] : input]);
  }

  #select(request: JsonObject): Entry[] {
    const last = (entries: Entry[]) => (typeof request.n === "number" ? entries.slice(-request.n || entries.length) : entries);
    switch (request.hist_access_type) {
      case "tail":
        return last(this.#entries);
      case "range": {
        const session = Number(request.session ?? 0);
        if (session !== 0 && session !== SESSION) return [];
        const start = Number(request.start ?? 1);
        const stop = typeof request.stop === "number" ? request.stop : Infinity;
        return this.#entries.filter(({ line }) => line >= start && line < stop);
      }
      case "search": {
        const pattern = glob(String(request.pattern ?? "*"));
        const found = this.#entries.filter(({ input }) => pattern.test(input));
        const unique = found.filter((entry, i) => found.findLastIndex(({ input }) => input === entry.input) === i);
        return last(request.unique === true ? unique : found);
      }
      default:
        throw new Error(`hist_access_type: ${JSON.stringify(request.hist_access_type)} (must be tail, range or search)`);
    }
  }
}

function glob(pattern: string): RegExp {
  const source = pattern.replace(/[.+^${}()|[\]\\]/g, "\\$&").replaceAll("*", ".*").replaceAll("?", ".");
  return new RegExp(`^${source}$`, "s");
}
