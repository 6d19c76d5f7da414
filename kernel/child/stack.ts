import type { SourceMap } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { originalPosition, readMaps } from "../source-maps.js";

/** This package's kernel, whose frames say nothing to the author of a cell. */
const KERNEL = join(dirname(fileURLToPath(import.meta.url)), "..");

interface Source {
  payloads: string[];
  /** Lines of code; what comes behind them calls the cell. */
  lines: number;
  maps?: SourceMap[];
  /** A module of the notebook's: the file that it was translated from. */
  file?: string;
}

/**
 * Stack traces of cells: positions are those of the cell as it was written (`Cell [3]:7:5`), and end
 * where the kernel begins.
 */
export class Stacks {
  readonly #sources = new Map<string, Source>();

  /** Installs itself as V8's formatter of stack traces. */
  install(): void {
    Error.stackTraceLimit = 25;
    Error.prepareStackTrace = (error, frames) => this.format(error, frames);
  }

  /**
   * @param maps source maps (JSON), applied in this order
   * @param lines lines of the code that runs as `name`
   */
  add(name: string, maps: string[], lines: number): void {
    this.#sources.set(name, { payloads: maps, lines });
  }

  addModule(path: string, maps: string[], lines: number): void {
    this.#sources.set(path, { payloads: maps, lines, file: path });
  }

  format(error: Error, frames: NodeJS.CallSite[]): string {
    const isCall = (frame: NodeJS.CallSite) => (frame.getLineNumber() ?? 0) > (this.#sources.get(fileOf(frame))?.lines ?? Infinity);
    const lines = frames.filter((frame) => !isCall(frame)).map((frame) => ({ text: this.#frame(frame), file: fileOf(frame) }));
    const last = lines.findLastIndex(({ file }) => this.#sources.has(file));
    // Without a frame of a cell, the kernel called: what called the kernel says nothing.
    const kernel = lines.findIndex(({ file }) => file.startsWith(KERNEL));
    const end = last >= 0 ? last + 1 : kernel >= 0 ? kernel : lines.length;
    const shown = lines
      .slice(0, end)
      .filter(({ file }) => !file.startsWith(KERNEL) && file !== "node:vm");
    return [headline(error), ...shown.map(({ text }) => `    at ${text}`)].join("\n");
  }

  #frame(frame: NodeJS.CallSite): string {
    const file = fileOf(frame);
    const source = this.#sources.get(file);
    const line = frame.getLineNumber();
    const column = frame.getColumnNumber();
    if (!source || line === null || column === null) return String(frame);
    const position = original(source, line, column);
    return String(frame).replace(`${file}:${line}:${column}`, `${source.file ?? file}:${position.line}:${position.column}`);
  }
}

function original(source: Source, line: number, column: number): { line: number; column: number } {
  source.maps ??= readMaps(source.payloads);
  const position = originalPosition(source.maps, line - 1, column - 1);
  // The compiler puts one line in front of a cell.
  return { line: source.maps.length > 0 && source.file === undefined ? Math.max(1, position.line) : position.line + 1, column: position.column + 1 };
}

function fileOf(frame: NodeJS.CallSite): string {
  const file = frame.getFileName() ?? "";
  return file.startsWith("file:") ? fileURLToPath(file) : file;
}

/** V8 tells what was called by the text of the cell as it runs: `__cell3__.ob.foo is not a function`. */
export function asWritten(message: string): string {
  return message.includes("__cell") ? message.replace(/\(0 ?, __cell\d+__\.([^()\s]+)\)/g, "$1").replace(/\b__cell\d+__\./g, "") : message;
}

function headline(error: Error): string {
  try {
    return asWritten(Error.prototype.toString.call(error));
  } catch {
    return "Error";
  }
}
