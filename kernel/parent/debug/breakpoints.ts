import type { JsonObject } from "../../../lib/jupyter/messages.js";
import type { Inspector } from "./inspector.js";
import { PREFIX, type Scripts } from "./scripts.js";

interface Location {
  scriptId: string;
  lineNumber: number;
  columnNumber?: number;
}

/** The breakpoints of a session, by the paths of sources, and where V8 has them. */
export class Breakpoints {
  readonly #lines = new Map<string, number[]>();
  readonly #set = new Map<string, string[]>();
  /** One change at a time: requests come without waiting for the answer to those before them, and the last is what counts. */
  #last: Promise<unknown> = Promise.resolve();

  constructor(
    readonly inspector: Inspector,
    readonly scripts: Scripts,
  ) {}

  /** As debugInfo tells them. */
  list(): JsonObject[] {
    return [...this.#lines].filter(([, lines]) => lines.length > 0).map(([source, lines]) => ({ source, breakpoints: lines.map((line) => ({ line })) }));
  }

  /** Replaces the breakpoints of a source. @returns one for each line: where it is, which may be further down */
  replace(path: string, lines: number[]): Promise<JsonObject[]> {
    return this.#inTurn(() => this.#replace(path, lines));
  }

  /** Sets in a script what is wanted in its source. */
  place(scriptId: string): Promise<unknown> {
    return this.#inTurn(() => this.#place(scriptId));
  }

  #inTurn<T>(change: () => Promise<T>): Promise<T> {
    const changing = this.#last.then(change);
    this.#last = changing.catch(() => undefined);
    return changing;
  }

  async #replace(path: string, lines: number[]): Promise<JsonObject[]> {
    for (const breakpointId of this.#set.get(path) ?? []) await this.inspector.post("Debugger.removeBreakpoint", { breakpointId }).catch(() => undefined);
    this.#set.delete(path);
    const ids = this.scripts.at(path);
    let placed = new Map<number, number>();
    this.#lines.set(path, lines);
    for (const id of ids) placed = await this.#place(id);
    if (ids.length > 0) this.#lines.set(path, [...new Set(lines.map((line) => placed.get(line) ?? line))]);
    return lines.map((line) => {
      const source = { path };
      if (ids.length > 0 && !placed.has(line)) return { verified: false, line, source, message: `line ${line}: no statement there or below` };
      // A cell that did not run yet: it is placed when the cell is about to.
      if (ids.length === 0 && !path.startsWith(PREFIX)) return { verified: false, line, source, message: "no cell has imported this file" };
      return { verified: true, line: placed.get(line) ?? line, source };
    });
  }

  /** @returns lines by the lines that were asked for */
  async #place(scriptId: string): Promise<Map<number, number>> {
    const placed = new Map<number, number>();
    const path = this.scripts.script(scriptId)?.path;
    const lines = path === undefined ? [] : (this.#lines.get(path) ?? []);
    if (path === undefined || lines.length === 0) return placed;
    const { locations } = await this.inspector.post<{ locations: Location[] }>("Debugger.getPossibleBreakpoints", { start: { scriptId, lineNumber: 0, columnNumber: 0 } });
    const possible = locations.flatMap((location) => {
      const position = this.scripts.original(scriptId, location.lineNumber, location.columnNumber ?? 0);
      return position ? [{ location, ...position }] : [];
    });
    for (const line of lines) {
      const below = possible.filter((each) => each.line >= line);
      const nearest = Math.min(...below.map((each) => each.line));
      const first = below.find((each) => each.line === nearest);
      if (!first) continue;
      placed.set(line, nearest);
      const { scriptId: id, lineNumber, columnNumber = 0 } = first.location;
      // Two lines may come to one place, which V8 refuses the second time.
      const set = await this.inspector.post<{ breakpointId: string }>("Debugger.setBreakpoint", { location: { scriptId: id, lineNumber, columnNumber } }).catch(() => undefined);
      if (set) this.#set.set(path, [...(this.#set.get(path) ?? []), set.breakpointId]);
    }
    return placed;
  }

  /** V8 has none of them any more; those that are wanted are placed again as cells run. */
  forgetPlaces(): void {
    this.#set.clear();
  }

  clear(): void {
    this.#lines.clear();
    this.#set.clear();
  }
}
