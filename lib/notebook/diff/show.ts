import { styleText } from "node:util";
import { escapeHtml } from "../../escape-html.js";
import type { CellChange } from "./diff.js";
import type { Line } from "./sequence.js";

/** Unchanged lines that are shown around a change. */
const CONTEXT = 3;
/** Differences of the outputs of one cell that are shown. */
const MOST = 20;

/** `cell 3 -> 4 (code): changed` */
function heading({ kind, before, after, type }: CellChange): string {
  const place = before !== undefined && after !== undefined && before !== after ? `${before} -> ${after}` : `${after ?? before}`;
  return `cell ${place} (${type}): ${kind}`;
}

/** Lines near a change; undefined where some are left out. */
function near(lines: Line[]): (Line | undefined)[] {
  const shown = lines.map((_, i) => lines.slice(Math.max(0, i - CONTEXT), i + CONTEXT + 1).some(({ kind }) => kind !== "same"));
  return lines.flatMap((line, i) => (shown[i] ? [line] : i > 0 && !shown[i - 1] ? [] : lines.some(({ kind }) => kind !== "same") ? [undefined] : []));
}

const SIGNS = { same: " ", removed: "-", added: "+" } as const;

/** For a terminal. @param colour with its colours */
export function asText(changes: CellChange[], names: [string, string], colour: boolean): string {
  const paint = (style: "red" | "green" | "cyan" | "bold", text: string) => (colour ? styleText(style, text, { validateStream: false }) : text);
  const signed = (sign: "-" | "+", text: string) => text.split("\n").map((line) => paint(sign === "-" ? "red" : "green", `    ${sign} ${line}`));
  const parts = changes.filter(({ kind }) => kind !== "same").flatMap((change) => [
    paint("cyan", `@@ ${heading(change)}`),
    ...near(change.lines).map((line) => (line === undefined ? paint("cyan", "…") : line.kind === "same" ? `  ${line.text}` : paint(line.kind === "removed" ? "red" : "green", `${SIGNS[line.kind]} ${line.text}`))),
    ...change.metadata.flatMap(({ key, before, after }) => [`  metadata ${key}`, ...signed("-", json(before)), ...signed("+", json(after))]),
    ...change.outputs.slice(0, MOST).flatMap(({ place, before, after }) => [`  ${place}`, ...signed("-", before), ...signed("+", after)]),
    ...(change.outputs.length > MOST ? [`  … ${change.outputs.length - MOST} more differences of outputs`] : []),
  ]);
  return parts.length === 0 ? "" : [paint("bold", `--- ${names[0]}`), paint("bold", `+++ ${names[1]}`), ...parts, ""].join("\n");
}

const json = (value: unknown): string => (value === undefined ? "(none)" : JSON.stringify(value));

const STYLE = `:root{color-scheme:light dark}body{font:15px/1.5 system-ui,sans-serif;max-width:70rem;margin:2rem auto;padding:0 1rem}
section{border:1px solid #8885;border-radius:6px;margin:1rem 0;overflow:hidden}h2{font-size:.95rem;margin:0;padding:.4rem .8rem;background:#8882}
pre{margin:0;overflow-x:auto;font:13px/1.5 ui-monospace,monospace}pre span{display:block;padding:0 .8rem;white-space:pre}
.removed{background:#f003}.added{background:#0a03}.gap{color:#888;background:#8881}h3{font-size:.85rem;margin:.6rem .8rem .2rem}.none{color:#888}`;

/** One page that opens offline. */
export function asHtml(changes: CellChange[], names: [string, string]): string {
  const row = (kind: string, text: string) => `<span class="${kind}">${escapeHtml(text) || " "}</span>`;
  const both = (before: string, after: string) => `<pre>${before.split("\n").map((line) => row("removed", `- ${line}`)).join("")}${after.split("\n").map((line) => row("added", `+ ${line}`)).join("")}</pre>`;
  const sections = changes.filter(({ kind }) => kind !== "same").map((change) => {
    const lines = near(change.lines).map((line) => (line === undefined ? row("gap", "…") : row(line.kind, `${SIGNS[line.kind]} ${line.text}`))).join("");
    const metadata = change.metadata.map(({ key, before, after }) => `<h3>metadata ${escapeHtml(key)}</h3>${both(json(before), json(after))}`).join("");
    const outputs = change.outputs.map(({ place, before, after }) => `<h3>${escapeHtml(place)}</h3>${both(before, after)}`).join("");
    return `<section><h2>${escapeHtml(heading(change))}</h2>${lines === "" ? "" : `<pre>${lines}</pre>`}${metadata}${outputs}</section>`;
  });
  const title = escapeHtml(`${names[0]} and ${names[1]}`);
  return `<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1"><title>${title}</title><style>${STYLE}</style></head>\n<body><h1>${title}</h1>\n${sections.join("\n") || '<p class="none">No differences.</p>'}\n</body></html>\n`;
}
