/** Terminals of JupyterLab in a browser. Needs Chromium (Debian: chromium). */
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import type { Page } from "playwright-core";
import { loadPty } from "../../../lib/lab/terminals/pty.js";
import { noChromium } from "../../chromium.js";
import { within } from "../../waits.js";
import { LabInBrowser } from "./page.js";

const skip = noChromium || (await loadPty().then(() => false as const, (error: Error) => error.message));

/** JupyterLab's widget of a terminal. */
interface Widget {
  content: { _term?: { rows: number; cols: number; selectAll(): void; clearSelection(): void; getSelection(): string } };
}

describe("JupyterLab's terminals", { skip }, () => {
  let at: LabInBrowser;
  const shell = process.env.SHELL;
  before(async () => {
    process.env.SHELL = "/bin/sh";
    at = await LabInBrowser.start();
  });
  after(async () => {
    if (shell === undefined) delete process.env.SHELL;
    else process.env.SHELL = shell;
    await at?.close();
  });

  const shows = (tab: Page, pattern: RegExp) => at.until(tab, `${pattern} in the terminal`, (source: string) => {
    const term = (jupyterapp.shell.currentWidget as unknown as Widget)?.content?._term;
    if (!term) return false;
    term.selectAll();
    const found = new RegExp(source).test(term.getSelection());
    term.clearSelection();
    return found;
  }, pattern.source);

  it("open from the launcher, as large as their tab, outlive it with what they showed, and go with their shell", async () => {
    const page = await at.open();
    await page.locator('.jp-LauncherCard[title*="erminal"]').click();
    await page.locator(".jp-Terminal .xterm-helper-textarea").waitFor({ state: "attached" });
    await shows(page, /[$#] /);
    await page.locator(".jp-Terminal").click();
    await page.keyboard.type("stty size; echo ans''wer $((6 * 7))\n");
    await shows(page, /answer 42/);
    const size = await within("the terminal's size", page.evaluate(() => {
      const { rows, cols } = (jupyterapp.shell.currentWidget as unknown as Required<Widget>).content._term!;
      return `${rows} ${cols}`;
    }));
    assert.notEqual(size, "24 80");
    await shows(page, new RegExp(size));
    await page.keyboard.type("later() { echo mean''while; }; trap later USR1; echo pid=$$=; while :; do sleep 0.1; done\n");
    await shows(page, /pid=\d+=/);
    const pid = Number(await within("the shell's process", page.evaluate(() => {
      const term = (jupyterapp.shell.currentWidget as unknown as Required<Widget>).content._term!;
      term.selectAll();
      return /pid=(\d+)=/.exec(term.getSelection())?.[1];
    })));
    assert.deepEqual(at.serious(), []);
    await at.leave(page);
    process.kill(pid, "SIGUSR1");
    const again = await at.open();
    await at.execute(again, "terminal:open", { name: "1" });
    await again.locator(".jp-Terminal .xterm-helper-textarea").waitFor({ state: "attached" });
    await shows(again, /answer 42[^]*meanwhile/);
    await again.locator(".jp-Terminal").click();
    await again.keyboard.press("Control+c");
    await again.keyboard.type("exit\n");
    await at.until(again, "a page without a terminal", () => document.querySelector(".jp-Terminal") === null);
    assert.deepEqual((await at.lab.json<unknown[]>("GET", "/api/terminals")).body, []);
    await at.leave(again);
  });
});
