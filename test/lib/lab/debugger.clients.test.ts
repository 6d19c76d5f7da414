/** JupyterLab's debugger panel in a browser, as a person uses it. Needs Chromium (Debian: chromium). */
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import type { Locator, Page } from "playwright-core";
import { noChromium } from "../../chromium.js";
import { eventually, PATIENCE, within } from "../../waits.js";
import { LabInBrowser } from "./page.js";

const SQUARE = "function square(x: number) {\n  const y = x * x;\n  return y;\n}";
const SUM = "const { Tensor } = await import('onnxruntime-node');\nconst t = new Tensor('float32', Float32Array.from([1, 2, 6, 4, 5, 6]), [2, 3]);\nlet total = 0;\nfor (const i of [1, 2, 3]) {\n  total += square(i);\n}\ntotal";

/** Milliseconds after which a click that did nothing is done again. */
const AGAIN = PATIENCE / 10;

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
  const until = <Arg>(what: string, holds: (arg: Arg) => unknown, arg?: Arg) => at.until(page, what, holds, arg);
  const over = (n: number) => until(`the end of cell ${n}`, (i: number) => {
    const cell = [...jupyterapp.shell.currentWidget.content.model.cells][i];
    return cell?.executionState === "idle" && cell.executionCount !== null;
  }, n);
  const isOn = () => page.locator('.jp-NotebookPanel[data-jp-debugger="true"] .jp-DebuggerBugButton[aria-pressed="true"]').count();
  /** Clicks until that did what it should: a click while JupyterLab still talks with the kernel about it is undone by JupyterLab. */
  const click = (what: string, target: Locator, isDone: () => Promise<boolean>) => eventually(what, async () => {
    if (await isDone()) return true;
    await target.click({ timeout: AGAIN }).catch(() => undefined);
    return eventually(what, isDone, { patience: AGAIN }).catch(() => false);
  }, { seen: () => at.seen(page) });
  const debug = () => click("a notebook that is debugged", page.locator('.jp-DebuggerBugButton[aria-disabled="false"][aria-pressed="false"]'), async () => (await isOn()) > 0);
  /** The lines with breakpoints, as the kernel has them. */
  const breakpoints = async () => {
    const found = await within("debugInfo", page.evaluate(async () => {
      const kernel = jupyterapp.shell.currentWidget.sessionContext.session!.kernel as unknown as { requestDebug(content: object): { done: Promise<{ content: { body: { breakpoints: { source: string; breakpoints: { line: number }[] }[] } } }> } };
      return (await kernel.requestDebug({ type: "request", seq: 0, command: "debugInfo", arguments: {} }).done).content.body.breakpoints;
    }));
    return found.flatMap(({ breakpoints: lines }) => lines.map(({ line }) => line)).sort((a, b) => a - b);
  };
  const gutter = (n: number, line: number) => cell(n).locator(".cm-breakpoint-gutter .cm-gutterElement").nth(line);
  /** Sets a breakpoint, or takes it away. */
  const mark = (n: number, line: number, set = true) => click(`${set ? "a" : "no"} breakpoint in line ${line} of cell ${n}`, gutter(n, line), async () => {
    const [inEditor, inKernel] = [await gutter(n, line).locator(".cm-breakpoint-icon").count(), await breakpoints()];
    return (inEditor > 0) === set && inKernel.includes(line) === set;
  });
  /** Waits until it stands at these lines, innermost first: `name:line`. */
  const stopped = (...frames: string[]) => until(`a stop at ${frames.join(", ")}`, (wanted: string[]) => {
    const found = [...document.querySelectorAll(".jp-DebuggerCallstackFrame")].map((frame) => `${frame.children[0]?.textContent}:${/(\d+)$/.exec(frame.children[1]?.textContent ?? "")?.[1]}`);
    return JSON.stringify(found) === JSON.stringify(wanted);
  }, frames);
  const variable = (name: string, value: string) => until(`${name} = ${value}`, ([wanted, text]: string[]) => [...document.querySelectorAll(".jp-DebuggerVariables-name")].some((each) => each.textContent === wanted && each.parentElement?.querySelector(".jp-DebuggerVariables-detail")?.textContent === text), [name, value]);
  const highlighted = (n: number, text: string) => until(`${JSON.stringify(text)} highlighted in cell ${n}`, ([i, line]: (number | string)[]) => document.querySelectorAll(".jp-Notebook .jp-CodeCell")[Number(i)]?.querySelector(".jp-DebuggerEditor-highlight")?.textContent === line, [n, text]);

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
    await eventually("the end of the cell, from stop to stop", async () => {
      if ((await at.cells(page))[1]?.state === "idle") return true;
      if ((await page.locator(".jp-DebuggerCallstackFrame").count()) > 0) await at.execute(page, "debugger:continue");
      return false;
    }, { seen: () => at.seen(page) });
    await over(1);
    assert.deepEqual(await shown(1), [2, "14"]);
    // Without a stop: all variables of the notebook.
    await variable("total", "14");
    await at.execute(page, "debugger:render-mime-variable", { name: "t" });
    await page.locator(".jp-VariableRenderer, .jp-DebuggerRichVariable", { hasText: "1, 2, 6, 4, 5, 6" }).first().waitFor();
    assert.deepEqual(at.serious(), []);
    await at.leave(page);
  });

  it("takes breakpoints away by a click, highlights the line in a page that is loaded anew at a stop, and shows the modules that run", async () => {
    writeFileSync(join(at.lab.folder, "helper.ts"), "export const two = 2;\n");
    at.store("anew.ipynb", "import { two } from './helper.ts';\nlet s = 1;\ns = two;\ns = 3;");
    page = await at.open("anew.ipynb");
    await debug();
    for (const line of [3, 4]) await mark(0, line);
    await mark(0, 3, false);
    assert.deepEqual(await breakpoints(), [4]);
    await run(0);
    await stopped("Cell [1]:4");
    await page.reload({ timeout: PATIENCE });
    await at.ready(page);
    await stopped("Cell [1]:4");
    await highlighted(0, "s = 3;");
    await variable("s", "2");
    await mark(0, 4, false);
    await at.execute(page, "debugger:continue");
    await over(0);
    assert.deepEqual(await shown(0), [1, "3"]);
    const source = page.locator(".jp-DebuggerKernelSource-source", { hasText: /^helper\.ts$/ });
    await run(0);
    await source.waitFor({ state: "attached" });
    await source.dispatchEvent("click");
    await until("the module's text", () => [...document.querySelectorAll(".jp-Debugger-document, .jp-DebuggerSources-body, .jp-CodeMirrorEditor")].some(({ textContent }) => textContent?.includes("export const two = 2;")));
    assert.deepEqual(at.serious(), []);
    await at.leave(page);
  });

  it("stops where something is thrown, is left by an interrupt, and keeps its breakpoints over a restart", async () => {
    at.store("throws.ipynb", "try { throw new Error('inner') } catch {}\nthrow new Error('outer');", "let s = 1;\nawait null;\ns = 2;\ns = 3;");
    page = await at.open("throws.ipynb");
    await debug();
    await at.execute(page, "debugger:pause-on-exceptions", { filter: "uncaught" });
    await until("a stop at uncaught exceptions", () => jupyterapp.commands.isToggled("debugger:pause-on-exceptions", { filter: "uncaught" }));
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
    await at.restart(page);
    await until("a debugger without a stop, with its breakpoint", () => document.querySelector('.jp-NotebookPanel[data-jp-debugger="true"]') !== null && document.querySelectorAll(".jp-DebuggerCallstackFrame").length === 0 && document.querySelectorAll(".jp-DebuggerBreakpoint").length === 1);
    await eventually("its breakpoint in the kernel", async () => JSON.stringify(await breakpoints()) === "[4]", { seen: breakpoints });
    await run(1);
    await stopped("Cell [1]:4");
    // Switched off, it runs on.
    await click("a notebook that is not debugged", page.locator('.jp-DebuggerBugButton[aria-pressed="true"]'), async () => (await isOn()) === 0);
    await over(1);
    assert.deepEqual(await shown(1), [1, "3"]);
    assert.equal(await page.locator(".cm-breakpoint-gutter").count(), 0);
    await at.leave(page);
  });
});
