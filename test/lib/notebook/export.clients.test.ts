// Reports in a real browser. Needs Chromium; the PDF's text is read by Debian's poppler-utils.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { pathToFileURL } from "node:url";
import type { Browser, Page } from "playwright-core";
import { exportNotebook, type ExportOptions, type Format } from "../../../lib/notebook/export/index.js";
import { launch, noChromium, problemsOf } from "../../chromium.js";
import { chart, code, failed, notebookOf, PNG, shows, stream, text } from "./notebooks.js";

const evil = `<p>harmless</p><script>document.body.dataset.ran = "script"</script><img src="x" onerror="document.body.dataset.ran = 'handler'"><svg onload="document.body.dataset.ran = 'svg'"></svg><a href="javascript:void(document.body.dataset.ran = 'link')">go</a><style>body{font-style:italic} h1{display:none}</style><img src="https://example.org/pixel.png">`;
const table = `<table><caption>Latency</caption><thead><tr><th>Length</th><th>Total (s)</th></tr></thead><tbody>${Array.from({ length: 70 }, (_, i) => `<tr><td>${i}K</td><td>${i}.50</td></tr>`).join("")}</tbody></table>`;

const cells = [
  text("# A report\n\nMaths: $\\alpha_{ij} = \\frac{e^{x}}{\\sum_k e^{x_k}}$\n\n> quoted\n\n[jump](#charts)\n\n| a | b |\n|---|--:|\n| x | 1 |"),
  text("## Charts"),
  code("// speed\nconst rows: number[] = [1, 2]; `t${rows}`; /x/g.test('y')", [chart("Speedup"), chart("Points", { type: "scattergl", mode: "markers" })]),
  text("## Tables"),
  code("table", [shows({ "text/html": table, "text/plain": "table" })]),
  text("### Streams"),
  code("print()", [stream("\x1b[31mred\x1b[32mgreen\x1b[33myellow\x1b[34mblue\x1b[35mmagenta\x1b[36mcyan\x1b[37mwhite\x1b[90mgrey\x1b[0m\n"), stream("careful\n", "stderr"), failed("Error", "no", ["\x1b[31mError\x1b[0m: no"])]),
  code("hidden()", [shows({ "image/png": PNG, "text/plain": "a dot" }), shows({ "text/html": evil }), shows({ "text/latex": "$$e^{i\\pi} = -1$$" })], ["hide-input"]),
];

const withoutCharts = cells.map((cell) => (cell.cell_type === "code" ? { ...cell, outputs: cell.outputs.filter((output) => !("data" in output) || !("application/vnd.plotly.v1+json" in output.data)) } : cell));

