import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { exportNotebook, type ExportOptions, type Format } from "../../../lib/notebook/export/index.js";
import { tablesAndText } from "../../../lib/notebook/export/html-tables.js";
import { outline } from "../../../lib/notebook/export/headings.js";
import { parsed } from "../../../lib/notebook/export/markdown.js";
import { sanitized } from "../../../lib/notebook/export/sanitize.js";
import { scopedCss } from "../../../lib/notebook/export/styles.js";
import { withoutOverwritten } from "../../../lib/notebook/overwritten.js";
import { findChromium } from "../../../lib/notebook/export/find-chromium.js";
import type { Cell } from "../../../lib/notebook/types.js";
import { chart, code, failed, notebookOf, PNG, raw, shows, stream, text } from "./notebooks.js";

let folder: string;
before(() => {
  folder = mkdtempSync(join(tmpdir(), "sdtp-export-"));
  mkdirSync(join(folder, "images"));
  writeFileSync(join(folder, "images", "a b.png"), Buffer.from(PNG, "base64"));
  writeFileSync(join(folder, "secret.png"), "password");
});
after(() => rmSync(folder, { recursive: true, force: true }));

async function exported(cells: Cell[], format: Format, options: Partial<ExportOptions> = {}) {
  const warnings: string[] = [];
  const done = await exportNotebook(notebookOf(cells), format, { name: "book", folder, filesFolder: "book_files", warn: (text) => void warnings.push(text), ...options });
  return { ...done, document: String(done.document), warnings };
}

