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

const STYLE = `:root{color-scheme:light dark;--fg:light-dark(#1f2328,#e6edf3);--soft:light-dark(#59636e,#9198a1);--bg:light-dark(#fff,#0d1117);--box:light-dark(#f6f8fa,#161b22);--line:light-dark(#d1d9e0,#3d444d);--old:light-dark(#ffebe9,#3c1618);--new:light-dark(#dafbe1,#12301c)}
body{font:15px/1.5 system-ui,sans-serif;color:var(--fg);background:var(--bg);max-width:70rem;margin:2rem auto;padding:0 1rem;overflow-wrap:anywhere}h1{font-size:1.4rem}
section{border:1px solid var(--line);border-radius:6px;margin:1rem 0;overflow:hidden}h2{font-size:.95rem;margin:0;padding:.4rem .8rem;background:var(--box);border-bottom:1px solid var(--line)}
pre{margin:0;font:13px/1.5 ui-monospace,monospace}pre span{display:block;padding:0 .8rem 0 2.4rem;text-indent:-1.6rem;white-space:pre-wrap}
.removed{background:var(--old)}.added{background:var(--new)}.gap{color:var(--soft);background:var(--box)}h3{font-size:.85rem;margin:.6rem .8rem .2rem}.none{color:var(--soft)}
table{border-collapse:collapse;width:100%;font-size:.85rem;font-variant-numeric:tabular-nums}th,td{text-align:left;padding:.2rem .8rem;border-top:1px solid var(--line);vertical-align:top}th{color:var(--soft);font-weight:500;border-top:0}td:not(:first-child){font-family:ui-monospace,monospace;width:22%}`;

/** Values that stand in one line of a table. */
const isShort = ({ before, after }: { before: string; after: string }): boolean => [before, after].every((text) => text.length <= 60 && !text.includes("\n"));

/** One page that opens offline. */
export function asHtml(changes: CellChange[], names: [string, string]): string {
  const row = (kind: string, text: string) => `<span class="${kind}">${escapeHtml(text) || " "}</span>`;
  const both = (before: string, after: string) => `<pre>${before.split("\n").map((line) => row("removed", `- ${line}`)).join("")}${after.split("\n").map((line) => row("added", `+ ${line}`)).join("")}</pre>`;
  const sections = changes.filter(({ kind }) => kind !== "same").map((change) => {
    const lines = near(change.lines).map((line) => (line === undefined ? row("gap", "…") : row(line.kind, `${SIGNS[line.kind]} ${line.text}`))).join("");
    const metadata = change.metadata.map(({ key, before, after }) => `<h3>metadata ${escapeHtml(key)}</h3>${both(json(before), json(after))}`).join("");
    const values = change.outputs.filter(isShort).map(({ place, before, after }) => `<tr><td>${escapeHtml(place)}</td><td class="removed">${escapeHtml(before)}</td><td class="added">${escapeHtml(after)}</td></tr>`);
    const outputs = (values.length === 0 ? "" : `<table><thead><tr><th>where</th><th>before</th><th>after</th></tr></thead><tbody>${values.join("")}</tbody></table>`)
      + change.outputs.filter((each) => !isShort(each)).map(({ place, before, after }) => `<h3>${escapeHtml(place)}</h3>${both(before, after)}`).join("");
    return `<section><h2>${escapeHtml(heading(change))}</h2>${lines === "" ? "" : `<pre>${lines}</pre>`}${metadata}${outputs}</section>`;
  });
  const title = escapeHtml(`${names[0]} and ${names[1]}`);
  return `<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1"><title>${title}</title><style>${STYLE}</style></head>\n<body><h1>${title}</h1>\n${sections.join("\n") || '<p class="none">No differences.</p>'}\n</body></html>\n`;
}
