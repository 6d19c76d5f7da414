/** JupyterLab in a browser, for tests. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Browser, Page } from "playwright-core";
import { launch, problemsOf } from "../../chromium.js";
import { PATIENCE, within } from "../../waits.js";
import { TestLab } from "./lab.js";

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
  var restarted: boolean;
  var jupyterapp: {
    commands: { execute(command: string, args?: object): Promise<unknown>; isToggled(command: string, args?: object): boolean };
    serviceManager: { contents: { save(...given: unknown[]): Promise<unknown> } };
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
    const context = await within("a browser's window", this.browser.newContext({ viewport: { width: 1300, height: 900 } }));
    const tab = await within("a tab", context.newPage());
    tab.setDefaultTimeout(PATIENCE);
    this.problems = problemsOf(tab, this.lab.origin);
    await tab.goto(`${this.lab.origin}/lab${path === "" ? "" : `/tree/${path}`}?reset&token=${this.lab.lab.token}`, { timeout: PATIENCE });
    await tab.waitForSelector(path === "" ? ".jp-Launcher" : ".jp-NotebookPanel");
    if (path !== "") await this.ready(tab);
    return tab;
  }

  /** Waits for what holds in the page. @throws with what the page shows instead */
  async until<Arg>(tab: Page, what: string, holds: (arg: Arg) => unknown, arg?: Arg): Promise<void> {
    try {
      await tab.waitForFunction(holds as (arg: unknown) => unknown, arg, { timeout: PATIENCE });
    } catch (error) {
      throw new Error(`${what}: ${(error as Error).message.split("\n")[0]}; instead: ${await this.seen(tab)}`, { cause: error });
    }
  }

  /** What a page shows, in one line. */
  seen(tab: Page): Promise<string> {
    return within("what the page shows", tab.evaluate(() => JSON.stringify({
      address: location.href,
      dialogs: [...document.querySelectorAll(".jp-Dialog")].map(({ textContent }) => textContent),
      kernel: globalThis.jupyterapp?.shell.currentWidget?.sessionContext?.session?.kernel?.status,
      cells: [...(globalThis.jupyterapp?.shell.currentWidget?.content?.model?.cells ?? [])].map((cell) => [cell.executionCount, cell.executionState, JSON.stringify(cell.outputs?.toJSON()).slice(0, 300)]),
    })), { patience: 20_000 }).then((text) => `${text} ${JSON.stringify(this.problems.slice(-5))}`, (error: Error) => error.message);
  }

  ready(tab: Page): Promise<void> {
    return this.until(tab, "a kernel that is idle or busy", () => ["idle", "busy"].includes(globalThis.jupyterapp?.shell.currentWidget?.sessionContext?.session?.kernel?.status ?? ""));
  }

  /** Restarts the kernel, and waits until it is there again: it was idle before, too. */
  async restart(tab: Page): Promise<void> {
    await within("the command to restart", tab.evaluate(() => {
      globalThis.restarted = false;
      void jupyterapp.commands.execute("notebook:restart-kernel").then(() => (globalThis.restarted = true));
    }));
    await tab.click(".jp-Dialog .jp-mod-warn");
    await this.until(tab, "the restarted kernel", () => globalThis.restarted && jupyterapp.shell.currentWidget.sessionContext.session?.kernel?.status === "idle");
  }

  /** Saves the document, which asks nothing. */
  async save(tab: Page): Promise<void> {
    await within("a save", tab.evaluate(() => jupyterapp.shell.currentWidget.context.save()), { seen: () => this.seen(tab) });
  }

  leave(tab: Page): Promise<void> {
    return within("the tab's end", tab.context().close());
  }

  async close(): Promise<void> {
    await within("the browser's end", this.browser.close());
    await this.lab.close();
  }

  /** A notebook of code cells in the lab's folder. */
  store(name: string, ...sources: string[]): void {
    writeFileSync(join(this.lab.folder, name), JSON.stringify({
      nbformat: 4, nbformat_minor: 5, metadata: { kernelspec: { name: "sdtp", display_name: "TypeScript (sdtp)", language: "typescript" } },
      cells: sources.map((source, i) => ({ cell_type: "code", id: `cell-${i}`, metadata: {}, source, execution_count: null, outputs: [] })),
    }));
  }

  async execute(tab: Page, command: string, args: object = {}): Promise<void> {
    await within(command, tab.evaluate(([name, given]) => void jupyterapp.commands.execute(name as string, given as object), [command, args] as const));
  }

  async cells(tab: Page) {
    return within("the notebook's cells", tab.evaluate(() => [...jupyterapp.shell.currentWidget.content.model.cells].filter(({ type }) => type === "code").map((cell) => ({ count: cell.executionCount, state: cell.executionState, source: cell.sharedModel.getSource(), outputs: cell.outputs.toJSON() }))));
  }

  /** What a page complained of, but for what JupyterLab complains of by itself wherever it is served, and of a slow machine. */
  serious(): string[] {
    return this.problems.filter((each) => !/No active debugger session|WebSocket is closed before|Terminal websocket closed|GL Driver Message|task queue exceeded|took [\d.]+ms to activate|taking too long/.test(each));
  }
}