describe("HTML", () => {
  it("has one h1, which is the notebook's title, and no level left out below it", async () => {
    const { document } = await exported([text("# Title\n\n#### Deep\n\n## Next"), text("# Another\n\n## Under it")], "html");
    assert.deepEqual([...document.matchAll(/<(h\d)[^>]*>([^<]+)/g)].map(([, tag, text]) => `${tag} ${text}`), ["h1 Title", "h2 Deep", "h2 Next", "h2 Another", "h3 Under it"]);
    assert.match(document, /<html lang="en">/);
    assert.match(document, /<title>Title<\/title>/);
  });

  it("takes the file's name for a title where the notebook has none", async () => {
    const { document } = await exported([text("## Part")], "html");
    assert.match(document, /<h1 class="name">book<\/h1>\n<section class="markdown">\n<h2 id="part">/);
  });

  it("has a table of contents whose links, and those of the text, lead to headings", async () => {
    const { document } = await exported([text("# T\n\nSee [there](#The-Way) and [again](#the-way-1).\n\n## The Way\n\n## The Way\n\n## `x < y`")], "html");
    const ids = new Set([...document.matchAll(/<h\d id="([^"]+)"/g)].map(([, id]) => id));
    const links = [...document.matchAll(/href="#([^"]+)"/g)].map(([, id]) => id!).filter((id) => id !== "content");
    assert.deepEqual(links, ["the-way", "the-way-1", "x--y", "the-way", "the-way-1"]);
    assert.ok(links.every((link) => ids.has(link)));
    assert.match(document, /<li class="l2"><a href="#x--y">x &lt; y<\/a>/);
  });

  it("colours the code of the notebook's language", async () => {
    const { document } = await exported([code("const n: number = 1 < 2 ? 1 : 0;")], "html");
    assert.match(document, /<span class="hljs-keyword">const<\/span> <span class="hljs-attr">n<\/span>|<span class="hljs-keyword">const<\/span> n/);
    assert.match(document, /<summary>Code \[1\]<\/summary>/);
  });

  it("leaves out and folds what the tags say", async () => {
    const cells = ["remove-cell", "remove-input", "remove-output", "hide-input", "hide-output", "hide-cell", "hide_input"].map((tag) => code(`source of ${tag}`, [stream(`output of ${tag}`)], [tag]));
    const { document } = await exported([...cells, code("collapsed", [stream("printed")], [], { jupyter: { source_hidden: true, outputs_hidden: true } })], "html");
    const has = (what: string) => new RegExp(what.replaceAll(" ", "(?:</?span[^>]*>)*\\s(?:</?span[^>]*>)*")).test(document);
    assert.deepEqual([has("source of remove-cell"), has("output of remove-cell")], [false, false]);
    assert.deepEqual([document.includes("remove-input"), document.match(/remove-input/g)?.length], [true, 1]);
    assert.equal(document.match(/remove-output/g)?.length, 1);
    assert.equal(document.match(/<details class="input">/g)?.length, 4, "hide-input, hide-cell, hide_input, collapsed");
    assert.equal(document.match(/<details class="output">/g)?.length, 3, "hide-output, hide-cell, collapsed");
    assert.equal(document.match(/<details class="input" open>/g)?.length, 2, "remove-output, hide-output");
  });

  it("has no code with --no-input, and folded code without counts as an article", async () => {
    const cells = [code("secret()", [stream("printed")])];
    const without = await exported(cells, "html", { input: false });
    assert.ok(!without.document.includes("secret") && without.document.includes("printed") && !without.document.includes('data-do="fold"'));
    const article = await exported(cells, "html", { template: "article" });
    assert.match(article.document, /<details class="input"><summary>Code<\/summary>/);
  });

  it("renders maths as MathML, and a formula with an error in it as a message", async () => {
    const { document } = await exported([text("$x^2$ and $$\\frac{a}{b}$$ and $\\frac{$"), code("", [shows({ "text/latex": "$$e^{i\\pi}$$", "text/plain": "e" })])], "html");
    assert.match(document, /<msup><mi>x<\/mi><mn>2<\/mn><\/msup>/);
    assert.match(document, /<mfrac><mi>a<\/mi><mi>b<\/mi><\/mfrac>/);
    assert.match(document, /<math[^>]*display="block"[^]*<msup><mi>e<\/mi>/);
    assert.ok(!/<script[^>]*src|<link/.test(document));
  });

  it("embeds the images that markdown refers to: files, attachments, tags; says what is missing", async () => {
    const cells = [text("![a](images/a%20b.png) ![b](attachment:x.png) <img src='images/a b.png' width=30 alt=c> ![d](gone.png) ![e](https://example.org/x.png) ![f](secret.png)", { "x.png": { "image/png": PNG } })];
    const { document, warnings } = await exported(cells, "html");
    assert.equal(document.match(new RegExp(`src="data:image/png;base64,${PNG.slice(0, 20)}`, "g"))?.length, 3);
    assert.match(document, /alt="c"[^>]*>|width="30"/);
    assert.ok(!document.includes("https://example.org/x.png\"") && !document.includes(Buffer.from("password").toString("base64")));
    assert.equal(warnings.length, 3);
    assert.match(warnings.join("\n"), /image: gone\.png \(cannot be read: ENOENT; not in the report\)\nimage: https:\/\/example\.org\/x\.png \(on the network; not in the report\)\nimage: secret\.png \(no image/);
  });

  it("embeds images of outputs with their size and an alternative text", async () => {
    const { document } = await exported([code("", [shows({ "image/png": PNG, "text/plain": "a red dot" }, { "image/png": { width: 20 } }), shows({ "image/svg+xml": ["<svg ", "onload='alert(1)'/>"], "text/plain": "<Figure size 1x1>" })])], "html");
    assert.match(document, new RegExp(`<img src="data:image/png;base64,${PNG.replace(/[+/=]/g, "\\$&")}" alt="a red dot" width="20">`));
    assert.match(document, /<img src="data:image\/svg\+xml;base64,[^"]+" alt="Picture of cell 1">/);
    assert.ok(!document.includes("onload"));
  });

  it("brings Plotly once, and only where there is a chart", async () => {
    const two = await exported([code("", [chart("One"), chart("Two </script><b>")])], "html");
    assert.equal(two.document.match(/id="plotly-library"/g)?.length, 1);
    assert.equal(two.document.match(/<figure class="chart"/g)?.length, 2);
    assert.match(two.document, /<figure class="chart"[^>]* aria-label="One"/);
    assert.ok(!two.document.includes("</script><b>") && !two.document.includes("html of a chart"));
    const none = await exported(Array.from({ length: 20 }, (_, i) => code(`const x${i} = ${i}`, [stream("x\n".repeat(20))])), "html");
    assert.ok(!none.document.includes('id="plotly-library"'));
    assert.ok(none.document.length < 300_000, `${none.document.length}`);
  });

  it("lets nothing of the notebook's run: its HTML is sanitised and the policy names the page's scripts", async () => {
    const bad = `<b onclick="x()">bold</b><script>evil()</script><img src=x onerror="evil()"><a href="javascript:evil()">go</a><iframe src="data:text/html,x"></iframe><form action="http://x"><input name=q></form><svg><style><img src=x onerror=evil()></style></svg><link rel=stylesheet href=//x>`;
    const { document } = await exported([text(`# T\n\n${bad}`), code("", [shows({ "text/html": bad }), shows({ "text/markdown": bad }), shows({ "application/javascript": "evil()", "text/plain": "js" })]), raw(bad, "text/html")], "html");
    const body = document.slice(document.indexOf("<main"), document.indexOf("</main>"));
    assert.match(body, /<b>bold<\/b>/);
    for (const never of [/evil\(\)/, /<script/, /onerror/, /onclick/, /javascript:/, /<iframe/, /<form/, /<link/]) assert.doesNotMatch(body, never);
    assert.match(document, /Content-Security-Policy" content="default-src 'none';[^"]*script-src 'sha256-[^']+'">/);
    const trusted = await exported([code("", [shows({ "text/html": "<script>mine()</script>" }), shows({ "application/javascript": "mine(2)" })])], "html", { trust: true });
    assert.match(trusted.document, /<script>mine\(\)<\/script>[^]*<script>mine\(2\)<\/script>/);
    assert.doesNotMatch(trusted.document, /Content-Security-Policy/);
  });

  it("shows terminal colours, what a progress bar left, and an error's traceback", async () => {
    const { document } = await exported([code("", [stream("\x1b[31mred\x1b[0m <tag>\n"), stream("10 %\r100 %\n"), failed("Error", "no", ["\x1b[1mError\x1b[0m: no", "  at Cell [1]:1"])])], "html");
    assert.match(document, /<span class="ansi-red-fg">red<\/span> &lt;tag&gt;\n100 %/);
    assert.match(document, /<pre class="stream error"[^>]*><span[^>]*>Error<\/span>: no\n {2}at Cell/);
  });

  it("says what it cannot show: types without a text, pictures that are none; control characters are no boxes", async () => {
    const { document, warnings } = await exported([text("# T"), code("", [shows({ "application/x-only": { a: 1 } }), shows({ "image/jpeg": "not base64!!", "text/plain": "a picture" }), shows({ "image/png": [PNG.slice(0, 30), PNG.slice(30)] as never }), stream("a\0b\x07c\x7f\n")])], "html");
    assert.deepEqual(warnings, ["cell 2: an output is not shown: it is application/x-only without a text or a picture", "cell 2: its image/jpeg is no picture and is left out"]);
    assert.ok(document.includes(">a picture</pre>") && document.includes(`base64,${PNG}`) && /ab.?c/.test(document) && !document.includes("\0"));
  });

  it("prefers a bundle's HTML to its text", async () => {
    const { document } = await exported([code("", [shows({ "text/html": "<table><tr><td>1</td></tr></table>", "text/markdown": "| 1 |", "text/latex": "\\begin{tabular}", "text/plain": "plain" })])], "html");
    assert.match(document, /<table><tr><td>1<\/td>/);
    assert.ok(!document.includes("plain</pre>") && !document.includes("\\begin"));
  });
});

describe("sanitising", () => {
  it("keeps an output's style inside the output", () => {
    assert.equal(scopedCss("body{color:red} .a, b > i{margin:0} @media print{u{top:0}} @keyframes k{from{top:0}}", "#o"), "#o{color:red} #o .a,#o b > i{margin:0} @media print{#o u{top:0}} @keyframes k{from{top:0}}".replace(".a,#o", ".a, #o"));
    assert.equal(scopedCss("@import 'x'; a{background:url(http://x)} b{top:1px}", "#o").replace(/\s+/g, ""), "#oa{}#ob{top:1px}");
    assert.equal(scopedCss("a{", "#o"), "");
    assert.ok(!scopedCss("a{content:'</style><script>'}", "#o").includes("<"));
  });

  it("lets MathML, tables, colours and progress bars through", () => {
    for (const html of ['<table class="dataframe"><tr><td colspan="2" style="text-align:right">1</td></tr></table>', '<progress value="1" max="2"></progress>', '<math display="block"><mi>x</mi></math>', '<details open><summary>s</summary></details>']) {
      assert.equal(sanitized(html, {}).replace("<details open=\"\">", "<details open>").replace("<details open>", "<details open>"), html);
    }
  });
});

describe("Markdown", () => {
  it("writes cells, code and text, with images in files beside it", async () => {
    const cells = [
      text("# T\n\n![a](images/a%20b.png) ![b](attachment:x.png)", { "x.png": { "image/png": PNG } }),
      code("const s = `a`; // ```", [stream("\x1b[31mred\x1b[0m\n```\n"), shows({ "image/png": PNG, "text/plain": "a [dot]" })]),
      code("hidden()", [stream("shown")], ["hide-input"]),
    ];
    const { document, files } = await exported(cells, "markdown");
    assert.equal(
      document,
      ["# T\n\n![a](book_files/a-b.png) ![b](book_files/x.png)", "````typescript\nconst s = `a`; // ```\n````", "````text\nred\n```\n````", "![a \\[dot\\]](book_files/cell-1.png)", "```text\nshown\n```\n"].join("\n\n"),
    );
    assert.deepEqual(files.map(({ path }) => path).sort(), ["book_files/a-b.png", "book_files/cell-1.png", "book_files/x.png"]);
    assert.ok(files.every(({ content }) => Buffer.from(content).equals(Buffer.from(PNG, "base64"))));
  });

  it("prefers a bundle's own Markdown to its HTML, and makes tables of HTML alone", async () => {
    const html = "<style>x</style><table><caption>C</caption><thead><tr><th></th><th>n</th></tr></thead><tbody><tr><th>a|b</th><td>1.5</td></tr></tbody></table><p>1 row</p>";
    const own = await exported([code("", [shows({ "text/html": html, "text/markdown": "| own |\n|---|" })])], "markdown");
    assert.equal(own.document, "| own |\n|---|\n");
    const made = await exported([code("", [shows({ "text/html": html, "text/plain": "plain" })])], "markdown");
    assert.equal(made.document, "**C**\n\n|  | n |\n| --- | --: |\n| a\\|b | 1.5 |\n\n1 row\n");
  });

  it("says where a chart stands that no browser could draw, and takes a picture that is there already", async () => {
    const drawn = await exported([code("", [shows({ "application/vnd.plotly.v1+json": { data: [] }, "image/png": PNG })])], "markdown");
    assert.match(drawn.document, /!\[Picture of cell 1\]\(book_files\/cell-1\.png\)/);
    const { PATH, CHROMIUM } = process.env;
    process.env["PATH"] = folder;
    delete process.env["CHROMIUM"];
    try {
      const { document, warnings } = await exported([code("", [chart("Speed_up")])], "markdown");
      assert.equal(document, "![Speed\\_up](book_files/cell-1.svg)\n");
      const flow = shows({ "application/vnd.plotly.v1+json": { data: [{ type: "sankey", link: { source: [0], value: [7.5] } }], layout: { title: "Flow" } } });
      const data = await exported([code("", [flow])], "markdown");
      assert.equal(data.document, "*Flow (a chart that is not drawn here: its data)*\n\n**(sankey)**\n\n| link.source | link.value |\n| --: | --: |\n| 0 | 7.5 |\n");
      assert.match((await exported([code("", [flow])], "latex")).document, /Flow \(a chart that is not drawn here: its data\)[^]*\\begin\{tabular\}\{rr\}/);
      assert.deepEqual(warnings, ["1 chart not drawn by Plotly: no Chromium, Chrome or Edge found (install one, or name its program by --chromium or the variable CHROMIUM)"]);
      await assert.rejects(exported([code("")], "pdf"), /^Error: pdf: no Chromium, Chrome or Edge found/);
    } finally {
      process.env["PATH"] = PATH;
      if (CHROMIUM !== undefined) process.env["CHROMIUM"] = CHROMIUM;
    }
    assert.throws(() => findChromium(join(folder, "none")), /--chromium: .*none \(no program there\)/);
    assert.throws(() => findChromium(undefined, { CHROMIUM: "/none" }), /CHROMIUM: \/none \(no program there\)/);
  });
});

describe("LaTeX", () => {
  it("escapes text and code, numbers sections, and sets tables", async () => {
    const cells = [
      text("# 100 % of_it & {more}\n\n## Part\n\n*a* **b** `c_d` [l](https://x.org/a_b?c=%20#d) $x_1$\n\n- one\n- two\n\n| h | n |\n|---|--:|\n| a & b | 1 |"),
      code("const s = '\\\\{}'; // ×", [stream("50 % \\ {a}_b ≤ █\n"), shows({ "text/html": "<table><tr><th>k_1</th></tr><tr><td>5 %</td></tr></table>", "text/plain": "p" }), shows({ "text/latex": "\\begin{tabular}{l}own\\end{tabular}", "text/html": "<b>x</b>" }), shows({ "text/latex": "$$a$$" })]),
    ];
    const { document } = await exported(cells, "latex");
    const body = document.slice(document.indexOf("\\title"));
    for (const expected of [
      "\\title{100 \\% of\\_it \\& \\{more\\}}",
      "\\section{Part}",
      "\\emph{a} \\textbf{b} \\texttt{c\\_d} \\href{https://x.org/a_b?c=\\%20\\#d}{l} $x_1$",
      "\\begin{itemize}\n\\item one\n\\item two\n\\end{itemize}",
      "\\begin{tabular}{lr}\n\\toprule\nh & n \\\\\n\\midrule\na \\& b & 1 \\\\",
      "\\textcolor{codestring}{'\\textbackslash{}\\textbackslash{}\\{\\}'}",
      "\\ensuremath{\\times}",
      "50 % \\textbackslash{} \\{a\\}_b \\ensuremath{\\leq} \\bartext{2.24}{0}",
      "k\\_1 \\\\\n\\midrule\n5 \\% \\\\",
      "\\begin{adjustbox}{max width=\\linewidth}\n\\begin{tabular}{l}own\\end{tabular}\n\\end{adjustbox}",
      "$$a$$",
    ]) assert.ok(body.includes(expected), `${expected}\n--- in ---\n${body}`);
    assert.ok(!body.includes("<b>"));
  });

  it("shows the source of a formula that would stop LaTeX", async () => {
    const { document, warnings } = await exported([code("", [shows({ "text/latex": "$\\nothing{x}$" }), shows({ "text/latex": "\\alpha" }), shows({ "text/latex": "words $x$ & more" })])], "latex");
    assert.match(document, /\\begin\{Verbatim\}[^]*nothing[^]*\\end\{Verbatim\}[^]*\\alpha/);
    assert.match(warnings[0]!, /formula \\nothing\{x\} not drawn, its source is shown/);
  });

  it("puts images beside it", async () => {
    const { document, files } = await exported([text("![a](images/a%20b.png)"), code("", [shows({ "image/png": PNG })])], "latex");
    assert.deepEqual(files.map(({ path }) => path).sort(), ["book_files/a-b.png", "book_files/cell-1.png"]);
    for (const { path } of files) assert.ok(document.includes(`\\detokenize{${path}}`));
  });
});

describe("pieces", () => {
  it("orders headings whatever the first one is", () => {
    const levels = (...sources: string[]) => outline(sources.map(parsed)).headings.map(({ level }) => level);
    assert.deepEqual(levels("# a\n# b\n### c\n### d\n## e"), [1, 2, 3, 3, 3]);
    assert.deepEqual(levels("## a\n# b\n## c"), [2, 2, 3]);
    assert.equal(outline([parsed("text\n\n# late *title*")]).title, "late title");
  });

  it("overwrites as a terminal does", () => {
    assert.equal(withoutOverwritten("abc\rX\n"), "Xbc\n");
    assert.equal(withoutOverwritten("ab\b\bX\n"), "Xb\n");
    assert.equal(withoutOverwritten("long line\r\x1b[Kshort"), "short");
    assert.equal(withoutOverwritten("10 %\r"), "10 %\r", "more may come");
    assert.equal(withoutOverwritten("dos\r\nend"), "dos\nend");
  });

  it("reads tables with spans, several header lines and text around", () => {
    assert.deepEqual(tablesAndText("<p>a\n b</p><table><thead><tr><th colspan=2>x</th></tr><tr><th>y</th><th>z</th></tr></thead><tr><td>1</td></tr></table>after"), [
      "a b",
      { caption: "", head: ["x y", "z"], rows: [["1", ""]] },
      "after",
    ]);
  });
});
