import type { JsonObject, Message } from "../../jupyter/messages.js";
import { inLines, OutputRecorder } from "../../notebook/run/outputs.js";
import type { CodeCell, Output } from "../../notebook/types.js";

/** Characters of streams that are kept of one cell. */
const LONGEST = 4 * 2 ** 20;

/** A cell that was sent to a kernel, and its outputs so far. */
export interface Execution {
  readonly msgId: string;
  readonly cellId: string;
  /** The tab that shows it: the client's session. */
  session: string;
  done: boolean;
  readonly cell: CodeCell;
  /** Which of its outputs are changed by `update_display_data`, by the displays' ids. */
  displays(): Record<string, number[]>;
}

/** Text of a stream that is not among the outputs yet: a cell that prints much is joined once, not for each line. */
interface Recorded extends Execution {
  readonly recorder: OutputRecorder;
  characters: number;
  name: string;
  waiting: string[];
}

/** What the cells of one kernel print, whoever looks: the latest execution of each cell. */
export class Executions {
  readonly #byRequest = new Map<string, Recorded>();
  readonly #byCell = new Map<string, Execution>();

  /** A tab sent something on shell. Only cells of notebooks are of interest. */
  sent(header: JsonObject, metadata: JsonObject, content: () => JsonObject): void {
    if (header.msg_type !== "execute_request" || typeof metadata.cellId !== "string" || content().silent === true) return;
    const { cellId } = metadata;
    const msgId = String(header.msg_id);
    const cell: CodeCell = { cell_type: "code", metadata: {}, source: String(content().code ?? ""), execution_count: null, outputs: [] };
    const recorder = new OutputRecorder();
    const execution: Recorded = { msgId, cellId, session: String(header.session), done: false, cell, displays: () => recorder.displaysOf(cell), recorder, characters: 0, name: "", waiting: [] };
    recorder.begin(cell);
    const before = this.#byCell.get(cellId);
    if (before) this.forget(before);
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
    if (header.msg_type === "execute_input") execution.cell.execution_count = Number(content.execution_count);
    else if (header.msg_type === "status") execution.done ||= content.execution_state === "idle";
    else if (header.msg_type === "stream") this.#stream(execution, message);
    else if (header.msg_type !== "update_display_data") {
      join(execution);
      execution.recorder.receive(message);
    }
    return execution;
  }

  #stream(execution: Recorded, { content }: Message): void {
    const [name, text] = [String(content.name), String(content.text ?? "")];
    const before = execution.characters;
    execution.characters += text.length;
    if (name !== execution.name) join(execution);
    execution.name = name;
    if (execution.characters <= LONGEST) execution.waiting.push(text);
    else if (before <= LONGEST) execution.waiting.push(`\n(more than ${LONGEST / 2 ** 20} MiB of output: the rest is not kept)\n`);
  }

  /** The kernel is gone: cells that ran end with that, cells that waited do not run. */
  died(reason: string): void {
    for (const execution of this.#byRequest.values()) {
      if (execution.done) continue;
      execution.done = true;
      join(execution);
      if (execution.cell.execution_count !== null) execution.cell.outputs.push({ output_type: "error", ename: "KernelDied", evalue: reason, traceback: [`KernelDied: ${reason}`] });
      else this.forget(execution);
    }
  }

  all(): Execution[] {
    for (const execution of this.#byRequest.values()) join(execution);
    return [...this.#byCell.values()];
  }

  /** It is the latest of its cell, and not forgotten. */
  has(execution: Execution): boolean {
    return this.#byCell.get(execution.cellId) === execution;
  }

  forget(execution: Execution): void {
    if (this.has(execution)) this.#byCell.delete(execution.cellId);
    this.#byRequest.delete(execution.msgId);
  }
}

function join(execution: Recorded): void {
  if (execution.waiting.length === 0) return;
  execution.recorder.receive({ header: { msg_type: "stream" }, content: { name: execution.name, text: execution.waiting.join("") } } as unknown as Message);
  execution.waiting = [];
}

/** An execution's outputs as notebooks store them; {@link Executions.all} has brought them up to date. */
export function storedOutputs({ cell }: Execution): Output[] {
  return inLines(cell.outputs);
}
