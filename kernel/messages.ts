/** What the kernel's parent process and its execution process say to each other. */
import type { ErrorContent, JsonObject, MimeBundle } from "../lib/jupyter/messages.js";
import type { CompiledCell } from "./compile/cells.js";

/** A cell to run. `run` numbers runs; outputs carry it, so that they find the request that caused them. */
export interface RunCell {
  type: "run";
  run: number;
  cell: CompiledCell;
  /** Shown in stack traces: `Cell [3]`. */
  name: string;
  /** `publish` shows the last value, `return` sends it back only (user expressions). */
  result: "publish" | "return";
  /** Cells that are stale as it begins. */
  stale?: { cell?: string; count: number; because: string }[];
  /** Before its first statement the cell waits for `go`: breakpoints can be set in code that was compiled, not before. */
  hold?: boolean;
}

/** A request to V8's inspector of the execution process: https://chromedevtools.github.io/devtools-protocol/v8/ */
export interface InspectorCall {
  id: number;
  method: string;
  params: object;
  /** JavaScript that stands still is to end when it goes on: how many interrupts are known to be seen (see the watchdog). */
  ends?: number;
}

export type CommMessageType = "comm_open" | "comm_msg" | "comm_close";

export interface CommMessage {
  type: "comm";
  run: number;
  kind: CommMessageType;
  content: JsonObject;
  metadata: JsonObject;
  buffers: Uint8Array[];
}

export type ToChild =
  | RunCell
  | CommMessage
  /** An interrupt of runs. It comes with a signal, unless it is meant for one shell alone (`quiet`), whatever the others compute. */
  | { type: "interrupt"; runs: number[]; quiet?: boolean }
  /** A cell that was held may run. */
  | { type: "go"; run: number }
  | { type: "input"; id: number; value?: string; error?: string };

export type FromChild =
  | { type: "ready" }
  /** The event loop has seen the interrupt: nothing blocks it. */
  | { type: "interrupted" }
  | { type: "stream"; run: number; name: "stdout" | "stderr"; text: string }
  | { type: "display"; run: number; bundle: MimeBundle; displayId?: string; update: boolean }
  | { type: "clear"; run: number; wait: boolean }
  | { type: "result"; run: number; bundle: MimeBundle }
  | { type: "input"; run: number; id: number; prompt: string; password: boolean }
  | CommMessage
  /** A cell was compiled and waits. */
  | { type: "held"; run: number }
  | { type: "inspector"; id: number; result?: object; error?: string }
  | { type: "inspector-event"; method: string; params: Record<string, unknown> }
  | { type: "done"; run: number; error?: ErrorContent; bundle?: MimeBundle; reached: string[] };

/** File descriptors of the execution process besides stdin, stdout and stderr. */
export const OUTPUT_FD = 3;
export const WATCHDOG_FD = 4;

/** What a frame on OUTPUT_FD begins with, to tell it from what a cell may write there: this, then a length. */
export const FRAME_MARK = 0xd70d5d7b;
export const FRAME_HEAD = 8;
