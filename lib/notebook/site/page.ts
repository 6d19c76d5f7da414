import { escapeHtml } from "../../escape-html.js";
import type { Table } from "../compare/html.js";
import type { Entry } from "./collect.js";

const STYLE = `:root{color-scheme:light dark;--fg:light-dark(#1f2328,#e6edf3);--soft:light-dark(#59636e,#9198a1);--bg:light-dark(#fff,#0d1117);--box:light-dark(#f6f8fa,#161b22);--line:light-dark(#d1d9e0,#3d444d);--link:light-dark(#0550ae,#79b8ff);--good:light-dark(#1a7f37,#3fb950);--bad:light-dark(#b3231b,#ff8178)}
*{box-sizing:border-box}body{font:15px/1.5 system-ui,sans-serif;color:var(--fg);background:var(--bg);max-width:62rem;margin:2rem auto;padding:0 1rem;overflow-wrap:anywhere}h1{font-size:1.6rem}a{color:var(--link)}
form{display:flex;flex-wrap:wrap;gap:.6rem 1rem;margin:1rem 0;padding:.7rem .9rem;background:var(--box);border:1px solid var(--line);border-radius:6px}input,select{font:inherit;color:inherit;background:var(--bg);border:1px solid var(--line);border-radius:6px;padding:.2rem .5rem;max-width:100%;min-width:0}label{display:flex;gap:.4rem;align-items:center;color:var(--soft);max-width:100%}
article{border:1px solid var(--line);border-radius:6px;margin:.7rem 0;padding:.7rem .9rem}h2{font-size:1.05rem;margin:0 0 .2rem}.meta{color:var(--soft);font-size:.85rem;display:flex;flex-wrap:wrap;gap:.1rem .7rem}
dl{display:flex;flex-wrap:wrap;gap:.1rem 1.2rem;margin:.4rem 0}dl div{display:flex;gap:.35rem}dt{color:var(--soft)}dd{margin:0}ul{margin:.4rem 0;padding-left:1.2rem}summary{cursor:pointer;color:var(--soft);font-size:.85rem;margin-top:.3rem}
.completed{color:var(--good)}.failed,.died,.timeout{color:var(--bad)}table{border-collapse:collapse;font-size:.85rem;font-variant-numeric:tabular-nums;margin:.6rem 0}th,td{padding:.2rem .6rem;border-bottom:1px solid var(--line);text-align:left;white-space:nowrap}th{border-bottom-width:2px}.n{text-align:right}
.scroll{overflow-x:auto;background:linear-gradient(to right,var(--bg) 40%,transparent) left/2.5rem 100% no-repeat local,linear-gradient(to left,var(--bg) 40%,transparent) right/2.5rem 100% no-repeat local,radial-gradient(farthest-side at 0 50%,#6e768199,transparent) left/.75rem 100% no-repeat scroll,radial-gradient(farthest-side at 100% 50%,#6e768199,transparent) right/.75rem 100% no-repeat scroll,var(--bg)}caption{text-align:left;font-weight:600}[hidden]{display:none}`;

/** Filters: text anywhere, and one value of the status or of a parameter. */
const SCRIPT = `const form=document.forms[0],all=[...document.querySelectorAll("article")],count=document.getElementById("count");
function filter(){const text=form.text.value.toLowerCase();let n=0;for(const each of all){const values=JSON.parse(each.dataset.values);
const fits=each.textContent.toLowerCase().includes(text)&&[...form.querySelectorAll("select")].every(({name,value})=>value===""||values[name]===value);each.hidden=!fits;n+=fits}
count.textContent=n+" of "+all.length}form.addEventListener("input",filter);form.addEventListener("submit",e=>e.preventDefault());filter();`;

/** One page that opens offline: what there is, with its parameters and headline figures, and filters. */
export function sitePage(entries: Entry[], title: string): string {
  const values = entries.map(({ kind, status, parameters }): Record<string, string> => ({ kind, status, ...parameters }));
  const names = [...new Set(values.flatMap((each) => Object.keys(each)))];
  const selects = names.flatMap((name) => {
    const options = [...new Set(values.flatMap((each) => (each[name] === undefined ? [] : [each[name]])))].sort();
    if (options.length < 2) return [];
    return [`<label>${escapeHtml(name)} <select name="${escapeHtml(name)}"><option value="">any</option>${options.map((value) => `<option value="${escapeHtml(value)}">${escapeHtml(value)}</option>`).join("")}</select></label>`];
  });
  const articles = entries.map((entry, i) => article(entry, values[i]!)).join("\n");
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1"><title>${escapeHtml(title)}</title><style>${STYLE}</style></head>
<body><h1>${escapeHtml(title)}</h1>
<form><label>search <input name="text" type="search"></label>${selects.join("")}</form><p class="meta" id="count">${entries.length}</p>
${articles || "<p>No executed notebooks and no results.</p>"}
<script>${SCRIPT}</script></body></html>
`;
}

function article({ kind, title, links, status, start, seconds, parameters, headlines, tables }: Entry, values: Record<string, string>): string {
  const when = [start?.slice(0, 16).replace("T", " "), ...(seconds === undefined ? [] : [`${seconds.toFixed(1)} s`])].filter(Boolean).join(", ");
  const given = Object.entries(parameters).map(([name, value]) => `<div><dt>${escapeHtml(name)}</dt><dd>${escapeHtml(value)}</dd></div>`).join("");
  return `<article data-values="${escapeHtml(JSON.stringify(values))}"><h2>${escapeHtml(title)}</h2>
<div class="meta"><span>${kind}</span> <span class="${escapeHtml(status)}">${escapeHtml(status)}</span>${when === "" ? "" : ` <span>${escapeHtml(when)}</span>`} ${links.map(({ text, href }) => `<a href="${escapeHtml(href)}">${escapeHtml(text)}</a>`).join(" ")}</div>
${given === "" ? "" : `<dl>${given}</dl>`}${headlines.length > 0 ? `<ul>${headlines.map((each) => `<li>${escapeHtml(each)}</li>`).join("")}</ul>` : ""}
${tables.length === 0 ? "" : `<details><summary>${tables.length} ${tables.length === 1 ? "table" : "tables"}</summary>${tables.map(tableHtml).join("")}</details>`}</article>`;
}

function tableHtml({ caption, head, body }: Table): string {
  // Columns of numbers stand at the right.
  const width = Math.max(0, ...body.map((cells) => cells.length));
  const isNumber = Array.from({ length: width }, (_, c) => body.every((cells) => /^([-−+–]?[\d.,]*(e[-+]?\d+)?\s*[%×x]?\*?|NaN|null)$/i.test((cells[c] ?? "").trim())));
  const row = (cells: string[], tag: "td" | "th") => `<tr>${cells.map((cell, c) => `<${tag}${isNumber[c] ? ' class="n"' : ""}>${escapeHtml(cell)}</${tag}>`).join("")}</tr>`;
  return `<div class="scroll"><table>${caption === "" ? "" : `<caption>${escapeHtml(caption)}</caption>`}<thead>${head.map((cells) => row(cells, "th")).join("")}</thead><tbody>${body.map((cells) => row(cells, "td")).join("")}</tbody></table></div>`;
}
