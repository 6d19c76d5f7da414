/** JupyterLab itself in a browser, as a person uses it. Needs Chromium (Debian: chromium). */
import assert from "node:assert/strict";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import type { Page } from "playwright-core";
import { noChromium } from "../../chromium.js";
import { root } from "../../kernel/session.js";
import { eventually, PATIENCE, within } from "../../waits.js";
import { LabInBrowser } from "./page.js";
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
  const until = <Arg>(what: string, holds: (arg: Arg) => unknown, arg?: Arg) => at.until(page, what, holds, arg);
  const cells = (tab: Page) => at.cells(tab);
  const execute = (tab: Page, command: string, args?: object) => at.execute(tab, command, args);
  const store = (name: string, ...sources: string[]) => at.store(name, ...sources);
  const finished = () => until("the end of all cells", () => [...jupyterapp.shell.currentWidget.content.model.cells].filter(({ type }) => type === "code").every((cell) => cell.executionCount !== null && cell.executionState === "idle"));
  const text = (outputs: { text?: string | string[] }[]) => outputs.map((output) => [output.text ?? ""].flat().join("")).join("");
  const stored = (name: string) => JSON.parse(readFileSync(join(lab.folder, name), "utf8")) as { cells: { source: string[]; outputs: { text?: string[]; ename?: string }[] }[] };

  it("runs all of the quickstart: Plotly, dataframes and the token view are drawn", async () => {
    const notebook = readFileSync(join(root, "notebooks", "quickstart.ipynb"), "utf8");
    // What it measures is not what is looked at here.
    const quick = notebook.replace("lengths: [512, 1024, 2048], repeats: 3, maxNewTokens: 32", "lengths: [256], repeats: 1, maxNewTokens: 4");
    assert.notEqual(quick, notebook);
    writeFileSync(join(lab.folder, "quickstart.ipynb"), quick);
    page = await open("quickstart.ipynb");
    await execute(page, "notebook:run-all-cells");
    await until("a cell that runs", () => [...jupyterapp.shell.currentWidget.content.model.cells].some(({ executionState }) => executionState === "running"));
    await finished();
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
    await at.leave(page);
  });

  it("interrupts and restarts by the menu's commands", async () => {
    store("loop.ipynb", "let before = 1; console.log('loops'); while (true) {}", "console.log(typeof before)");
    page = await open("loop.ipynb");
    await execute(page, "notebook:run-cell");
    await until('"loops" below the cell', () => document.querySelector(".jp-OutputArea-output")?.textContent?.includes("loops"));
    await execute(page, "notebook:interrupt-kernel");
    await until("KeyboardInterrupt below the cell", () => [...jupyterapp.shell.currentWidget.content.model.cells][0]?.outputs.toJSON().some((output) => output.ename === "KeyboardInterrupt"));
    await at.restart(page);
    await within("a change of the cell", page.evaluate(() => void ([...jupyterapp.shell.currentWidget.content.model.cells][1]?.sharedModel.setSource("typeof (globalThis as any).before"))));
    await execute(page, "notebook:move-cursor-down");
    await execute(page, "notebook:run-cell");
    await until("the cell's value", () => [...jupyterapp.shell.currentWidget.content.model.cells][1]?.outputs.toJSON().some((output) => String(output.data?.["text/plain"]).includes("undefined")));
    await at.leave(page);
  });

  it("a page that is loaded anew in the middle of a long cell shows what came, follows what comes, and saves without asking", async () => {
    const go = join(lab.folder, "go");
    store("long.ipynb", `console.log("begun"); while (!require("node:fs").existsSync(${JSON.stringify(go)})) await new Promise((end) => setTimeout(end, 50)); console.log("ended"); 6 * 7`, "console.log('and the next')");
    page = await open("long.ipynb");
    await execute(page, "notebook:run-all-cells");
    await until('"begun" below the cell', () => document.querySelector(".jp-OutputArea-output")?.textContent?.includes("begun"));
    await page.reload({ timeout: PATIENCE });
    await until("a cell that runs, in the page that was loaded anew", () => [...(globalThis.jupyterapp?.shell.currentWidget?.content?.model?.cells ?? [])][0]?.executionState === "running");
    assert.equal(text((await cells(page))[0]?.outputs ?? []), "begun\n");
    writeFileSync(go, "");
    await finished();
    const [first, second] = await cells(page);
    assert.equal(text(first?.outputs ?? []), "begun\nended\n");
    assert.equal(first?.outputs.at(-1)?.data?.["text/plain"], "42");
    assert.equal(text(second?.outputs ?? []), "and the next\n");
    await at.save(page);
    assert.equal(await page.locator(".jp-Dialog").count(), 0);
    assert.equal(text(stored("long.ipynb").cells[1]?.outputs ?? []), "and the next\n");
    await at.leave(page);
  });

  it("a tab that is closed in the middle of a long cell finds its outputs when it is opened again", async () => {
    const go = join(lab.folder, "go-on");
    store("closed.ipynb", `console.log("begun"); while (!require("node:fs").existsSync(${JSON.stringify(go)})) await new Promise((end) => setTimeout(end, 50)); console.log("ended")`);
    page = await open("closed.ipynb");
    await execute(page, "notebook:run-all-cells");
    await until('"begun" below the cell', () => document.querySelector(".jp-OutputArea-output")?.textContent?.includes("begun"));
    await at.leave(page);
    writeFileSync(go, "");
    const written = () => text(stored("closed.ipynb").cells[0]?.outputs ?? []);
    await eventually("the outputs in the notebook's file", () => written() === "begun\nended\n", { seen: written });
    page = await open("closed.ipynb");
    assert.equal(text((await cells(page))[0]?.outputs ?? []), "begun\nended\n");
    await at.leave(page);
  });

  it("a new notebook from the launcher: completion, a tooltip, and its name changed while its kernel runs", async () => {
    page = await open();
    await page.locator('.jp-LauncherCard[data-category="Notebook"]').first().click();
    await page.waitForSelector(".jp-NotebookPanel");
    await at.ready(page);
    await page.locator(".jp-NotebookPanel .jp-Cell .cm-content").first().click();
    await page.keyboard.type("const measured = [1, 2, 3]; measured.");
    await page.keyboard.press("Tab");
    await until("toSorted among the completions", () => [...document.querySelectorAll(".jp-Completer-item")].some((item) => item.textContent?.includes("toSorted")));
    await page.keyboard.type("toSor");
    await until("one completion", () => document.querySelectorAll(".jp-Completer-item").length === 1);
    await page.keyboard.press("Enter");
    await until("the completed cell", () => [...jupyterapp.shell.currentWidget.content.model.cells][0]?.sharedModel.getSource().endsWith("measured.toSorted"));
    await page.keyboard.type("().length");
    await execute(page, "tooltip:launch-notebook");
    await until("a tooltip that says number", () => /number/.test(document.querySelector(".jp-Tooltip")?.textContent ?? ""));
    await page.keyboard.press("Escape");
    await execute(page, "notebook:run-cell");
    await until("the cell's value", () => [...jupyterapp.shell.currentWidget.content.model.cells][0]?.outputs.toJSON().some((output) => output.data?.["text/plain"] === "3"));
    const kernelOf = () => within("the kernel's id", page.evaluate(() => jupyterapp.shell.currentWidget.sessionContext.session?.kernel?.id));
    const kernel = await kernelOf();
    await at.save(page);
    await execute(page, "docmanager:rename");
    await until("the dialog that asks for a name", () => document.querySelector(".jp-Dialog input"));
    await page.locator(".jp-Dialog input").first().fill("renamed.ipynb");
    await page.locator(".jp-Dialog .jp-mod-accept").click();
    await until("the notebook's new name", () => jupyterapp.shell.currentWidget.context.path === "renamed.ipynb");
    assert.match(stored("renamed.ipynb").cells[0]?.source.join("") ?? "", /measured\.toSorted/);
    assert.equal(existsSync(join(lab.folder, "Untitled.ipynb")), false);
    assert.equal(await kernelOf(), kernel);
    await at.leave(page);
  });

  it("answers beside a cell that runs: completion in the notebook, code in a subshell's console, which ends the cell", async () => {
    store("beside.ipynb", "let n = 0;\nwhile (n >= 0) { n++; await new Promise((end) => setTimeout(end, 5)); }\n'left'", "const list = [n]; list.");
    page = await open("beside.ipynb");
    await execute(page, "notebook:run-cell-and-select-next");
    await until("a cell that runs", () => [...jupyterapp.shell.currentWidget.content.model.cells][0]?.executionState === "running");
    await page.locator(".jp-NotebookPanel .jp-Cell .cm-content").nth(1).click();
    await page.keyboard.press("End");
    await page.keyboard.press("Tab");
    await until("toSorted among the completions", () => [...document.querySelectorAll(".jp-Completer-item")].some((item) => item.textContent?.includes("toSorted")));
    await page.keyboard.press("Escape");
    await execute(page, "notebook:create-subshell-console");
    const prompt = page.locator(".jp-ConsolePanel .jp-CodeConsole-promptCell .cm-content");
    await prompt.waitFor();
    // JupyterLab has the console before it has its subshell.
    await until("a console with a subshell", () => typeof (jupyterapp.shell.currentWidget.sessionContext?.session?.kernel as { subshellId?: string } | undefined)?.subshellId === "string");
    for (const [typed, answer] of [["n > 0", "true"], ["n = -1000", "-1000"]] as const) {
      await prompt.click();
      await page.keyboard.type(typed);
      await page.keyboard.press("Shift+Enter");
      await page.locator(".jp-ConsolePanel .jp-OutputArea-output", { hasText: answer }).first().waitFor();
    }
    await page.locator(".jp-NotebookPanel .jp-OutputArea-output", { hasText: "left" }).waitFor();
    assert.deepEqual(at.serious(), []);
    await at.leave(page);
  });

  it("a file that another program changes is shown anew", async () => {
    store("changed.ipynb", "1");
    page = await open("changed.ipynb");
    // A save that begins when another has written and does not know it yet, as where a cell is run and the notebook saved at once, is not asked about.
    const saves = page.evaluate(async () => {
      const { context, content } = jupyterapp.shell.currentWidget;
      const { contents } = jupyterapp.serviceManager;
      const save = contents.save;
      let second = Promise.resolve();
      contents.save = async (...given) => {
        contents.save = save;
        const written = await save.apply(contents, given);
        [...content.model.cells][0]?.sharedModel.setSource("3");
        second = context.save();
        await new Promise((resolve) => setTimeout(resolve, 1000));
        return written;
      };
      [...content.model.cells][0]?.sharedModel.setSource("2");
      await context.save();
      await second;
    });
    await within("saves that overlap", saves, { seen: () => at.seen(page) });
    assert.deepEqual(stored("changed.ipynb").cells[0]?.source, ["3"]);
    store("changed.ipynb", "1", "'from outside'");
    await until("what another program wrote", () => [...jupyterapp.shell.currentWidget.content.model.cells].some((cell) => cell.sharedModel.getSource().includes("from outside")));
    assert.equal(await page.locator(".jp-Dialog").count(), 0);
    await at.leave(page);
  });

  it("is dark where that is chosen; axe finds nothing critical but what JupyterLab itself has", async () => {
    page = await open();
    await execute(page, "apputils:change-theme", { theme: "JupyterLab Dark" });
    await until("a dark page", () => document.body.dataset.jpThemeLight === "false");
    await page.reload({ timeout: PATIENCE });
    await until("a dark page after it was loaded anew", () => document.body.dataset.jpThemeLight === "false");
    await page.waitForSelector(".jp-Launcher");
    await page.addScriptTag({ path: createRequire(import.meta.url).resolve("axe-core") });
    const found = await within("axe's findings", page.evaluate(async () => (await (globalThis as unknown as { axe: { run(options: object): Promise<{ violations: { id: string; impact: string }[] }> } }).axe.run({ resultTypes: ["violations"] })).violations.filter(({ impact, id }) => impact === "critical" && id !== "aria-allowed-attr").map(({ id }) => id)));
    assert.deepEqual(found, []);
    await at.leave(page);
  });
});
