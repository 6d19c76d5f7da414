import type { JsonObject, Message } from "../../jupyter/messages.js";
import { inLines, OutputRecorder } from "../../notebook/run/outputs.js";
import type { CodeCell, Output } from "../../notebook/types.js";

/** Characters of streams that are kept of one cell. */
const LONGEST = 16 * 2 ** 20;

/** A cell that was sent to a kernel, and its outputs so far. */
export interface Execution {
  readonly msgId: string;
  readonly cellId: string;
  /** The tab that shows it: the client's session. */
  session: string;
  done: boolean;
  /** Its id on iopub: what comes later is not in the outputs yet. */
  last: string;
  readonly cell: CodeCell;
}

/** What the cells of one kernel print, whoever looks: the latest execution of each cell. */
export class Executions {
  readonly #byRequest = new Map<string, Execution & { recorder: OutputRecorder; characters: number }>();
  readonly #byCell = new Map<string, Execution>();

  /** A tab sent something on shell. Only cells of notebooks are of interest. */
  sent(header: JsonObject, metadata: JsonObject, content: () => JsonObject): void {
    if (header.msg_type !== "execute_request" || typeof metadata.cellId !== "string" || content().silent === true) return;
    const { cellId } = metadata;
    const msgId = String(header.msg_id);
    const cell: CodeCell = { cell_type: "code", metadata: {}, source: String(content().code ?? ""), execution_count: null, outputs: [] };
    const execution = { msgId, cellId, session: String(header.session), done: false, last: "", cell, recorder: new OutputRecorder(), characters: 0 };
    execution.recorder.begin(cell);
    this.forget(cellId);
    this.#byRequest.set(msgId, execution);
    this.#byCell.set(cellId, execution);
  }

  /** The kernel sent something on iopub. @returns the execution that it changes */
  received(message: Message): Execution | undefined {
    const { header, content } = message;
    // A display is updated wherever it is shown.
    if (header.msg_type === "update_display_data") for (const { recorder } of this.#byRequest.values()) recorder.receive(message);
    const execution = this.#byRequest.get(String(message.parent_header.msg_id ?? ""));
    if (!execution) return undefined;
    execution.last = header.msg_id;
    if (header.msg_type === "execute_input") execution.cell.execution_count = Number(content.execution_count);
    else if (header.msg_type === "status") execution.done ||= content.execution_state === "idle";
    else if (header.msg_type === "stream") this.#stream(execution, message);
    else if (header.msg_type !== "update_display_data") execution.recorder.receive(message);
    return execution;
  }

  #stream(execution: { recorder: OutputRecorder; characters: number }, message: Message): void {
    const length = String(message.content.text ?? "").length;
    const before = execution.characters;
    execution.characters += length;
    if (execution.characters <= LONGEST) execution.recorder.receive(message);
    else if (before <= LONGEST) execution.recorder.receive({ ...message, content: { name: "stderr", text: `\n(more than ${LONGEST / 2 ** 20} MiB of output: the rest is not kept)\n` } });
  }

  /** The kernel is gone: cells that ran end with that, cells that waited do not run. */
  died(reason: string): void {
    for (const execution of this.#byRequest.values()) {
      if (execution.done) continue;
      execution.done = true;
      if (execution.cell.execution_count !== null) execution.cell.outputs.push({ output_type: "error", ename: "KernelDied", evalue: reason, traceback: [`KernelDied: ${reason}`] });
      else this.forget(execution.cellId);
    }
  }

  all(): Execution[] {
    return [...this.#byCell.values()];
  }

  forget(cellId: string): void {
    const execution = this.#byCell.get(cellId);
    if (!execution) return;
    this.#byCell.delete(cellId);
    this.#byRequest.delete(execution.msgId);
  }
}

/** An execution's outputs as notebooks store them. */
export function storedOutputs({ cell }: Execution): Output[] {
  return inLines(cell.outputs);
}
