import type { JsonObject, Message } from "../../jupyter/index.js";
import { withoutOverwritten } from "../overwritten.js";
import { joined, lines, type CodeCell, type DisplayOutput, type MimeData, type Output, type ResultOutput } from "../types.js";

/**
 * Turns iopub messages into the outputs of a notebook's cells, as Jupyter's own clients store them: consecutive text of
 * a stream is one output, `clear_output` clears, `update_display_data` changes the display wherever it is shown.
 */
export class OutputRecorder {
  /** Outputs that show a display, of all cells. */
  readonly #displays = new Map<string, (DisplayOutput | ResultOutput)[]>();
  #cell: CodeCell | undefined;
  #clearNext = false;

  /** Messages from now on belong to `cell`. */
  begin(cell: CodeCell): void {
    this.#cell = cell;
    this.#clearNext = false;
    cell.outputs = [];
  }

  /** Which of a cell's outputs show a display, by the display's id. */
  displaysOf(cell: CodeCell): Record<string, number[]> {
    const found = [...this.#displays].map(([id, shown]) => [id, shown.map((each) => cell.outputs.indexOf(each)).filter((at) => at >= 0)] as const);
    return Object.fromEntries(found.filter(([, at]) => at.length > 0));
  }

  receive({ header, content }: Message): void {
    const cell = this.#cell;
    if (!cell) return;
    switch (header.msg_type) {
      case "stream":
        return this.#stream(cell, String(content.name) as "stdout" | "stderr", String(content.text ?? ""));
      case "display_data":
        return this.#display({ output_type: "display_data", ...bundle(content) }, content);
      case "execute_result":
        return this.#display({ output_type: "execute_result", execution_count: content.execution_count as number, ...bundle(content) }, content);
      case "update_display_data":
        return this.#update(content);
      case "error":
        return this.#add({ output_type: "error", ename: String(content.ename), evalue: String(content.evalue), traceback: (content.traceback as string[] | undefined) ?? [] });
      case "clear_output":
        if (content.wait === true) this.#clearNext = true;
        else cell.outputs = [];
    }
  }

  #stream(cell: CodeCell, name: "stdout" | "stderr", text: string): void {
    const last = cell.outputs.at(-1);
    if (last?.output_type === "stream" && last.name === name && !this.#clearNext) {
      const before = joined(last.text);
      // Lines that have ended do not change any more.
      const ended = before.lastIndexOf("\n") + 1;
      last.text = before.slice(0, ended) + withoutOverwritten(before.slice(ended) + text);
    } else this.#add({ output_type: "stream", name, text: withoutOverwritten(text) });
  }

  #display(output: DisplayOutput | ResultOutput, content: JsonObject): void {
    const id = displayId(content);
    if (id !== undefined) {
      this.#change(id, output);
      this.#displays.set(id, [...(this.#displays.get(id) ?? []), output]);
    }
    this.#add(output);
  }

  #update(content: JsonObject): void {
    const id = displayId(content);
    if (id !== undefined) this.#change(id, bundle(content));
  }

  #change(id: string, { data, metadata }: { data: MimeData; metadata: JsonObject }): void {
    for (const shown of this.#displays.get(id) ?? []) Object.assign(shown, { data, metadata });
  }

  #add(output: Output): void {
    const cell = this.#cell;
    if (!cell) return;
    if (this.#clearNext) cell.outputs = [];
    this.#clearNext = false;
    cell.outputs.push(output);
  }
}

/** The outputs with texts in lines, as notebooks are stored. */
export function inLines(outputs: Output[]): Output[] {
  return outputs.map((output) => {
    if (output.output_type === "stream") return { ...output, text: lines(joined(output.text)) };
    if (output.output_type === "error") return output;
    const data = Object.entries(output.data).map(([type, value]) => [type, typeof value === "string" && isText(type) ? lines(value) : value]);
    return { ...output, data: Object.fromEntries(data) as MimeData };
  });
}

/** Base64 stays whole; JSON is no text. */
function isText(type: string): boolean {
  return type.startsWith("text/") || type === "image/svg+xml" || type === "application/javascript";
}

function bundle(content: JsonObject): { data: MimeData; metadata: JsonObject } {
  return { data: (content.data ?? {}) as MimeData, metadata: (content.metadata ?? {}) as JsonObject };
}

function displayId(content: JsonObject): string | undefined {
  return (content.transient as { display_id?: string } | undefined)?.display_id;
}
