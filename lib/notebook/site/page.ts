import { escapeHtml } from "../../escape-html.js";
import type { Table } from "../compare/html.js";
import type { Entry } from "./collect.js";

const STYLE = `:root{color-scheme:light dark;--line:#8884}body{font:15px/1.5 system-ui,sans-serif;max-width:76rem;margin:2rem auto;padding:0 1rem}
form{display:flex;flex-wrap:wrap;gap:.6rem;margin:1rem 0}input,select{font:inherit;padding:.2rem .4rem;max-width:100%}label{display:flex;gap:.3rem;align-items:center}
article{border:1px solid var(--line);border-radius:6px;margin:.6rem 0;padding:.6rem .9rem}h2{font-size:1.05rem;margin:0}.meta{color:#888;font-size:.85rem}
dl{display:flex;flex-wrap:wrap;gap:.1rem 1.2rem;margin:.3rem 0}dl div{display:flex;gap:.3rem}dt{color:#888}dd{margin:0;overflow-wrap:anywhere}ul{margin:.3rem 0;padding-left:1.2rem}
.failed,.died,.timeout{color:#c33}table{border-collapse:collapse;font-size:.85rem;font-variant-numeric:tabular-nums;margin:.5rem 0}th,td{padding:.15rem .5rem;border-bottom:1px solid var(--line);text-align:right}th:first-child,td:first-child{text-align:left}
.scroll{overflow-x:auto}caption{text-align:left;color:#888}[hidden]{display:none}`;

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
<div class="meta">${kind} <span class="${escapeHtml(status)}">${escapeHtml(status)}</span> ${escapeHtml(when)} ${links.map(({ text, href }) => `<a href="${escapeHtml(href)}">${escapeHtml(text)}</a>`).join(" ")}</div>
${given === "" ? "" : `<dl>${given}</dl>`}${headlines.length > 0 ? `<ul>${headlines.map((each) => `<li>${escapeHtml(each)}</li>`).join("")}</ul>` : ""}
${tables.length === 0 ? "" : `<details><summary>${tables.length} ${tables.length === 1 ? "table" : "tables"}</summary>${tables.map(tableHtml).join("")}</details>`}</article>`;
}

function tableHtml({ caption, head, body }: Table): string {
  const row = (cells: string[], tag: "td" | "th") => `<tr>${cells.map((cell) => `<${tag}>${escapeHtml(cell)}</${tag}>`).join("")}</tr>`;
  return `<div class="scroll"><table>${caption === "" ? "" : `<caption>${escapeHtml(caption)}</caption>`}<thead>${head.map((cells) => row(cells, "th")).join("")}</thead><tbody>${body.map((cells) => row(cells, "td")).join("")}</tbody></table></div>`;
}
