// Captions, references to them, citations, slides.
import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { cellOptions } from "../../../lib/notebook/export/cell-options.js";
import { exportNotebook, type Format } from "../../../lib/notebook/export/index.js";
import type { Cell } from "../../../lib/notebook/types.js";
import { code, notebookOf, PNG, raw, shows, stream, text } from "./notebooks.js";

let folder: string;
before(() => {
  folder = mkdtempSync(join(tmpdir(), "sdtp-paper-"));
  writeFileSync(join(folder, "dot.png"), Buffer.from(PNG, "base64"));
  writeFileSync(join(folder, "refs.bib"), "@article{sdtp, title={Saliency {D}riven}, author={Tao, Wei and Li, Bo and Xu, C}, year={2025}, journal={arXiv}}\n@book{knuth, title={The TeXbook}, author={Knuth, Donald E.}, year=1984, publisher={AW}}\n");
  writeFileSync(join(folder, "no.bib"), "nothing");
});
after(() => rmSync(folder, { recursive: true, force: true }));

async function exported(cells: Cell[], format: Format = "html") {
  const warnings: string[] = [];
  const { document, files } = await exportNotebook(notebookOf(cells), format, { name: "book", folder, filesFolder: "book_files", warn: (text) => void warnings.push(text) });
  return { document: String(document), warnings, files };
}

const HEAD = raw("---\ntitle: A paper\nbibliography: refs.bib\n---");
const table = shows({ "text/html": "<table><tr><th>k</th></tr><tr><td>1</td></tr></table>", "text/plain": "t" });
const picture = shows({ "image/png": PNG, "text/plain": "p" });
const PAPER = [
  HEAD,
  text("See @tbl-a, @fig-b, [@fig-dot], @tbl-small, @eq-l; [see @knuth, p. 3; @sdtp], @sdtp says; me@x.org, @someone\n\n$$l = 1$$ {#eq-l}\n\n![A *dot*](dot.png){#fig-dot}\n\n| a |\n|---|\n| 1 |\n\n: Small {#tbl-small}"),
  code("//| label: tbl-a\n//| caption: Gains of $\\tau$\nrows", [table]),
  code("//| label: fig-b\n//| fig-cap: Lines\nchart", [picture]),
  code("//| caption: No label\ndf", [table]),
];

