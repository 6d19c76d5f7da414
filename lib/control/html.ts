import { escapeHtml } from "../escape-html.js";
import type { Control } from "./spec.js";
import type { Output } from "./output.js";

const IMAGES = ["image/png", "image/jpeg", "image/gif", "image/webp"];

/**
 * Outputs as one piece of HTML, whose scripts the page runs.
 * @param still for where no script runs: charts as their pictures
 */
export async function outputsHtml(outputs: readonly Output[], { still = false } = {}): Promise<string> {
  const parts = await Promise.all(outputs.map(outputHtml));
  const html = parts.join("\n");
  return still ? html.replace(/<script\b[\s\S]*?<\/script\s*>/gi, "").replace(/ id="plotly-[0-9a-f]+"/g, "") : html;
}

async function outputHtml(output: Output): Promise<string> {
  if (output.output_type === "stream") return pre(output.text, output.name === "stderr" ? " class=stderr" : "");
  const { data } = output;
  const text = (type: string) => (typeof data[type] === "string" && data[type] !== "" ? (data[type] as string) : undefined);
  const html = text("text/html") ?? text("image/svg+xml");
  if (html !== undefined) return `<div>${html}</div>`;
  for (const type of IMAGES) if (text(type)) return `<img alt="${escapeHtml(text("text/plain") ?? "")}" style="max-width:100%" src="data:${type};base64,${escapeHtml(text(type)!)}">`;
  const markdown = text("text/markdown");
  if (markdown !== undefined) {
    const { parsed, renderedTokens } = await import("../notebook/export/markdown.js");
    return `<div>${renderedTokens(parsed(markdown), await maths())}</div>`;
  }
  const latex = text("text/latex");
  if (latex !== undefined) return `<div>${(await maths()).html(latex.trim().replace(/^\$\$?|\$\$?$|^\\\[|\\\]$|^\\\(|\\\)$/g, ""), true)}</div>`;
  const plain = text("text/plain");
  return plain !== undefined ? pre(plain) : "";
}

/** Formulas as MathML, which browsers draw without fonts and styles of the page. */
async function maths() {
  const [{ Maths }, { default: katex }] = await Promise.all([import("../notebook/export/maths.js"), import("katex")]);
  return new (class extends Maths {
    override html(formula: string, displayMode: boolean): string {
      return katex.renderToString(formula, { displayMode, output: "mathml", throwOnError: false });
    }
  })();
}

// Terminal colours are left out: the client's own are not known here.
const pre = (text: string, attributes = "") => `<pre${attributes} style="white-space:pre-wrap;margin:0">${escapeHtml(text.replace(/\x1b\[[0-9;]*m/g, ""))}</pre>`;

export type ValuesByName = Readonly<Record<string, unknown>>;

/** `keep = 0.7, scorer = learned` */
export function valuesText(controls: readonly Control[], values: ValuesByName): string {
  return controls.map(({ name }) => `${name} = ${String(values[name])}`).join(", ");
}

/** The values of controls where they cannot be changed. */
export function valuesHtml(controls: readonly Control[], values: ValuesByName): string {
  return `<p>${controls.filter(({ kind }) => kind !== "button").map(({ name, label }) => `${escapeHtml(label)}: <b>${escapeHtml(String(values[name]))}</b>`).join(" · ")}</p>`;
}
