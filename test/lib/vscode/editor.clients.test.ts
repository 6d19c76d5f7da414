/** The extension in VS Code itself: its server as the npm package code-server brings it, its notebook editor in Chromium. */
import assert from "node:assert/strict";
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import type { Browser, Page } from "playwright-core";
import { cacheFolder } from "../../../lib/checkpoint/cache.js";
import { packageRoot } from "../../../lib/checkpoint/package-root.js";
import { vsix } from "../../../lib/vscode/pack.js";
import { launch, noChromium } from "../../chromium.js";
import { ended, eventually, PATIENCE, within } from "../../waits.js";

/** Milliseconds of a package's installation. */
const INSTALLED = 300_000;
const RELEASE = "4.139.1";

/** VS Code's server and the Node that it wants, kept in the cache folder; a sentence where it cannot be had. */
function editor(): { node: string; server: string } | string {
  const folder = join(cacheFolder(), "test-vscode", RELEASE);
  const code = join(folder, "node_modules", "code-server", "lib", "vscode");
  const found = { node: join(folder, "node_modules", "node", "bin", process.platform === "win32" ? "node.exe" : "node"), server: join(code, "out", "server-main.js") };
  const done = join(folder, "done");
  if (existsSync(done)) return found;
  const install = (cwd: string, ...words: string[]) =>
    execFileSync("npm", ["install", "--omit=dev", "--no-audit", "--no-fund", "--loglevel=error", ...words], { cwd, stdio: "ignore", timeout: INSTALLED, shell: process.platform === "win32" });
  try {
    rmSync(folder, { recursive: true, force: true });
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, "package.json"), "{}");
    install(folder, "--ignore-scripts=false", "node@24");
    // Its own script builds native modules with a compiler: a log, a watchdog and terminals, without which it runs.
    install(folder, "--ignore-scripts", `code-server@${RELEASE}`);
    install(code, "--ignore-scripts");
    install(join(code, "extensions"), "--ignore-scripts");
    execFileSync(found.node, [found.server, "--version"], { stdio: "ignore", timeout: PATIENCE });
    writeFileSync(done, "");
    return found;
  } catch {
    return "needs VS Code's server (code-server and node@24 from npm)";
  }
}

const found = noChromium || editor();

