// The kernel in the real Jupyter Notebook, driven as a person does. Needs Debian's jupyter-notebook and chromium.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { cpSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import type { Browser, Page } from "playwright-core";
import { packageRoot } from "../../../lib/checkpoint/package-root.js";
import { launch, noChromium, problemsOf } from "../../chromium.js";
import { JupyterServer } from "./jupyter-server.js";

const noJupyter = spawnSync("jupyter-notebook", ["--version"]).error ? "needs jupyter-notebook (Debian: jupyter-notebook)" : false;
/** The machine may be busy. */
const PATIENCE = 120_000;
/** For all cells together. */
const WHOLE = 600_000;

describe("Jupyter Notebook", { skip: noChromium || noJupyter, timeout: 900_000 }, () => {
  let folder: string;
  let server: JupyterServer;
  let browser: Browser;
  let page: Page;
  let problems: string[];
  before(async () => {
    folder = mkdtempSync(join(tmpdir(), "sdtp-jupyter-"));
    cpSync(join(packageRoot(), "notebooks", "quickstart.ipynb"), join(folder, "quickstart.ipynb"));
    server = await JupyterServer.start(folder, join(folder, "home"));
    browser = await launch();
    page = await browser.newPage({ viewport: { width: 1100, height: 1000 } });
    page.setDefaultTimeout(PATIENCE);
    problems = problemsOf(page, server.origin);
    await page.goto(server.url("notebooks/quickstart.ipynb"));
    await page.waitForFunction("window.Jupyter?.notebook?.kernel?.info_reply?.implementation !== undefined");
  });
  after(async () => {
    await browser?.close();
    await server?.stop();
    rmSync(folder, { recursive: true, force: true });
  });

  const allDone = () => page.waitForFunction("Jupyter.notebook.get_cells().every((cell) => cell.cell_type !== 'code' || !/\\*/.test(cell.element.find('.input_prompt').text()))", undefined, { timeout: WHOLE });

  /** Types a cell below the last one. @returns its place among the cells */
  async function newCell(source: string): Promise<number> {
    await page.evaluate("Jupyter.notebook.select(Jupyter.notebook.ncells() - 1)");
    await page.keyboard.press("Escape");
    await page.keyboard.press("b");
    await page.keyboard.press("Enter");
    await page.keyboard.type(source);
    return Number(await page.evaluate("Jupyter.notebook.get_selected_index()"));
  }

  it("shows what was committed before anything runs: tables, and charts as pictures", async () => {
    assert.ok(await page.locator("th", { hasText: "KV Reduction" }).first().isVisible());
    assert.ok((await page.locator(".output_png img").count()) >= 2);
    assert.equal(await page.locator(".main-svg").count(), 0);
  });

  it("runs all cells: progress, a dataframe, Table 2, charts", async () => {
    assert.match(await page.locator(".kernel_indicator_name").innerText(), /TypeScript \(sdtp\)/);
    await page.locator("#celllink").click();
    await page.locator("#run_all_cells > a").click();
    await page.waitForSelector(".output_area progress", { state: "attached" });
    await allDone();
    assert.deepEqual(await page.locator(".output_error").allInnerTexts(), []);
    assert.ok(await page.locator("table.dataframe").first().isVisible());
    assert.ok(await page.locator("th", { hasText: "KV Reduction" }).first().isVisible());
    await page.waitForSelector(".output_area .main-svg .scatterlayer .trace");
    assert.deepEqual(problems.filter((problem) => problem.startsWith("asks") || problem.startsWith("throws")), []);
  });

  it("completes sdtp. with Tab", async () => {
    const at = await newCell("sdtp.");
    await page.keyboard.press("Tab");
    await page.waitForSelector("#complete option");
    const options = await page.locator("#complete option").allInnerTexts();
    for (const name of ["load", "sweep", "table2", "chart"]) assert.ok(options.some((option) => option.trim().endsWith(name)), `${name} in ${options}`);
    await page.locator("#complete option", { hasText: "sweep" }).first().dblclick();
    await page.waitForFunction(`Jupyter.notebook.get_cell(${at}).get_text() === "sdtp.sweep"`);
  });

  it("interrupts a sweep, and keeps the variables", async () => {
    const at = await newCell("const long: sdtp.SweepRow[] = []; for await (const row of sdtp.sweep({ configs: ['baseline', 'keep07'], lengths: [256, 8192, 16384], repeats: 20, folder: 'long' })) long.push(row);");
    await page.keyboard.press("Control+Enter");
    const cell = page.locator(".cell").nth(at);
    await cell.locator(".output_html", { hasText: "0 of 3 cells done" }).locator("progress").waitFor();
    await page.locator("button[data-jupyter-action='jupyter-notebook:interrupt-kernel']").click();
    await page.waitForFunction((at) => !/\*/.test((globalThis as any).Jupyter.notebook.get_cell(at).element.find(".input_prompt").text()), at);
    await cell.locator(".output_error", { hasText: "KeyboardInterrupt" }).waitFor();
    await cell.locator(".output_html", { hasText: /stopped after \d+ rows?; what was measured is kept/ }).waitFor();
    await newCell("ids.length + rows.length");
    await page.keyboard.press("Control+Enter");
    await allDone();
    assert.equal(await page.locator(".output_result").last().innerText(), "1036");
  });
});