describe("a paper", () => {
  it("takes options from the comments at a cell's head, and leaves other comments", () => {
    assert.deepEqual(cellOptions("//| label: fig-a\n//| fig-cap: 'A: b'\nx // y"), { options: { label: "fig-a", caption: "A: b" }, source: "x // y" });
    assert.deepEqual(cellOptions("#| label: tbl-a\nx"), { options: { label: "tbl-a" }, source: "x" });
    for (const source of ["// label: fig-a\nx", "x\n//| label: fig-a", "//| [\nx"]) assert.deepEqual(cellOptions(source), { options: {}, source });
  });

  it("numbers captions in order and refers to them, in HTML", async () => {
    const { document, warnings } = await exported(PAPER);
    assert.deepEqual(warnings, []);
    assert.match(document, /<h1>A paper<\/h1>/);
    assert.ok(!document.includes("bibliography: refs.bib") && !document.includes("//|"));
    assert.match(document, /See <a href="#tbl-a">Table 2<\/a>, <a href="#fig-b">Figure 2<\/a>, <a href="#fig-dot">Figure 1<\/a>, <a href="#tbl-small">Table 1<\/a>, <a href="#eq-l">Equation \(1\)<\/a>; <a href="#ref-knuth">\(see Knuth, 1984, p\. 3; Tao et al\., 2025\)<\/a>, <a href="#ref-sdtp">Tao et al\. \(2025\)<\/a> says; me@x\.org, @someone/);
    assert.match(document, /<figure class="captioned" id="tbl-a"><figcaption><b>Table 2<\/b>: Gains of <span class="katex">/);
    assert.match(document, /<\/p><figcaption><b>Figure 2<\/b>: Lines<\/figcaption><\/figure>/);
    assert.match(document, /<figcaption><b>Table 3<\/b>: No label/);
    assert.match(document, /<table id="tbl-small">\n<caption><b>Table 1:<\/b> Small<\/caption>/);
    assert.match(document, /<span class="caption"><b>Figure 1:<\/b> A <em>dot<\/em><\/span>/);
    assert.match(document, /<h2>References<\/h2>\n<p id="ref-knuth">Knuth, D\. E\. \(1984\)\. <i>The TeXbook<\/i>\. AW\.<\/p>\n<p id="ref-sdtp">Tao/);
    const ids = new Set([...document.matchAll(/ id="([^"]+)"/g)].map(([, id]) => id));
    for (const [, target] of document.matchAll(/href="#([^"]+)"/g)) assert.ok(ids.has(target!), target);
  });

  it("is LaTeX's own in LaTeX: floats, labels, natbib", async () => {
    const { document, files, warnings } = await exported(PAPER, "latex");
    assert.deepEqual(warnings, []);
    assert.match(document, /See Table~\\ref\{tbl-a\}, Figure~\\ref\{fig-b\}, Figure~\\ref\{fig-dot\}, Table~\\ref\{tbl-small\}, Equation~\\eqref\{eq-l\}; \\citetext\{\\citealp\[see\]\[p\. 3\]\{knuth\}; \\citealp\{sdtp\}\}, \\citet\{sdtp\} says/);
    assert.match(document, /\\begin\{table\}\[H\]\n\\centering\n\\caption\{Gains of \$\\tau\$\}\\label\{tbl-a\}/);
    assert.match(document, /\\caption\{Lines\}\\label\{fig-b\}\n\\end\{figure\}/);
    assert.match(document, /\\usepackage\{natbib\}[^]*\\bibliography\{book_files\/references\}/);
    assert.ok(files.some(({ path, content }) => path === "book_files/references.bib" && Buffer.from(content).toString().includes("@book{knuth")));
  });

  it("keeps a float that is one already, with the author's caption", async () => {
    const own = shows({ "text/latex": "\\begin{table}\n\\begin{tabular}{l}a\\end{tabular}\n\\caption{Own {x}.}\n\\end{table}", "text/plain": "t" });
    const { document } = await exported([code("//| label: tbl-a\n//| caption: Mine\nx", [own]), code("//| label: tbl-b\nx", [own])], "latex");
    assert.match(document, /\\caption\{Mine\}\\label\{tbl-a\}\n\\end\{table\}/);
    assert.match(document, /\\caption\{Own \{x\}\.\}\\label\{tbl-b\}\n\\end\{table\}/);
    assert.equal(document.match(/\\begin\{table\}/g)?.length, 2);
  });

  it("is text with links in Markdown", async () => {
    const { document } = await exported(PAPER, "markdown");
    assert.match(document, /^See \[Table 2\]\(#tbl-a\), \[Figure 2\]\(#fig-b\), \[Figure 1\]\(#fig-dot\), \[Table 1\]\(#tbl-small\), \[Equation \(1\)\]\(#eq-l\); \[\(see Knuth/);
    assert.match(document, /<a id="tbl-small"><\/a>\*\*Table 1:\*\* Small/);
    assert.match(document, /<a id="tbl-a"><\/a>\*\*Table 2\*\*: Gains of \$\\tau\$/);
    assert.match(document, /## References\n\n<a id="ref-knuth"><\/a>Knuth/);
  });

  it("says what is referred to and not there, and what bibliography cannot be read", async () => {
    const { document, warnings } = await exported([HEAD, text("@fig-x and [@none] and `@fig-x`"), code("//| label: tbl-a\nx", [table]), code("//| label: tbl-a\nx", [table])]);
    assert.deepEqual(warnings, ["cell 4: the label tbl-a is there twice", "cell 2: nothing is labelled fig-x (there are tbl-a)", "cell 2: the bibliography has no none"]);
    assert.match(document, /@fig-x and \[@none\] and <code>@fig-x<\/code>/);
    assert.match((await exported([text("a [@none] and @sdtp")])).document, /a \[@none\] and @sdtp/);
    for (const [file, message] of [["gone.bib", /^Error: bibliography: .*gone\.bib \(no such file\)/], ["no.bib", /^Error: bibliography: no\.bib \(no valid BibTeX: no entry in it\)/]] as const) {
      await assert.rejects(exported([raw(`---\nbibliography: ${file}\n---`)]), message);
    }
  });
});

describe("slides", () => {
  const slides = (html: string) => [...html.slice(html.indexOf('<div class="slides">'), html.indexOf("<script>/")).matchAll(/<section>([\s\S]*?)(?=<\/?section>)/g)].map(([, inner]) => inner!.replace(/<[^>]*>/g, " ").replace(/\s+/g, " ").trim());

  it("begin at headings of the first two levels, in one file that loads nothing", async () => {
    const { document } = await exported([text("# T\n\nintro"), text("## One\n\na\n\n### Sub\n\n## Two"), code("x", [stream("out\n")])], "slides");
    assert.deepEqual(slides(document).map((slide) => slide.slice(0, 12).trim()), ["T intro", "One a Sub", "Two Code [1]"]);
    assert.ok(!/<script[^>]*src|<link|url\((?!data:)/.test(document.replace(/<script>[\s\S]*?<\/script>/g, "")));
    assert.match(document, /Content-Security-Policy[^>]*script-src 'sha256-/);
  });

  it("are as cells say where they say it: slides, slides below, pieces, notes, nothing", async () => {
    const typed = (source: string, slide_type: string): Cell => ({ ...text(source), metadata: { slideshow: { slide_type } } });
    const { document } = await exported([typed("# A", "slide"), typed("b", "fragment"), typed("c", "subslide"), typed("## not shown", "skip"), typed("said", "notes"), typed("D", "slide"), text("e")], "slides");
    assert.match(document, /<div class="fragment"><div class="markdown">\s*<p>b<\/p>/);
    assert.match(document, /<aside class="notes"><div class="markdown">\s*<p>said<\/p>/);
    assert.ok(!document.includes("not shown"));
    assert.deepEqual(slides(document).filter(Boolean), ["A b", "c said", "D e"]);
  });
});
