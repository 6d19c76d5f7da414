/** Characters that are kept: more lines than JupyterLab's terminal shows. */
const KEPT = 512 * 1024;

/** To the state of a new terminal, without what was on its screen. */
const RESET = "\x1bc";

/** To the screen of a program that fills it (an editor, a pager), and back to the lines. */
const ALTERNATE = "\x1b[?1049h";
const SWITCHES = /\x1b\[\?(?:1049|1047|47)([hl])/g;

/**
 * Questions of programs to their terminal: what it is, where its cursor stands, which colours it has. One that is shown again
 * would be answered again, and the answer would be typed into whatever runs now.
 * Source: https://invisible-island.net/xterm/ctlseqs/ctlseqs.html
 */
const QUESTIONS = new RegExp([
  /\x1b\[[>=?]?[\d;]*[cn]/, // device attributes, status, position of the cursor
  /\x1bZ/,
  /\x1b\[\??[\d;]*\$p/, // modes
  /\x1b\[>[\d;]*q/, // version
  /\x1b\[\?u/, // keyboard
  /\x1b\[(?:1[1-9]|2[01])(?:;\d+)*t/, // window
  /\x1b\]\d+(?:;[^\x07\x1b]*)?;\?(?:\x07|\x1b\\)/, // colours
  /\x1bP[$+]q[^\x1b]*\x1b\\/, // settings, capabilities
].map(({ source }) => source).join("|"), "g");

/** The last of what a terminal printed, for a tab that comes later. */
export class History {
  #text = "";
  /** Whether what was cut off had left a program's screen. */
  #alternate = false;

  add(text: string): void {
    this.#text += text;
    if (this.#text.length > 2 * KEPT) this.#cut();
  }

  /** What brings a terminal to what it showed; empty where nothing was printed. */
  toString(): string {
    if (this.#text === "") return "";
    return RESET + (this.#alternate ? ALTERNATE : "") + this.#text.replace(QUESTIONS, "");
  }

  #cut(): void {
    const from = this.#text.length - KEPT;
    // Never in the middle of a sequence.
    const start = this.#text.slice(from).search(/[\r\n\x1b]/);
    const at = start < 0 ? from : from + start;
    for (const [, to] of this.#text.slice(0, at).matchAll(SWITCHES)) this.#alternate = to === "h";
    this.#text = this.#text.slice(at);
  }
}
