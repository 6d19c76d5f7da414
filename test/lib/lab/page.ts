/** JupyterLab in a browser, for tests. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Browser, Page } from "playwright-core";
import { launch, problemsOf } from "../../chromium.js";
import { TestLab } from "./lab.js";

/** Milliseconds; the machine may be busy. */
export const PATIENCE = 300_000;

/** What the tests use of JupyterLab's own objects. */
export interface CellModel {
  type: string;
  id: string;
  executionCount: number | null;
  executionState: string;
  outputs: { length: number; toJSON(): { output_type: string; text?: string; ename?: string; data?: Record<string, unknown> }[] };
  sharedModel: { getSource(): string; setSource(text: string): void };
}
declare global {
  var jupyterapp: {
    commands: { execute(command: string, args?: object): Promise<unknown>; isToggled(command: string, args?: object): boolean };
    shell: { currentWidget: { content: { model: { cells: Iterable<CellModel> } }; context: { path: string; save(): Promise<void>; model: { dirty: boolean } }; sessionContext: { session?: { kernel?: { id: string; status: string } } } } };
  };
}

/** A lab and a browser. */
export class LabInBrowser {
  /** What the page that was opened last complains of. */
  problems: string[] = [];

  private constructor(readonly lab: TestLab, readonly browser: Browser) {}

  static async start(): Promise<LabInBrowser> {
    return new LabInBrowser(await TestLab.open(), await launch());
  }

  /** A tab that shows a document; empty: what JupyterLab opens by itself. */
  async open(path = ""): Promise<Page> {
    const context = await this.browser.newContext({ viewport: { width: 1300, height: 900 } });
    const tab = await context.newPage();
    tab.setDefaultTimeout(PATIENCE);
    this.problems = problemsOf(tab, this.lab.origin);
    await tab.goto(`${this.lab.origin}/lab${path === "" ? "" : `/tree/${path}`}?reset&token=${this.lab.lab.token}`, { timeout: PATIENCE });
    await tab.waitForSelector(path === "" ? ".jp-Launcher" : ".jp-NotebookPanel");
    if (path !== "") await this.ready(tab);
    return tab;
  }

  async ready(tab: Page): Promise<void> {
    await tab.waitForFunction(() => jupyterapp.shell.currentWidget.sessionContext?.session?.kernel !== undefined && ["idle", "busy"].includes(jupyterapp.shell.currentWidget.sessionContext.session.kernel.status));
  }

  /** A notebook of code cells in the lab's folder. */
  store(name: string, ...sources: string[]): void {
    writeFileSync(join(this.lab.folder, name), JSON.stringify({
      nbformat: 4, nbformat_minor: 5, metadata: { kernelspec: { name: "sdtp", display_name: "TypeScript (sdtp)", language: "typescript" } },
      cells: sources.map((source, i) => ({ cell_type: "code", id: `cell-${i}`, metadata: {}, source, execution_count: null, outputs: [] })),
    }));
  }

  async execute(tab: Page, command: string, args: object = {}): Promise<void> {
    await tab.evaluate(([name, given]) => void jupyterapp.commands.execute(name as string, given as object), [command, args] as const);
  }

  async cells(tab: Page) {
    return tab.evaluate(() => [...jupyterapp.shell.currentWidget.content.model.cells].filter(({ type }) => type === "code").map((cell) => ({ count: cell.executionCount, state: cell.executionState, source: cell.sharedModel.getSource(), outputs: cell.outputs.toJSON() })));
  }

  /** What a page complained of, but for what JupyterLab complains of by itself wherever it is served, and of a slow machine. */
  serious(): string[] {
    return this.problems.filter((each) => !/No active debugger session|WebSocket is closed before|Terminal websocket closed|GL Driver Message|task queue exceeded|took [\d.]+ms to activate|taking too long/.test(each));
  }

  async close(): Promise<void> {
    await this.browser.close();
    await this.lab.close();
  }
}
