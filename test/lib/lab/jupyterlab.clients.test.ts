/** JupyterLab itself in a browser, as a person uses it. Needs Chromium (Debian: chromium). */
import assert from "node:assert/strict";
import { copyFileSync, existsSync, readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import type { Page } from "playwright-core";
import { noChromium } from "../../chromium.js";
import { root } from "../../kernel/session.js";
import { LabInBrowser, PATIENCE } from "./page.js";
import type { TestLab } from "./lab.js";

describe("JupyterLab by sdtp lab", { skip: noChromium }, () => {
  let at: LabInBrowser;
  let lab: TestLab;
  let page: Page;
  before(async () => {
    at = await LabInBrowser.start();
    lab = at.lab;
    // JupyterLab drops completions that took the kernel longer, as the first may on a busy machine.
    assert.equal((await lab.json("PUT", "/lab/api/settings/@jupyterlab/completer-extension:manager", { raw: JSON.stringify({ providerTimeout: PATIENCE }) })).status, 204);
  });
  after(() => at?.close());

  const open = (path?: string) => at.open(path);
  const ready = (tab: Page) => at.ready(tab);
  const cells = (tab: Page) => at.cells(tab);
  const execute = (tab: Page, command: string, args?: object) => at.execute(tab, command, args);
  const store = (name: string, ...sources: string[]) => at.store(name, ...sources);
  const finished = (tab: Page) => tab.waitForFunction(() => [...jupyterapp.shell.currentWidget.content.model.cells].filter(({ type }) => type === "code").every((cell) => cell.executionCount !== null && cell.executionState === "idle"));
  const text = (outputs: { text?: string | string[] }[]) => outputs.map((output) => [output.text ?? ""].flat().join("")).join("");
  const stored = (name: string) => JSON.parse(readFileSync(join(lab.folder, name), "utf8")) as { cells: { source: string[]; outputs: { text?: string[]; ename?: string }[] }[] };
  const eventually = async (is: () => boolean) => {
    while (!is()) await new Promise((resolve) => setTimeout(resolve, 200));
  };

  it("runs all of the quickstart: Plotly, dataframes and the token view are drawn", async () => {
    copyFileSync(join(root, "notebooks", "quickstart.ipynb"), join(lab.folder, "quickstart.ipynb"));
    page = await open("quickstart.ipynb");
    await execute(page, "notebook:run-all-cells");
    await page.waitForFunction(() => [...jupyterapp.shell.currentWidget.content.model.cells].some(({ executionState }) => executionState === "running"));
    await finished(page);
    assert.deepEqual((await cells(page)).flatMap(({ outputs }) => outputs).filter((output) => output.output_type === "error"), []);
    // Everything is looked at: a notebook's window draws what is in sight.
    for (const selector of [".jp-OutputArea-output table", ".jp-OutputArea-output .js-plotly-plot, .jp-OutputArea-output .plotly, .jp-OutputArea-output iframe, .jp-OutputArea-output svg"]) {
      const found = async () => (await page.locator(selector).count()) > 0;
      for (let n = 0; !(await found()) && n < 60; n++) {
        await page.mouse.move(700, 500);
        await page.mouse.wheel(0, 500);
        await page.waitForTimeout(200);
      }
      assert.ok(await found(), selector);
    }
    assert.deepEqual(at.serious(), []);
    await page.context().close();
  });

  it("interrupts and restarts by the menu's commands", async () => {
    store("loop.ipynb", "let before = 1; console.log('loops'); while (true) {}", "console.log(typeof before)");
    page = await open("loop.ipynb");
    await execute(page, "notebook:run-cell");
    await page.waitForFunction(() => document.querySelector(".jp-OutputArea-output")?.textContent?.includes("loops"));
    await execute(page, "notebook:interrupt-kernel");
    await page.waitForFunction(() => [...jupyterapp.shell.currentWidget.content.model.cells][0]?.outputs.toJSON().some((output) => output.ename === "KeyboardInterrupt"));
    await execute(page, "notebook:restart-kernel");
    await page.click(".jp-Dialog .jp-mod-warn");
    await page.waitForFunction(() => jupyterapp.shell.currentWidget.sessionContext.session?.kernel?.status === "idle");
    await page.evaluate(() => void ([...jupyterapp.shell.currentWidget.content.model.cells][1]?.sharedModel.setSource("typeof (globalThis as any).before")));
    await execute(page, "notebook:move-cursor-down");
    await execute(page, "notebook:run-cell");
    await page.waitForFunction(() => [...jupyterapp.shell.currentWidget.content.model.cells][1]?.outputs.toJSON().some((output) => String(output.data?.["text/plain"]).includes("undefined")));
    await page.context().close();
  });

  it("a page that is loaded anew in the middle of a long cell shows what came, follows what comes, and saves without asking", async () => {
    const go = join(lab.folder, "go");
    store("long.ipynb", `console.log("begun"); while (!require("node:fs").existsSync(${JSON.stringify(go)})) await new Promise((end) => setTimeout(end, 50)); console.log("ended"); 6 * 7`, "console.log('and the next')");
    page = await open("long.ipynb");
    await execute(page, "notebook:run-all-cells");
    await page.waitForFunction(() => document.querySelector(".jp-OutputArea-output")?.textContent?.includes("begun"));
    await page.reload({ timeout: PATIENCE });
    await page.waitForFunction(() => [...(globalThis.jupyterapp?.shell.currentWidget?.content?.model?.cells ?? [])][0]?.executionState === "running");
    assert.equal(text((await cells(page))[0]?.outputs ?? []), "begun\n");
    writeFileSync(go, "");
    await finished(page);
    const [first, second] = await cells(page);
    assert.equal(text(first?.outputs ?? []), "begun\nended\n");
    assert.equal(first?.outputs.at(-1)?.data?.["text/plain"], "42");
    assert.equal(text(second?.outputs ?? []), "and the next\n");
    await page.evaluate(() => jupyterapp.shell.currentWidget.context.save());
    assert.equal(await page.locator(".jp-Dialog").count(), 0);
    assert.equal(text(stored("long.ipynb").cells[1]?.outputs ?? []), "and the next\n");
    await page.context().close();
  });

  it("a tab that is closed in the middle of a long cell finds its outputs when it is opened again", async () => {
    const go = join(lab.folder, "go-on");
    store("closed.ipynb", `console.log("begun"); while (!require("node:fs").existsSync(${JSON.stringify(go)})) await new Promise((end) => setTimeout(end, 50)); console.log("ended")`);
    page = await open("closed.ipynb");
    await execute(page, "notebook:run-all-cells");
    await page.waitForFunction(() => document.querySelector(".jp-OutputArea-output")?.textContent?.includes("begun"));
    await page.context().close();
    writeFileSync(go, "");
    await eventually(() => text(stored("closed.ipynb").cells[0]?.outputs ?? []) === "begun\nended\n");
    page = await open("closed.ipynb");
    assert.equal(text((await cells(page))[0]?.outputs ?? []), "begun\nended\n");
    await page.context().close();
  });

  it("a new notebook from the launcher: completion, a tooltip, and its name changed while its kernel runs", async () => {
    page = await open();
    await page.locator('.jp-LauncherCard[data-category="Notebook"]').first().click();
    await page.waitForSelector(".jp-NotebookPanel");
    await ready(page);
    await page.locator(".jp-NotebookPanel .jp-Cell .cm-content").first().click();
    await page.keyboard.type("const measured = [1, 2, 3]; measured.");
    await page.keyboard.press("Tab");
    await page.waitForFunction(() => [...document.querySelectorAll(".jp-Completer-item")].some((item) => item.textContent?.includes("toSorted")));
    await page.keyboard.type("toSor");
    await page.waitForFunction(() => document.querySelectorAll(".jp-Completer-item").length === 1);
    await page.keyboard.press("Enter");
    await page.waitForFunction(() => [...jupyterapp.shell.currentWidget.content.model.cells][0]?.sharedModel.getSource().endsWith("measured.toSorted"));
    await page.keyboard.type("().length");
    await execute(page, "tooltip:launch-notebook");
    await page.waitForFunction(() => /number/.test(document.querySelector(".jp-Tooltip")?.textContent ?? ""));
    await page.keyboard.press("Escape");
    await execute(page, "notebook:run-cell");
    await page.waitForFunction(() => [...jupyterapp.shell.currentWidget.content.model.cells][0]?.outputs.toJSON().some((output) => output.data?.["text/plain"] === "3"));
    const kernel = await page.evaluate(() => jupyterapp.shell.currentWidget.sessionContext.session?.kernel?.id);
    await page.evaluate(() => jupyterapp.shell.currentWidget.context.save());
    await execute(page, "docmanager:rename");
    await page.locator(".jp-Dialog input").first().fill("renamed.ipynb");
    await page.locator(".jp-Dialog .jp-mod-accept").click();
    await page.waitForFunction(() => jupyterapp.shell.currentWidget.context.path === "renamed.ipynb");
    assert.match(stored("renamed.ipynb").cells[0]?.source.join("") ?? "", /measured\.toSorted/);
    assert.equal(existsSync(join(lab.folder, "Untitled.ipynb")), false);
    assert.equal(await page.evaluate(() => jupyterapp.shell.currentWidget.sessionContext.session?.kernel?.id), kernel);
    await page.context().close();
  });

  it("answers beside a cell that runs: completion in the notebook, code in a subshell's console, which ends the cell", async () => {
    store("beside.ipynb", "let n = 0;\nwhile (n >= 0) { n++; await new Promise((end) => setTimeout(end, 5)); }\n'left'", "const list = [n]; list.");
    page = await open("beside.ipynb");
    await execute(page, "notebook:run-cell-and-select-next");
    await page.waitForFunction(() => [...jupyterapp.shell.currentWidget.content.model.cells][0]?.executionState === "running");
    await page.locator(".jp-NotebookPanel .jp-Cell .cm-content").nth(1).click();
    await page.keyboard.press("End");
    await page.keyboard.press("Tab");
    await page.waitForFunction(() => [...document.querySelectorAll(".jp-Completer-item")].some((item) => item.textContent?.includes("toSorted")));
    await page.keyboard.press("Escape");
    await execute(page, "notebook:create-subshell-console");
    const prompt = page.locator(".jp-ConsolePanel .jp-CodeConsole-promptCell .cm-content");
    await prompt.waitFor();
    // JupyterLab has the console before it has its subshell.
    await page.waitForFunction(() => typeof (jupyterapp.shell.currentWidget.sessionContext?.session?.kernel as { subshellId?: string } | undefined)?.subshellId === "string");
    for (const [typed, answer] of [["n > 0", "true"], ["n = -1000", "-1000"]] as const) {
      await prompt.click();
      await page.keyboard.type(typed);
      await page.keyboard.press("Shift+Enter");
      await page.locator(".jp-ConsolePanel .jp-OutputArea-output", { hasText: answer }).first().waitFor();
    }
    await page.locator(".jp-NotebookPanel .jp-OutputArea-output", { hasText: "left" }).waitFor();
    assert.deepEqual(at.serious(), []);
    await page.context().close();
  });

  it("a file that another program changes is shown anew", async () => {
    store("changed.ipynb", "1");
    page = await open("changed.ipynb");
    await page.evaluate(() => jupyterapp.shell.currentWidget.context.save());
    store("changed.ipynb", "1", "'from outside'");
    await page.waitForFunction(() => [...jupyterapp.shell.currentWidget.content.model.cells].some((cell) => cell.sharedModel.getSource().includes("from outside")));
    assert.equal(await page.locator(".jp-Dialog").count(), 0);
    await page.context().close();
  });

  it("is dark where that is chosen; axe finds nothing critical but what JupyterLab itself has", async () => {
    page = await open();
    await execute(page, "apputils:change-theme", { theme: "JupyterLab Dark" });
    await page.waitForFunction(() => document.body.dataset.jpThemeLight === "false");
    await page.reload({ timeout: PATIENCE });
    await page.waitForFunction(() => document.body.dataset.jpThemeLight === "false");
    await page.waitForSelector(".jp-Launcher");
    await page.addScriptTag({ path: createRequire(import.meta.url).resolve("axe-core") });
    const found = await page.evaluate(async () => (await (globalThis as unknown as { axe: { run(options: object): Promise<{ violations: { id: string; impact: string }[] }> } }).axe.run({ resultTypes: ["violations"] })).violations.filter(({ impact, id }) => impact === "critical" && id !== "aria-allowed-attr").map(({ id }) => id));
    assert.deepEqual(found, []);
    await page.context().close();
  });
});
