/** JupyterLab's debugger panel in a browser, as a person uses it. Needs Chromium (Debian: chromium). */
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import type { Page } from "playwright-core";
import { noChromium } from "../../chromium.js";
import { LabInBrowser } from "./page.js";

const SQUARE = "function square(x: number) {\n  const y = x * x;\n  return y;\n}";
const SUM = "const { Tensor } = await import('onnxruntime-node');\nconst t = new Tensor('float32', Float32Array.from([1, 2, 6, 4, 5, 6]), [2, 3]);\nlet total = 0;\nfor (const i of [1, 2, 3]) {\n  total += square(i);\n}\ntotal";

describe("JupyterLab's debugger panel", { skip: noChromium }, () => {
  let at: LabInBrowser;
  let page: Page;
  before(async () => {
    at = await LabInBrowser.start();
  });
  after(() => at?.close());

  const cell = (n: number) => page.locator(".jp-Notebook .jp-CodeCell").nth(n);
  /** The cell's execution count, and what it shows: text, or the name of its error. */
  const shown = async (n: number) => {
    const { count, outputs } = (await at.cells(page))[n]!;
    return [count, ...outputs.map((output) => output.ename ?? output.data?.["text/plain"] ?? output.text)];
  };
  const select = (n: number) => cell(n).locator(".jp-InputPrompt").first().click();
  const run = async (n: number) => {
    await select(n);
    await at.execute(page, "notebook:run-cell");
  };
  const over = (n: number) => page.waitForFunction((i) => {
    const cell = [...jupyterapp.shell.currentWidget.content.model.cells][i];
    return cell?.executionState === "idle" && cell.executionCount !== null;
  }, n);
  const debug = async () => {
    const on = page.locator('.jp-NotebookPanel[data-jp-debugger="true"]');
    // A click while JupyterLab still asks the kernel about the debugger is undone by JupyterLab.
    for (let isOn = false; !isOn;) {
      await page.click('.jp-DebuggerBugButton[aria-disabled="false"][aria-pressed="false"]');
      isOn = await on.waitFor({ timeout: 30_000 }).then(() => true, () => false);
    }
  };
  /** Sets a breakpoint, or takes it away. */
  const mark = async (n: number, line: number) => {
    await cell(n).locator(".cm-breakpoint-gutter .cm-gutterElement").nth(line).click();
    await page.waitForFunction(([i, k]) => document.querySelectorAll(".jp-Notebook .jp-CodeCell")[i!]?.querySelectorAll(".cm-breakpoint-gutter .cm-gutterElement")[k!]?.querySelector(".cm-breakpoint-icon") !== null, [n, line]);
  };
  /** Waits until it stands at these lines, innermost first: `name:line`. */
  const stopped = (...frames: string[]) => page.waitForFunction((wanted) => {
    const found = [...document.querySelectorAll(".jp-DebuggerCallstackFrame")].map((frame) => `${frame.children[0]?.textContent}:${/(\d+)$/.exec(frame.children[1]?.textContent ?? "")?.[1]}`);
    return JSON.stringify(found) === JSON.stringify(wanted);
  }, frames);
  const variable = (name: string, value: string) => page.waitForFunction(([wanted, text]) => [...document.querySelectorAll(".jp-DebuggerVariables-name")].some((each) => each.textContent === wanted && each.parentElement?.querySelector(".jp-DebuggerVariables-detail")?.textContent === text), [name, value]);
  const highlighted = (n: number, text: string) => page.waitForFunction(([i, line]) => document.querySelectorAll(".jp-Notebook .jp-CodeCell")[Number(i)]?.querySelector(".jp-DebuggerEditor-highlight")?.textContent === line, [n, text]);

  it("stops at breakpoints, in a cell too that ran before debugging was switched on; shows values, steps, evaluates, goes on", async () => {
    at.store("sum.ipynb", SQUARE, SUM);
    page = await at.open("sum.ipynb");
    await run(0);
    await over(0);
    await debug();
    await mark(1, 5);
    await run(1);
    await stopped("Cell [2]:5");
    await highlighted(1, "  total += square(i);");
    await variable("t", "Tensor float32 [2, 3] min 1 max 6 mean 4");
    await variable("i", "1");
    await mark(0, 3);
    await at.execute(page, "debugger:continue");
    await stopped("square:3", "Cell [2]:5");
    await highlighted(0, "  return y;");
    await variable("y", "1");
    // The frame below.
    await page.locator(".jp-DebuggerCallstackFrame").nth(1).click();
    await variable("total", "0");
    await at.execute(page, "debugger:stepOut");
    await stopped("Cell [2]:4");
    await at.execute(page, "debugger:next");
    await stopped("Cell [2]:5");
    await variable("total", "1");
    await at.execute(page, "debugger:stepIn");
    await stopped("square:2", "Cell [2]:5");
    await at.execute(page, "debugger:evaluate");
    const prompt = page.locator(".jp-DebugConsole .jp-CodeConsole-promptCell .cm-content");
    for (const [typed, answer] of [["x + total * 1000", "1002"], ["nope", "Uncaught ReferenceError: nope is not defined"]] as const) {
      await prompt.click();
      await page.keyboard.type(typed);
      await page.keyboard.press("Shift+Enter");
      await page.locator(".jp-DebugConsole .jp-OutputArea-output", { hasText: answer }).waitFor();
    }
    await page.locator('.lm-TabBar-tab:has-text("sum.ipynb")').first().click();
    // From stop to stop, to the end.
    const isOver = () => page.evaluate(() => [...jupyterapp.shell.currentWidget.content.model.cells][1]?.executionState === "idle");
    while (!(await isOver())) {
      await at.execute(page, "debugger:continue").catch(() => undefined);
      await page.waitForTimeout(500);
    }
    await over(1);
    assert.deepEqual(await shown(1), [2, "14"]);
    // Without a stop: all variables of the notebook.
    await variable("total", "14");
    await page.evaluate(() => jupyterapp.commands.execute("debugger:render-mime-variable", { name: "t" }));
    await page.locator(".jp-VariableRenderer, .jp-DebuggerRichVariable", { hasText: "1, 2, 6, 4, 5, 6" }).first().waitFor();
    assert.deepEqual(at.serious(), []);
    await page.context().close();
  });

  it("stops where something is thrown, is left by an interrupt, and keeps its breakpoints over a restart", async () => {
    at.store("throws.ipynb", "try { throw new Error('inner') } catch {}\nthrow new Error('outer');", "let s = 1;\nawait null;\ns = 2;\ns = 3;");
    page = await at.open("throws.ipynb");
    await debug();
    await at.execute(page, "debugger:pause-on-exceptions", { filter: "uncaught" });
    await page.waitForFunction(() => jupyterapp.commands.isToggled("debugger:pause-on-exceptions", { filter: "uncaught" }));
    await run(0);
    await stopped("Cell [1]:2");
    await at.execute(page, "debugger:continue");
    await over(0);
    assert.deepEqual(await shown(0), [1, "Error"]);
    await mark(1, 4);
    await run(1);
    await stopped("Cell [2]:4");
    await at.execute(page, "notebook:interrupt-kernel");
    await over(1);
    assert.deepEqual(await shown(1), [2, "KeyboardInterrupt"]);
    await variable("s", "2");
    await run(1);
    await stopped("Cell [3]:4");
    // A kernel that stands still is restarted.
    await at.execute(page, "notebook:restart-kernel");
    await page.click(".jp-Dialog .jp-mod-warn");
    await page.waitForFunction(() => document.querySelectorAll(".jp-DebuggerCallstackFrame").length === 0 && jupyterapp.shell.currentWidget.sessionContext.session?.kernel?.status === "idle");
    await page.waitForSelector('.jp-NotebookPanel[data-jp-debugger="true"]');
    await page.waitForFunction(() => document.querySelectorAll(".jp-DebuggerBreakpoint").length === 1);
    await run(1);
    await stopped("Cell [1]:4");
    // Switched off, it runs on.
    await page.click(".jp-DebuggerBugButton");
    await over(1);
    assert.deepEqual(await shown(1), [1, "3"]);
    assert.equal(await page.locator(".cm-breakpoint-gutter").count(), 0);
    await page.context().close();
  });
});
