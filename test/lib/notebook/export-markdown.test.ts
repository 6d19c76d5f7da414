// Markdown as notebooks have it: maths, attachments, tables, task lists, alerts.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { exportNotebook, type Format } from "../../../lib/notebook/export/index.js";
import { shortTables, shortText } from "../../../lib/notebook/export/shortened.js";
import { mathAt } from "../../../lib/notebook/export/math-rules.js";
import type { Attachments, Cell } from "../../../lib/notebook/types.js";
import { code, notebookOf, PNG, shows, stream, text } from "./notebooks.js";

async function exported(cells: Cell[], format: Format = "html") {
  const warnings: string[] = [];
  const { document, files } = await exportNotebook(notebookOf(cells), format, { name: "a #1 100%", folder: ".", filesFolder: "a #1 100%_files", warn: (text) => void warnings.push(text) });
  const all = String(document);
  return { document: all, main: all.slice(all.indexOf("<main"), all.indexOf("</main>")), warnings, files };
}

/** Formulas of a page as their MathML says them, text between tags alone. */
const formulas = (html: string): string[] => [...html.matchAll(/<math[^>]*>([\s\S]*?)<\/math>/g)].map(([, inner]) => inner!.replace(/<[^>]*>/g, ""));

describe("formulas", () => {
  it("are found where Jupyter finds them", () => {
    for (const [source, formula, display] of [
      ["$x$", "x", false], ["$ x = 1 $", " x = 1 ", false], ["$\\text{a $b$ c}$", "\\text{a $b$ c}", false], ["$a\\$b$", "a\\$b", false], ["$$x$$ y", "x", true], ["\\\\(x\\\\)", "x", false],
      ["\\\\[x\\\\]", "x", true], ["\\begin{align*}a\\end{align*}z", "\\begin{align*}a\\end{align*}", true], ["\\begin{cases}\\begin{cases}1\\end{cases}\\end{cases}", "\\begin{cases}\\begin{cases}1\\end{cases}\\end{cases}", true], ["$$\n\na\n\n$$", "\n\na\n\n", true],
    ] as const) {
      const found = mathAt(source, 0);
      assert.deepEqual([found?.formula, found?.display], [formula, display], source);
    }
    for (const source of ["$5 and $6", "$ 5 and $6", "$$", "$$ $$", "$a\n\nb$", "$$a\n\nb$$", "\\begin{tabular}a\\end{tabular}", "\\begin{align}a", "\\(x\\)"]) assert.equal(mathAt(source, 0), undefined, source);
  });

  it("stand where they are written: with text behind them, without an empty line before them, in lists and quotations", async () => {
    const { document, warnings } = await exported([text("$$y = 1$$, then\n\n$$x^2$$ and text\n- item\n\nbefore\n\\begin{align}\na &= b\n\\end{align}\nafter\n\n> $$q$$\n\n1. n\n   $$\n   z\n   - w\n   $$\n\nin $$d$$ line")]);
    assert.deepEqual(formulas(document), ["y=1,", "x2", "a=b(1)", "q", "z−w", "d"]);
    assert.match(document, /<p>then<\/p>[^]*<p>and text<\/p>\n<ul>\n<li>item<\/li>\n<\/ul>\n<p>before<\/p>[^]*<p>after<\/p>/);
    assert.deepEqual(warnings, []);
  });

  it("have KaTeX's fonts in the file, those that are used and no other", async () => {
    const faces = (html: string) => [...html.matchAll(/font-family:KaTeX_(\w+)[^}]*?base64,/g)].map(([, family]) => family);
    const few = await exported([text("$x$")]);
    assert.ok(!/url\((?!data:)/.test(few.document) && /font-src data:/.test(few.document));
    const many = await exported([text("$\\mathbb{R}$ $\\mathcal{L}$ $\\mathfrak{g}$")]);
    for (const family of ["AMS", "Caligraphic", "Fraktur"]) assert.deepEqual([faces(few.document).includes(family), faces(many.document).includes(family)], [false, true], family);
    const none = await exported([text("no maths, $5")]);
    assert.ok(!none.document.includes("KaTeX"));
  });

  it("that KaTeX does not know are put in its words, numbered and referred to as in LaTeX", async () => {
    const { main, warnings } = await exported([
      text("\\begin{eqnarray} a &=& b \\label{eq:a} \\\\ c &=& d \\nonumber \\end{eqnarray}\n\n\\begin{multline} x \\\\ y \\end{multline}\n\n$$z \\label{z}$$\n\n\\begin{align} p &= \\begin{cases} 1 \\\\ 2 \\end{cases} \\\\ q \\tag{Q}\\label{q} \\end{align}"),
      text("see $\\eqref{z}$, $\\ref{eq:a}$, $\\ref{q}$; $\\require{cancel}\\cancel{x}$; $\\DeclareMathOperator{\\rank}{rank}\\rank A$ $\\newcommand{\\v}[1]{\\mathbf{#1}}\\v{a}$"),
      text("$\\rank B$, $\\v{b}$, $\\newcommand{\\v}[1]{#1}\\v{c}$"),
    ]);
    assert.deepEqual(warnings, []);
    const numbers = main.replace(/<math[\s\S]*?<\/math>/g, "").replace(/<[^>]*>|\u200b/g, "").match(/\((?:\d|Q)\)/g);
    assert.deepEqual(numbers, ["(1)", "(2)", "(3)", "(4)", "(Q)", "(3)"]);
    assert.deepEqual(formulas(main).slice(4, 7), ["(3)", "1", "Q"]);
    const ids = new Set([...main.matchAll(/ id="([^"]+)"/g)].map(([, id]) => id));
    const links = [...main.matchAll(/href="#(eq-[^"]+)"/g)].map(([, id]) => id);
    assert.ok(links.length >= 3 && links.every((link) => ids.has(link)), links.join());
  });

  it("that are refused show their source, and a warning names the cell", async () => {
    for (const format of ["html", "latex"] as const) {
      const { document, warnings } = await exported([text("# T"), text("$\\nothing{x}$ and $$\\frac{a}$$ and $x$")], format);
      assert.equal(warnings.length, 2, format);
      assert.match(warnings[0]!, /^cell 2: formula \\nothing\{x\} not drawn, its source is shown \(KaTeX: Undefined control sequence: \\nothing/);
      assert.match(document, format === "html" ? /<code class="formula"[^>]*>\\nothing\{x\}<\/code>/ : /\\texttt\{\\textbackslash\{\}nothing\\\{x\\\}\}/);
    }
  });

  it("in LaTeX stay LaTeX: environments, labels, definitions for all that follows", async () => {
    const { document } = await exported([text("\\begin{align}a &= b \\label{eq:a}\\end{align}.\n\n$$c \\label{c}$$ $\\newcommand{\\v}[1]{\\mathbf{#1}}\\v{x}$ and $\\eqref{c}$\n\n$$\na\n\nb\n$$")], "latex");
    assert.match(document, /\\begin\{align\}a &= b \\label\{eq:a\}\.\\end\{align\}/);
    assert.match(document, /\\begin\{equation\}\nc \\label\{c\}\n\\end\{equation\}/);
    assert.match(document, /\\providecommand\{\\v\}\{\}\\renewcommand\{\\v\}\[1\]\{\\mathbf\{#1\}\}%\n\$\\v\{x\}\$ and \$\\eqref\{c\}\$/);
    assert.match(document, /\\\[\na\nb\n\\\]/);
  });
});

describe("attachments", () => {
  const names = ["a b.png", "c (1).png", "it's \"d\".png", "100%.png", "e%20f.png", "日本.png", "g.png", "g.png.png"];
  const attachments = Object.fromEntries(names.map((name) => [name, { "image/png": PNG }])) as Attachments;

  it("are shown whatever they are called", async () => {
    for (const name of names) {
      for (const written of [...(name.includes('"') || name.includes("(") ? [] : [`<img src="attachment:${name}">`]), `![x](attachment:${name})`, `![x](attachment:${name} "title")`, `![x](attachment:${encodeURIComponent(name)})`, `![x][r]\n\n[r]: attachment:${name}`]) {
        const { main, warnings } = await exported([text(written, attachments)]);
        assert.equal(main.match(/src="data:image\/png/g)?.length, 1, `${written}: ${main}`);
        assert.deepEqual(warnings, []);
      }
    }
  });

  it("are left alone in code", async () => {
    const { main } = await exported([text("`![x](attachment:a b.png)`? `attachment:a b.png`", attachments)]);
    assert.match(main, /<code>attachment:a b\.png<\/code>/);
  });

  it("lie in files that the document finds, whatever the notebook is called", async () => {
    const markdown = await exported([text("![x](attachment:c (1).png) ![y](attachment:a b.png)", attachments)], "markdown");
    assert.equal(markdown.document, "![x](a%20%231%20100%25_files/c-1-.png) ![y](a%20%231%20100%25_files/a-b.png)\n");
    assert.deepEqual(markdown.files.map(({ path }) => path), ["a #1 100%_files/c-1-.png", "a #1 100%_files/a-b.png"]);
    const latex = await exported([text("![x](attachment:a b.png)", attachments)], "latex");
    assert.match(latex.files[0]!.path, /^[\w.-]+\/a-b\.png$/);
    assert.ok(latex.document.includes(`\\detokenize{${latex.files[0]!.path}}`));
  });
});

describe("tables and lists", () => {
  it("have formulas with bars in their cells, and prices", async () => {
    const { main } = await exported([text("| a | $|x|$ |\n|---|:-:|\n| $\\|v\\|$ | $5 |\n| $P(A|B)$ | $6 |")]);
    assert.equal(main.match(/<tr>/g)?.length, 3);
    assert.deepEqual(formulas(main), ["∣x∣", "∥v∥", "P(A∣B)"]);
    assert.match(main, /<td style="text-align:center">\$5<\/td>/);
  });

  it("keep bars in code and text", async () => {
    const { main } = await exported([text("a $x|y$ b\n\n```sh\necho $A | cat $B|wc\n```\n\n`$a|b$` [l](http://x/$a|b$)")]);
    assert.match(main, /\$A<\/span> \| </);
    assert.match(main, /<code>\$a\|b\$<\/code>/);
    assert.ok(!main.includes("\uFDD0"));
  });

  it("have tick boxes for tasks and looks for alerts, in HTML and LaTeX", async () => {
    const source = "- [ ] one\n- [x] two\n- [y] three\n\n> [!WARNING]\n> text\n\n> [!other]\n> quote";
    const { main } = await exported([text(source)]);
    assert.equal(main.match(/<input type="checkbox" disabled/g)?.length, 2);
    assert.match(main, /checked[^>]*> two/);
    assert.match(main, /<blockquote class="note warning">\n<p class="note-title"><strong>Warning<\/strong><br \/>\s*text/);
    assert.match(main, /<blockquote>\n<p>\[!other\]/);
    const latex = await exported([text(source)], "latex");
    assert.match(latex.document, /\\item\[\$\\square\$\] one\n\\item\[\$\\boxtimes\$\] two\n\\item \[y\] three/);
  });

  it("break lines in LaTeX where there is one to break, also in a table", async () => {
    const { document } = await exported([text("<br><br>text<br>more\n\n| a |\n|---|\n| b<br>c |")], "latex");
    assert.match(document, /\\leavevmode\\\\\n\\leavevmode\\\\\ntext\\leavevmode\\\\/);
    assert.match(document, /\\begin\{tabular\}\[t\]\{@\{\}l@\{\}\}b\\\\ c\\end\{tabular\} \\\\/);
  });
});

describe("outputs", () => {
  it("keep the text of terminal links, and link what leads to the web", async () => {
    const { main } = await exported([code("", [stream("\x1b]8;;https://x.org/?a=1&b=2\x1b\\\x1b[31mlink\x1b]8;;\x1b\\ red\x1b[0m \x1b]8;id=1;file:///etc\x07local\x1b]8;;\x07 \x1b]8;;javascript:alert(1)\x07js\x1b]8;;\x07\x1b]0;title\x07end")])]);
    assert.match(main, /<a href="https:\/\/x\.org\/\?a=1&amp;b=2"><span class="ansi-red-fg">link<\/span><\/a><span class="ansi-red-fg"> red<\/span> local jsend/);
  });

  it("draw SVG that does not say its namespaces", async () => {
    const svg = "<svg width='9' height='9'><use xlink:href='#a'/></svg>";
    const { main } = await exported([code("", [shows({ "image/svg+xml": svg })])]);
    const [, base64] = /src="data:image\/svg\+xml;base64,([^"]+)"/.exec(main)!;
    assert.equal(Buffer.from(base64!, "base64").toString(), `<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" width='9' height='9'><use xlink:href='#a'/></svg>`);
  });

  it("are counted where LaTeX has no letters for them", async () => {
    const { document, warnings } = await exported([text("# 漢\n\né “x” ≤ α"), code("", [stream("漢字 😀 █│\n")])], "latex");
    assert.deepEqual(warnings, ["4 characters that LaTeX's usual fonts lack (漢字😀): lualatex takes them from other installed fonts (Noto, DejaVu, FreeSans); pdflatex and xelatex put their code in a box"]);
    assert.match(document, /add_fallback/);
    assert.doesNotMatch((await exported([text("é “x” ≤ α")], "latex")).document, /add_fallback/);
  });
});

describe("paper", () => {
  const long = (rows: number) => `<p>before</p><table><thead><tr><th>a</th></tr></thead><tbody>${Array.from({ length: rows }, (_, i) => `<tr><td>r${i}</td></tr>`).join("")}</tbody></table><p>after</p>`;

  it("shows the first and last rows of a table that would make hundreds of pages, and how many are between", () => {
    const short = shortTables(long(60_000));
    assert.equal(short.match(/<tr>/g)?.length, 102);
    assert.match(short, /r49<\/td><\/tr><tr><td colspan="100">… 59,900 rows that are not shown …<\/td><\/tr><tr><td>r59950</);
    assert.match(short, /^<p>before<\/p>[^]*<p>after<\/p>$/);
    assert.equal(shortTables(long(1000)), long(1000));
    assert.equal(shortText(Array.from({ length: 5000 }, (_, i) => i).join("\n")).split("\n")[50], "… 4,900 lines that are not shown …");
  });

  it("does so in LaTeX, and in no page for a screen", async () => {
    const cells = [code("", [shows({ "text/html": long(2000) })])];
    assert.match((await exported(cells, "latex")).document, /r49 \\\\\n\\ldots\{\} 1,900 rows that are not shown \\ldots\{\} \\\\\nr1950/);
    assert.equal((await exported(cells)).document.match(/<td>r/g)?.length, 2000);
  });
});