describe("the extension in VS Code", { skip: typeof found === "string" ? found : false, timeout: 2 * PATIENCE }, () => {
  const { node, server } = found as { node: string; server: string };
  let home: string;
  let child: ChildProcess;
  let browser: Browser;
  let page: Page;
  before(async () => {
    home = mkdtempSync(join(tmpdir(), "sdtp-vscode-editor-"));
    const [work, user] = [join(home, "work"), join(home, "user", "User")];
    mkdirSync(work);
    mkdirSync(user, { recursive: true });
    writeFileSync(join(user, "settings.json"), JSON.stringify({
      "security.workspace.trust.enabled": false, "workbench.startupEditor": "none", "chat.disableAIFeatures": true, "update.mode": "none", "telemetry.telemetryLevel": "off",
      "workbench.editorAssociations": { "*.ipynb": "jupyter-notebook" },
    }));
    const cells = ['const model = await sdtp.load("tiny");\nlet total = 1;', 'display(model);\ntotal += 1;\nimport { readFileSync } from "node:fs";', 'let total = "declared anew";\ntotal.length', "model.", "sdtp."];
    writeFileSync(join(work, "cells.ipynb"), JSON.stringify({
      nbformat: 4, nbformat_minor: 5, metadata: { kernelspec: { name: "sdtp", display_name: "TypeScript (sdtp)", language: "typescript" }, language_info: { name: "typescript" } },
      cells: cells.map((source, i) => ({ cell_type: "code", id: `cell-${i}`, metadata: {}, source, execution_count: null, outputs: [] })),
    }));
    const packed = join(home, "sdtp-notebook.vsix");
    writeFileSync(packed, vsix(packageRoot()));
    const folders = ["--extensions-dir", join(home, "extensions"), "--server-data-dir", join(home, "data"), "--user-data-dir", join(home, "user")];
    const env = { ...process.env, HOME: home };
    const said = execFileSync(node, [server, ...folders, "--install-extension", packed], { env, encoding: "utf8", stdio: ["ignore", "pipe", "ignore"], timeout: PATIENCE });
    assert.match(said, /sdtp-notebook\.vsix' was successfully installed/);
    const port = await freePort();
    child = spawn(node, [server, ...folders, "--host", "127.0.0.1", "--port", String(port), "--without-connection-token", "--accept-server-license-terms", "--telemetry-level", "off"], { env, stdio: "ignore" });
    browser = await launch();
    page = await within("a tab", browser.newContext({ viewport: { width: 1300, height: 1000 } }).then((context) => context.newPage()));
    page.setDefaultTimeout(PATIENCE);
    const address = `http://127.0.0.1:${port}/?folder=${encodeURIComponent(work)}`;
    await eventually("VS Code's server", () => fetch(address, { signal: AbortSignal.timeout(PATIENCE) }).then(({ ok }) => ok, () => false), { seen: () => `exit code ${child.exitCode}` });
    await page.goto(address, { timeout: PATIENCE });
    // Opened before the extensions are known, it stands there as text; opened again, as cells.
    const line = page.locator(".notebookOverlay .code .view-line").first();
    await eventually("the notebook's cells", async () => {
      await page.locator(".explorer-folders-view").getByText("cells.ipynb").dblclick();
      const shown = await line.waitFor({ timeout: PATIENCE / 10 }).then(() => true, () => false);
      if (!shown) await page.keyboard.press("Control+F4");
      return shown;
    }, { seen });
  });
  after(async () => {
    await within("the browser's end", Promise.resolve(browser?.close()));
    if (child) await ended(child);
    rmSync(home, { recursive: true, force: true, maxRetries: 20, retryDelay: 200 });
  });

  const seen = () => page.locator(".monaco-workbench").innerText({ timeout: 5_000 }).then((text) => text.slice(0, 2000));

  /** What is offered at the end of a cell, as soon as `name` is among it. */
  const offered = async (cell: number, name: string): Promise<string[]> => {
    await page.locator(".notebookOverlay .code").nth(cell).locator(".view-line").first().click();
    await page.keyboard.press("End");
    const rows = page.locator(".suggest-widget.visible .monaco-list-row .label-name");
    return eventually(`${name} among what cell ${cell} is offered`, async () => {
      // TypeScript's server may still be reading; until then words of the notebook are offered, or nothing.
      await page.keyboard.press("Control+Space");
      const named = await rows.filter({ hasText: new RegExp(`^${name}$`) }).first().waitFor({ timeout: PATIENCE / 18 }).then(() => true, () => false);
      if (named) return rows.allTextContents();
      await page.keyboard.press("Escape");
      return undefined;
    }, { seen: () => rows.allTextContents() });
  };

  it("completes what is preloaded, and names of cells above with their types", async () => {
    assert.ok((await offered(4, "attach")).includes("agreement"));
    await page.keyboard.press("Escape");
    assert.ok((await offered(3, "checkpoint")).includes("config"));
    await page.keyboard.press("Escape");
  });

  it("has nothing to say against await, a name declared anew, an import, what is preloaded", async () => {
    const errors = page.locator(".notebookOverlay .cell-list-container .squiggly-error");
    // Both cells that break off in the middle have one; no other has.
    const per = (cell: number) => page.locator(".notebookOverlay .code").nth(cell).locator(".squiggly-error").count();
    assert.deepEqual([await per(0), await per(1), await per(2)], [0, 0, 0]);
    assert.ok((await errors.count()) <= 2);
  });
});

async function freePort(): Promise<number> {
  const probe = createServer();
  await new Promise<void>((resolve) => probe.listen(0, "127.0.0.1", resolve));
  const { port } = probe.address() as { port: number };
  await new Promise((resolve) => probe.close(resolve));
  return port;
}
