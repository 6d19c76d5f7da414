// What `sdtp export --to latex` writes, set by LaTeX. Needs TeX Live (Debian: texlive-latex-extra, texlive-luatex, texlive-xetex,
// texlive-fonts-recommended, lmodern), which is large: `.ci/run` installs it where that is quick. By itself: `npm run test:latex`.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { describe, it, type TestContext } from "node:test";
import { exportNotebook } from "../../../lib/notebook/export/index.js";
import type { Cell } from "../../../lib/notebook/types.js";
import { code, notebookOf, PNG, raw, shows, stream, text } from "./notebooks.js";

const engines = ["pdflatex", "lualatex", "xelatex"];
const missing = engines.filter((engine) => spawnSync(engine, ["--version"]).error);
const skip = missing.length > 0 ? `needs ${missing.join(", ")} (Debian: texlive-latex-extra texlive-luatex texlive-xetex texlive-fonts-recommended lmodern)` : false;

/** Sets a notebook with an engine. @returns its log */
async function set(t: TestContext, engine: string, cells: Cell[]): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), "sdtp-latex-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  writeFileSync(join(folder, "refs.bib"), "@book{knuth, title={The TeXbook}, author={Knuth, Donald E.}, year=1984, publisher={AW}}\n");
  const { document, files } = await exportNotebook(notebookOf(cells), "latex", { name: "a #1 100%", folder, filesFolder: "a #1 100%_files" });
  writeFileSync(join(folder, "book.tex"), document);
  for (const { path, content } of files) {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), content);
  }
  const run = () => spawnSync(engine, ["-interaction=nonstopmode", "-halt-on-error", "book.tex"], { cwd: folder, encoding: "utf8", timeout: 300_000 });
  let { status, stdout } = run();
  if (files.some(({ path }) => path.endsWith(".bib"))) {
    spawnSync("bibtex", ["book"], { cwd: folder, timeout: 300_000 });
    run();
    ({ status, stdout } = run());
  }
  assert.equal(status, 0, stdout.slice(-2000));
  return readFileSync(join(folder, "book.log"), "utf8");
}

describe("LaTeX", { skip, timeout: 900_000 }, () => {
  const cells = [
    raw("---\ntitle: A & B, 100 %\nbibliography: refs.bib\n---"),
    text("## Maths\n\n$$y = 1$$, and $\\mathbb{R}$, $\\mathscr{F}$ [@knuth], @eq-one, @tbl-a\n\n$$x$$ {#eq-one}\n\ntext\n\\begin{align}\na &= b \\\\\nc &= d \\nonumber\n\\end{align}.\n\n\\begin{eqnarray} a &=& b \\end{eqnarray}\n\n$\\newcommand{\\v}[1]{\\mathbf{#1}}\\v{x}$ $\\nothing{x}$ $\\require{cancel}\\cancel{x}$ $\\R$"),
    text("$\\v{y}$\n\n| a | $|x|$ |\n|---|:-:|\n| b<br>c | $\\|v\\|$ |\n\n<br><br>text\n\n- [x] done\n- [ ] not\n\n> [!NOTE]\n> note\n\n![a b.png](attachment:a b.png)", { "a b.png": { "image/png": PNG } }),
    code("//| label: tbl-a\n//| caption: Gains in %\nconst s = `\\\\{}%&_^~#$`; // ×", [shows({ "text/html": `<table><tr><th>k_1</th></tr><tr><td>5 %</td></tr></table>`, "text/plain": "t" })]),
    code("x", [stream("50 % \\ {a}_b ≤ ▂█░ │ ┌ \x1b[31mred\x1b[0m\n"), shows({ "text/html": `<table><tr><th>n</th></tr>${"<tr><td>1</td></tr>".repeat(2000)}</table>`, "text/plain": "t" })]),
  ];

  for (const engine of engines) it(`is set by ${engine}: maths, tables, pictures, citations, whatever the notebook is called`, async (t) => {
    assert.doesNotMatch(await set(t, engine, cells), /undefined references|Missing character|Citation .* undefined/);
  });

  for (const engine of engines) it(`is set by ${engine} with letters that its fonts lack`, async (t) => {
    await set(t, engine, [text("# 漢字 한글\n\nПривет 😀 עברית"), code("x", [stream("漢字 😀\n")])]);
  });
});
