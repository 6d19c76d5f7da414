import type { Bundle, Shown } from "./host.js";

/** What a view showed, as a notebook keeps it. */
export type Output =
  | { readonly output_type: "stream"; readonly name: "stdout" | "stderr"; readonly text: string }
  | { readonly output_type: "display_data"; readonly data: Bundle["data"]; readonly metadata: Bundle["metadata"] };

/** Characters of one stream that are kept: of a view that prints without end, its last. */
const LONGEST_TEXT = 100_000;

/** What one drawing of a view shows, in order. */
export class Outputs {
  #all: { output: Output; displayId?: string | undefined }[] = [];
  #clearNext = false;

  get list(): Output[] {
    return this.#all.map(({ output }) => output).filter((output) => output.output_type === "stream" || Object.values(output.data).some((content) => content !== ""));
  }

  add(shown: Shown): void {
    if (shown.type === "clear") {
      if (shown.wait) this.#clearNext = true;
      else this.#all = [];
      return;
    }
    if (shown.type === "display" && shown.update) {
      this.#all = this.#all.map((each) => (each.displayId === shown.displayId ? { ...each, output: display(shown.bundle) } : each));
      return;
    }
    if (this.#clearNext) this.#all = [];
    this.#clearNext = false;
    const last = this.#all.at(-1)?.output;
    if (shown.type === "display") this.#all.push({ output: display(shown.bundle), displayId: shown.displayId });
    else if (last?.output_type === "stream" && last.name === shown.name) this.#all[this.#all.length - 1] = { output: { ...last, text: (last.text + shown.text).slice(-LONGEST_TEXT) } };
    else this.#all.push({ output: { output_type: "stream", name: shown.name, text: shown.text.slice(-LONGEST_TEXT) } });
  }
}

const display = ({ data, metadata }: Bundle): Output => ({ output_type: "display_data", data, metadata });

/** The same for a terminal. */
export function outputsText(outputs: readonly Output[]): string {
  return outputs.map((output) => (output.output_type === "stream" ? output.text.trimEnd() : String(output.data["text/plain"] ?? ""))).filter((text) => text !== "").join("\n");
}