describe("reports in Chromium", { skip: noChromium, timeout: 300_000 }, () => {
  let folder: string;
  let browser: Browser;
  before(async () => {
    folder = mkdtempSync(join(tmpdir(), "sdtp-export-"));
    browser = await launch();
  });
  after(async () => {
    await browser.close();
    rmSync(folder, { recursive: true, force: true });
  });

  const exported = async (format: Format, options: Partial<ExportOptions> = {}, shown = cells) => exportNotebook(notebookOf(shown), format, { name: "book", folder, filesFolder: "book_files", ...options });

  /** Charts take seconds on a busy machine: tests that are not about them leave them out. */
  async function opened(colorScheme: "light" | "dark", { charts = true, ...options }: Partial<ExportOptions> & { charts?: boolean } = {}): Promise<{ page: Page; problems: string[] }> {
    const file = join(folder, `${colorScheme}.html`);
    writeFileSync(file, (await exported("html", options, charts ? cells : withoutCharts)).document);
    const page = await browser.newPage({ colorScheme, viewport: { width: 1200, height: 800 } });
    const problems = problemsOf(page);
    await page.goto(pathToFileURL(file).href);
    await page.evaluate("window.reportReady");
    return { page, problems };
  }
  const background = (page: Page) => page.evaluate("getComputedStyle(document.body).backgroundColor");
  const chartText = (page: Page) => page.evaluate("getComputedStyle(document.querySelector('.gtitle')).fill");

  it("draws every chart, asks the network for nothing, and complains of nothing", async () => {
    const { page, problems } = await opened("light");
    assert.equal(await page.locator("figure.chart .main-svg .scatterlayer .trace").count(), 1);
    assert.ok(Number(await page.evaluate("document.querySelectorAll('figure.chart')[1].querySelectorAll('canvas').length")) > 0, "WebGL traces too");
    const box = (await page.locator("figure.chart .main-svg").first().boundingBox())!;
    assert.ok(box.width > 400 && box.height > 300);
    assert.deepEqual(problems.filter((problem) => !/WebGL|GPU stall|GL Driver/.test(problem)), []);
    await page.close();
  });

  it("runs no script that an output brought, and keeps an output's style inside it", async () => {
    const { page } = await opened("light", { charts: false });
    await page.locator("a", { hasText: "go" }).click();
    assert.equal(await page.evaluate("document.body.dataset.ran"), undefined);
    assert.ok(await page.locator("h1").isVisible());
    assert.equal(await page.evaluate("getComputedStyle(document.body).fontStyle"), "normal");
    assert.ok(await page.getByText("harmless").isVisible());
    // Not the sanitiser alone: what would get by it is refused by the page's policy.
    await page.evaluate("document.querySelector('main').insertAdjacentHTML('beforeend', `<img src=data:, onerror=\"document.body.dataset.ran = 'inserted'\">`)");
    await page.waitForTimeout(100);
    assert.equal(await page.evaluate("document.body.dataset.ran"), undefined);
    await page.close();
    const trusted = await opened("light", { trust: true, charts: false });
    assert.notEqual(await trusted.page.evaluate("document.body.dataset.ran"), undefined, "it does run where it is trusted");
    await trusted.page.close();
  });

  it("follows the system's colours and the button, charts too, and remembers", async () => {
    const { page, problems } = await opened("dark");
    assert.equal(await background(page), "rgb(13, 17, 23)");
    const onDark = await chartText(page);
    await page.getByRole("button", { name: "Light colours" }).click();
    assert.equal(await background(page), "rgb(255, 255, 255)");
    await page.waitForFunction((before) => getComputedStyle((globalThis as any).document.querySelector(".gtitle")).fill !== before, onDark);
    await page.reload();
    assert.equal(await background(page), "rgb(255, 255, 255)");
    assert.deepEqual(problems.filter((problem) => !/WebGL|GPU stall|GL Driver/.test(problem)), []);
    await page.close();
  });

  it("folds code, one cell and all", async () => {
    const { page } = await opened("light", { charts: false });
    const first = page.locator("details.input pre").first();
    assert.ok(await first.isVisible());
    assert.ok(!(await page.getByText("hidden()").isVisible()), "hide-input");
    await page.locator("details.input summary").first().click();
    assert.ok(!(await first.isVisible()));
    await page.getByRole("button", { name: "Hide code" }).click();
    assert.equal(await page.locator("details.input[open]").count(), 0);
    await page.getByRole("button", { name: "Show code" }).click();
    assert.ok(await page.getByText("hidden()").isVisible());
    await page.close();
  });

  for (const colorScheme of ["light", "dark"] as const) {
    it(`has no accessibility faults that axe finds, ${colorScheme}`, async () => {
      const { page } = await opened(colorScheme, { charts: colorScheme === "light" });
      await page.evaluate(readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8"));
      await page.evaluate("document.querySelectorAll('details').forEach((each) => { each.open = true })");
      const found = (await page.evaluate("axe.run(document, { runOnly: ['wcag2a', 'wcag2aa', 'wcag21aa', 'best-practice'] })")) as { violations: { id: string; nodes: { html: string; failureSummary: string }[] }[]; passes: { id: string }[] };
      assert.deepEqual(found.violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html, failureSummary }) => `${html.slice(0, 200)} ${failureSummary}`).join("\n")}`), []);
      assert.ok(found.passes.some(({ id }) => id === "color-contrast") && found.passes.some(({ id }) => id === "heading-order"));
      await page.close();
    });
  }

  it("prints PDF with its charts, the table's head on each page, and page numbers", { skip: spawnSync("pdftotext", ["-v"]).error && "needs pdftotext (Debian: poppler-utils)" }, async () => {
    const file = join(folder, "book.pdf");
    writeFileSync(file, (await exported("pdf")).document);
    const run = (command: string, ...args: string[]) => spawnSync(command, args, { encoding: "utf8" }).stdout;
    const pages = Number(/^Pages:\s+(\d+)/m.exec(run("pdfinfo", file))?.[1]);
    assert.ok(pages >= 3, `${pages}`);
    const printed = run("pdftotext", "-layout", file, "-");
    assert.match(printed, /A report/);
    assert.match(printed, /Speedup/, "a chart's title is text");
    assert.ok((printed.match(/Length\s+Total \(s\)/g) ?? []).length >= 2);
    assert.match(printed, new RegExp(`1\\s*/\\s*${pages}`));
    assert.ok(!printed.includes("hidden()") && !printed.includes("Hide code"));
    assert.match(run("pdfinfo", file), /Tagged:\s+yes/);
  });

  it("puts pictures beside the data of charts in a notebook to share, in place of HTML with scripts, and tables beside charts apart", async () => {
    const tabled = chart("Tracked");
    assert.ok(tabled.output_type === "display_data");
    tabled.data["text/html"] = `<div id="plotly-1" style="min-height:9px"><pre>twin</pre></div><script>draw("<table>")</script><table><tr><th>step</th></tr><tr><td>7</td></tr></table>`;
    const { document, files } = await exported("notebook", {}, [code("draw()", [chart("Speedup"), tabled, shows({ "image/png": PNG })])]);
    assert.deepEqual(files, []);
    const [cell] = (JSON.parse(String(document)) as { cells: { outputs: { data: Record<string, string> }[] }[] }).cells;
    assert.deepEqual(cell!.outputs.map(({ data }) => Object.keys(data)), [
      ["application/vnd.plotly.v1+json", "image/png", "text/plain"], ["application/vnd.plotly.v1+json", "image/png", "text/plain"], ["text/html", "text/plain"], ["image/png"],
    ]);
    const png = Buffer.from(cell!.outputs[0]!.data["image/png"]!, "base64");
    assert.deepEqual([png.readUInt32BE(16), png.readUInt32BE(20)], [800, 450]);
    assert.equal(cell!.outputs[2]!.data["text/html"], "<table><tr><th>step</th></tr><tr><td>7</td></tr></table>");
    const page = String((await exported("html", {}, [code("draw()", [tabled])])).document);
    assert.ok(page.includes("<td>7</td>") && page.includes('<figure class="chart"'), "a report shows both");
  });

  it("draws charts as pictures for Markdown", async () => {
    const { files, document } = await exported("markdown");
    assert.deepEqual(files.map(({ path }) => path).sort(), ["book_files/cell-1-2.png", "book_files/cell-1.png", "book_files/cell-4.png"]);
    const png = Buffer.from(files.find(({ path }) => path.endsWith("cell-1.png"))!.content);
    assert.deepEqual([png.readUInt32BE(16), png.readUInt32BE(20)], [1600, 900]);
    assert.ok(png.length > 10_000);
    assert.ok(String(document).includes("book_files/cell-1.png"));
  });

  it("makes of images that LaTeX does not read some that it does, each once", async () => {
    const svg = "<svg width='20' height='20'><circle r='9' cx='10' cy='10'/></svg>";
    const { files, document } = await exported("latex", {}, [text("![s](attachment:s%20a.svg) and ![s](attachment:s%20a.svg)", { "s a.svg": { "image/svg+xml": svg } })]);
    assert.deepEqual(files.map(({ path }) => path.replace(/^.*\//, "")), ["s-a.pdf"]);
    assert.equal(String(document).match(/\\includegraphics[^\n]*s-a\.pdf/g)?.length, 2);
  });

  it("draws charts for LaTeX as lines and letters", async () => {
    const { files, document } = await exported("latex");
    const chart = files.find(({ path }) => path === "book_files/cell-1.pdf");
    assert.ok(chart, files.map(({ path }) => path).join());
    const file = join(folder, "chart.pdf");
    writeFileSync(file, chart.content);
    assert.match(Buffer.from(chart.content).toString("latin1"), /^%PDF-[^]*\/Count 1\b/);
    const [text, images] = [spawnSync("pdftotext", [file, "-"], { encoding: "utf8" }), spawnSync("pdfimages", ["-list", file], { encoding: "utf8" })];
    if (!text.error) assert.match(text.stdout, /Speedup/);
    if (!images.error) assert.doesNotMatch(images.stdout, / image /);
    assert.ok(String(document).includes("book_files/cell-1.pdf"));
  });
});
