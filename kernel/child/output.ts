import { Console } from "node:console";
import { StringDecoder } from "node:string_decoder";
import { sendText } from "./channel.js";
import { currentCell } from "./cell.js";

let lastRun = 0;

/** Output outside of any cell's context belongs to the cell that ran last. */
export function setLastRun(run: number): void {
  lastRun = run;
}

export function currentRun(): number {
  return currentCell.getStore()?.run ?? lastRun;
}

/** Characters of a line that a question may repeat. */
const LONGEST_PROMPT = 1000;
let lastText = "";

/** What was printed behind the last line break: the text of a question that is about to be asked. */
export function unfinishedLine(): string {
  const line = lastText.slice(lastText.lastIndexOf("\n") + 1);
  lastText = "";
  return line.slice(-LONGEST_PROMPT);
}

/** From now on what is written to stdout and stderr goes to the cell that wrote it. */
export function captureStreams(): void {
  capture(process.stdout, "stdout");
  capture(process.stderr, "stderr");
  detachConsole();
}

/**
 * Node's console tells the inspector of each call, with its stack, as soon as somebody holds a session, as the watchdog
 * does: that takes three times as long as the printing. So its methods become those of a console that does not.
 */
function detachConsole(): void {
  const own = new Console({ stdout: process.stdout, stderr: process.stderr }) as unknown as Record<string, unknown>;
  const target = console as unknown as Record<string, unknown>;
  for (const name of Object.keys(own)) if (typeof own[name] === "function" && typeof target[name] === "function") target[name] = own[name];
}

type Written = (error?: Error | null) => void;

function capture(stream: NodeJS.WriteStream, name: "stdout" | "stderr"): void {
  const decoder = new StringDecoder("utf8");
  stream.write = (chunk: Uint8Array | string, encoding?: BufferEncoding | Written, written?: Written) => {
    const text = typeof chunk === "string" ? chunk : decoder.write(Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength));
    if (text !== "") {
      const shown = currentCell.getStore()?.shown;
      if (shown) shown({ type: "stream", name, text });
      else sendText(currentRun(), name, text);
      if (name === "stdout") lastText = text.includes("\n") || lastText.length > LONGEST_PROMPT ? text : lastText + text;
    }
    const callback = typeof encoding === "function" ? encoding : written;
    if (callback) whenWritten(callback);
    return true;
  };
}

let written: Written[] = [];

/** Tells that something was written, once the running code is through: all that waits at once, because each tick of its own costs more than the writing. */
function whenWritten(callback: Written): void {
  if (written.push(callback) > 1) return;
  process.nextTick(() => {
    const callbacks = written;
    written = [];
    for (const each of callbacks) each();
  });
}
