import { escapeHtml } from "../escape-html.js";
import { highlighted } from "../notebook/export/highlight.js";
import { parsed, renderedTokens } from "../notebook/export/markdown.js";
import { Maths } from "../notebook/export/maths.js";
import { pageStyle } from "../notebook/export/page-style.js";
import type { Entry } from "./extract.js";

const style = `
.api{border-bottom:1px solid var(--line);padding:.2rem 0 1rem}.api h3{font-family:ui-monospace,SFMono-Regular,Menlo,Consolas,monospace;margin:1rem 0 .4rem}.api pre{margin:.4rem 0;white-space:pre-wrap}.api .where{color:var(--soft);font-size:.75rem}.api .member{margin:.6rem 0 .6rem 1.2rem}.api dt{font-weight:600;font-size:.8rem;color:var(--soft);margin-top:.5rem}.api dd{margin:0 0 0 1.2rem}.api dd p{margin:.2em 0}
.find{font:inherit;width:100%;padding:.4rem .7rem;border:1px solid var(--line);border-radius:6px;background:var(--box);color:var(--fg)}:target{background:var(--box)}`;

/** Above the text, where there is no room beside it, the contents would push it off the screen. */
const narrow = `if(!matchMedia("(min-width:68rem)").matches)for(const each of document.querySelectorAll(".toc details"))each.open=false;`;

const script = `const find=document.querySelector(".find");const all=[...document.querySelectorAll(".api")];const links=[...document.querySelectorAll(".toc li")];
find.hidden=false;find.oninput=()=>{const words=find.value.toLowerCase().split(/\\s+/).filter(Boolean);const fits=(e)=>words.every((w)=>e.textContent.toLowerCase().includes(w));
for(const e of all)e.hidden=!fits(e);for(const l of links)l.hidden=!document.getElementById(l.firstChild.hash.slice(1))||document.getElementById(l.firstChild.hash.slice(1)).closest(".api").hidden;
for(const s of document.querySelectorAll("main>section"))s.hidden=![...s.querySelectorAll(".api")].some((e)=>!e.hidden)};`;

/** Names of the rooms, in the order in which they are shown: those of the first that fits. */
const rooms: readonly (readonly [title: string, path: RegExp])[] = [
  ["In a cell", /^kernel\//], ["Models and runs", /^lib\/(runtime|cell\/(runs|prompt))/], ["Presets, methods, scorers", /^lib\/methods/], ["Measuring", /^lib\/(bench|jobs|cell\/(bench|jobs|results|measured))/],
  ["Tables and charts", /^lib\/(cell\/(tables|chart|frame)|report\/(?!views))/], ["What the cache holds", /^lib\/(report\/views|inspect)/], ["Quality", /^lib\/(evaluate|cell\/(evaluate|leaderboard))/], ["Training", /^lib\/(train|cell\/train)/],
  ["Checkpoints", /^lib\/(checkpoint|export-model)/], ["Graphs", /^lib\/onnx/], ["More", /./],
];

const prose = (text: string): string => renderedTokens(parsed(text.replace(/\{@link ([^}|]+)[^}]*\}/g, "`$1`")), new Maths());
const code = (text: string): string => `<pre tabindex="0"><code>${highlighted(text, "typescript")}</code></pre>`;

/** The API reference as one page that needs no network. An entry's id is its name as a cell writes it, without `sdtp.`. */
export function apiPage(entries: readonly Entry[], version: string): string {
  const left = [...entries];
  const sections = rooms.flatMap(([title, path]) => {
    const own = left.filter(({ file }) => path.test(file));
    for (const each of own) left.splice(left.indexOf(each), 1);
    return own.length > 0 ? [{ title, own }] : [];
  });
  const toc = sections.map(({ title, own }) => `<details open><summary>${title}</summary><ul>${own.map(({ name }) => `<li><a href="#${idOf(name)}">${escapeHtml(name)}</a></li>`).join("")}</ul></details>`).join("\n");
  const body = sections.map(({ title, own }) => `<section><h2>${title}</h2>\n${own.map((entry) => `<div class="api" id="${idOf(entry.name)}">${entryHtml(entry)}</div>`).join("\n")}</section>`).join("\n");
  return `<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1"><title>sdtp-notebook ${version}: API</title><style>${pageStyle}${style}</style></head>
<body>
<header class="bar"><span>sdtp-notebook ${escapeHtml(version)}</span></header>
<div class="page with-toc"><nav class="toc" aria-label="Names">${toc}</nav><main id="content">
<h1>API reference</h1>
<p>What a notebook's cell sees without an import, from the comments beside the code.</p>
<input class="find" type="search" placeholder="Find a name or a word" aria-label="Find" hidden>
${body}
</main></div>
<script>${narrow}${script}</script>
</body>
</html>
`;
}

const idOf = (name: string): string => escapeHtml(name.replace(/^sdtp\./, ""));

function entryHtml({ name, code: signature, description, tags, members, file }: Entry): string {
  const examples = tags.filter((tag) => tag.name === "example").map(({ text }) => (text.includes("```") ? prose(text) : code(text)));
  const others = tags.filter((tag) => tag.name !== "example" && tag.text !== "").map((tag) => `<dt>${escapeHtml(tag.name)}</dt><dd>${prose(tag.text)}</dd>`);
  const inner = members.map((member) => `<div class="member" id="${idOf(member.name)}">${code(member.code)}${prose(member.description)}${listed(member.tags)}</div>`).join("\n");
  return `<h3>${escapeHtml(name)}</h3>${code(signature)}${prose(description)}${others.length > 0 ? `<dl>${others.join("")}</dl>` : ""}${examples.join("")}${inner}<p class="where">${escapeHtml(file)}</p>`;
}

const listed = (tags: Entry["tags"]): string => {
  const shown = tags.filter(({ text }) => text !== "").map(({ name, text }) => (name === "example" ? `<dt>example</dt><dd>${code(text)}</dd>` : `<dt>${escapeHtml(name)}</dt><dd>${prose(text)}</dd>`));
  return shown.length > 0 ? `<dl>${shown.join("")}</dl>` : "";
};
