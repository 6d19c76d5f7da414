/** Controls in JupyterLab by `sdtp lab`, and in the page that is exported from there. Needs Chromium (Debian: chromium). */
import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { pathToFileURL } from "node:url";
import type { Browser, Page } from "playwright-core";
import { exportNotebook } from "../../../lib/notebook/export/index.js";
import { parseNotebook } from "../../../lib/notebook/index.js";
import { launch, noChromium, problemsOf } from "../../chromium.js";
import { PATIENCE, within } from "../../waits.js";
import { TestLab } from "../lab/lab.js";

const cells = [
  "sdtp.control({ keep: { min: 0.5, max: 1, step: 0.1 }, scorer: ['norm', 'learned'], note: 'a' }, ({ keep, scorer, note }) => `${note}: ${scorer} keeps ${(100 * keep).toFixed()} of 100`)",
  "sdtp.control({ n: { min: 1, max: 3 } }, ({ n }) => ({ data: [{ type: 'bar', x: [1, 2, 3], y: [n, 2 * n, 3 * n] }], layout: { title: { text: 'times ' + n }, height: 300 } }), { precompute: true })",
];

describe("controls in JupyterLab and in exported pages", { skip: noChromium, timeout: 3 * PATIENCE }, () => {
  let lab: TestLab;
  let browser: Browser;
  let page: Page;
  let problems: string[];
  const path = () => join(lab.folder, "controls.ipynb");
  before(async () => {
    lab = await TestLab.open();
    browser = await launch();
    writeFileSync(path(), JSON.stringify({
      nbformat: 4, nbformat_minor: 5, metadata: { kernelspec: { name: "sdtp", display_name: "TypeScript (sdtp)", language: "typescript" } },
      cells: cells.map((source, i) => ({ cell_type: "code", id: `cell-${i}`, metadata: {}, source, execution_count: null, outputs: [] })),
    }));
    page = await within("a tab", browser.newContext({ viewport: { width: 1300, height: 1000 } }).then((context) => context.newPage()));
    page.setDefaultTimeout(PATIENCE);
    problems = problemsOf(page, lab.origin);
    await page.goto(`${lab.origin}/lab/tree/controls.ipynb?reset&token=${lab.lab.token}`, { timeout: PATIENCE });
    await page.waitForSelector(".jp-NotebookPanel");
    await page.waitForFunction(() => jupyterapp.shell.currentWidget?.sessionContext?.session?.kernel?.status === "idle");
  });
  after(async () => {
    await within("the browser's end", Promise.resolve(browser?.close()));
    await lab?.close();
  });

  const view = (at: number, text: string, of = page) => of.locator(".sdtp-control").nth(at).locator(".sdtp-control-view").getByText(text).waitFor();

  it("a slider that is moved redraws its view, and so do a choice and a text", async () => {
    await page.evaluate(() => void jupyterapp.commands.execute("notebook:run-all-cells"));
    await view(0, "a: norm keeps 50 of 100");
    const first = page.locator(".sdtp-control").first();
    await first.locator("input[type=range]").focus();
    for (const _ of [1, 2]) await page.keyboard.press("ArrowRight");
    await view(0, "a: norm keeps 70 of 100");
    assert.equal(await first.locator("output").textContent(), "0.7");
    await first.locator("select").selectOption({ label: "learned" });
    await view(0, "a: learned keeps 70 of 100");
    await first.locator("input[type=text]").fill("dd");
    await page.keyboard.press("Enter");
    await view(0, "dd: learned keeps 70 of 100");
    // Letters did not reach the notebook: nothing was cut there.
    assert.equal(await page.evaluate(() => [...jupyterapp.shell.currentWidget.content.model.cells].length), cells.length);
  });

  it("a chart is drawn by Plotly, alive, and follows", async () => {
    await page.locator(".sdtp-control").nth(1).locator(".sdtp-control-view .plot-container").waitFor();
    await page.locator(".sdtp-control").nth(1).locator("input[type=range]").press("End");
    await view(1, "times 3");
  });

  it("the state that the notebook keeps is not shown beside a living control, and is the last", async () => {
    const kept = page.locator("[class^='sdtp-control-']:not(.sdtp-control *)");
    assert.equal(await kept.count(), 2);
    for (const each of await kept.all()) assert.equal(await each.isVisible(), false);
    await page.waitForFunction(() => JSON.stringify([...jupyterapp.shell.currentWidget.content.model.cells].map((cell) => cell.outputs.toJSON())).includes("note = dd"));
    await within("a save", page.evaluate(() => jupyterapp.shell.currentWidget.context.save()), { seen: () => page.locator(".jp-Dialog").allTextContents() });
    assert.match(readFileSync(path(), "utf8"), /keep = 0.7, scorer = learned, note = dd/);
  });

  it("a page that is loaded anew has the controls as they were, and they go on", async () => {
    await page.reload({ timeout: PATIENCE });
    await view(0, "dd: learned keeps 70 of 100");
    await page.locator(".sdtp-control").first().locator("input[type=range]").press("Home");
    await view(0, "dd: learned keeps 50 of 100");
    assert.deepEqual(problems.filter((each) => !/Disabling terminals plugin|No active debugger session|WebSocket is closed before|anywidget/.test(each)), []);
  });

  it("the exported page shows the last state, and stays interactive where all were computed, without a kernel and a network", async () => {
    const { document } = await exportNotebook(parseNotebook(readFileSync(path(), "utf8"), path()), "html", { name: "controls", folder: lab.folder, filesFolder: "controls_files" });
    const file = join(lab.folder, "controls.html");
    writeFileSync(file, document);
    const report = await (await browser.newContext({ offline: true })).newPage();
    report.setDefaultTimeout(PATIENCE);
    const wrong = problemsOf(report);
    await report.goto(pathToFileURL(file).href);
    const controls = report.locator(".sdtp-control");
    assert.equal(await controls.count(), 2);
    assert.match(String(await controls.first().textContent()), /keep: 0.7 · scorer: learned · note: dd.*dd: learned keeps 70 of 100/s);
    assert.equal(await controls.first().locator("input").count(), 0);
    await view(1, "times 3", report);
    const slider = controls.nth(1).locator("input[type=range]");
    assert.equal(await slider.inputValue(), "2");
    await slider.press("ArrowLeft");
    await view(1, "times 2", report);
    assert.equal(await controls.nth(1).locator(".plot-container").count(), 1);
    assert.deepEqual(wrong, []);
  });
});
