/** Controls in JupyterLab and Notebook as PyPI has them, with their widget manager and anywidget. Needs Chromium (Debian: chromium) and PyPI. */
import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import type { Browser, Page } from "playwright-core";
import { installKernel } from "../../../kernel/install.js";
import { jupyterClients } from "../../kernel/pypi.js";
import { root } from "../../kernel/session.js";
import { launch, noChromium } from "../../chromium.js";
import { ended, PATIENCE, within } from "../../waits.js";

const clients = noChromium ? { missing: noChromium } : jupyterClients();
const bin = "bin" in clients ? clients.bin : "";

const cells = [
  // Every kind of control.
  "sdtp.control({ keep: { min: 0.5, max: 1, step: 0.1 }, scorer: ['norm', 'learned'], n: { number: 3, min: 1 }, note: 'a', on: true, again: { button: 'Again' } }, (v) => ['all', v.keep, v.scorer, v.n, v.note, v.on, v.again].join(' '))",
  // A view that never ends for one value.
  "sdtp.control({ n: { min: 0, max: 2 } }, async ({ n }) => { console.log('begun ' + n); if (n === 1) for (;;) await new Promise((next) => setTimeout(next, 20)); return 'ended ' + n; })",
  // One that fails for one.
  "sdtp.control({ m: { min: 0, max: 1 } }, ({ m }) => { if (m === 1) throw new RangeError('m must be <0>'); return 'm is ' + m; })",
  `await sdtp.explore(${JSON.stringify(join(root, "results", "published", "main-job"))})`,
];

const servers = [
  { name: "JupyterLab", command: "jupyter-lab", app: "LabApp", path: "lab/tree/controls.ipynb?reset" },
  { name: "Notebook", command: "jupyter-notebook", app: "JupyterNotebookApp", path: "notebooks/controls.ipynb" },
];

for (const { name, command, app, path } of servers) {
  describe(`controls in ${name} from PyPI`, { skip: "missing" in clients ? clients.missing : false, timeout: 3 * PATIENCE }, () => {
    let home: string;
    let server: ChildProcess;
    let browser: Browser;
    let page: Page;
    before(async () => {
      home = mkdtempSync(join(tmpdir(), "sdtp-front-end-"));
      installKernel({ where: { prefix: home } });
      writeFileSync(join(home, "controls.ipynb"), JSON.stringify({
        nbformat: 4, nbformat_minor: 5, metadata: { kernelspec: { name: "sdtp", display_name: "TypeScript (sdtp)", language: "typescript" } },
        cells: cells.map((source, i) => ({ cell_type: "code", id: `cell-${i}`, metadata: {}, source, execution_count: null, outputs: [] })),
      }));
      const env = { ...process.env, HOME: home, JUPYTER_PATH: join(home, "share", "jupyter"), JUPYTER_RUNTIME_DIR: join(home, "runtime"), JUPYTER_CONFIG_DIR: join(home, "config"), SDTP_HISTORY: "none" };
      server = spawn(join(bin, command), ["--no-browser", "--allow-root", "--ip=127.0.0.1", "--port=0", "--IdentityProvider.token=secret", `--ServerApp.root_dir=${home}`, `--${app}.expose_app_in_browser=True`], { env, cwd: home, stdio: ["ignore", "ignore", "pipe"] });
      let said = "";
      const address = await within(`the address of ${name}`, new Promise<string>((resolve, reject) => {
        server.stderr!.setEncoding("utf8").on("data", (text: string) => {
          said += text;
          const found = /http:\/\/127\.0\.0\.1:(\d+)\//.exec(said);
          if (found && found[1] !== "0") resolve(found[0]);
        });
        server.once("exit", () => reject(new Error(said)));
      }), { seen: () => said });
      browser = await launch();
      page = await within("a tab", browser.newContext({ viewport: { width: 1300, height: 1600 } }).then((context) => context.newPage()));
      page.setDefaultTimeout(PATIENCE);
      await page.goto(`${address}${path}${path.includes("?") ? "&" : "?"}token=secret`, { timeout: PATIENCE });
      await page.waitForSelector(".jp-Notebook");
      await page.waitForFunction(() => globalThis.jupyterapp?.shell.currentWidget?.sessionContext?.session?.kernel?.status === "idle");
    });
    after(async () => {
      await within("the browser's end", Promise.resolve(browser?.close()));
      if (server) await ended(server);
      if (home) rmSync(home, { recursive: true, force: true, maxRetries: 20, retryDelay: 200 });
    });

    const control = (at: number) => page.locator(".sdtp-control").nth(at);
    const view = (at: number, text: string) => control(at).locator(".sdtp-control-view").getByText(text).first().waitFor();

    it("draws every kind of control, and its view follows each", async () => {
      await page.evaluate(() => void jupyterapp.commands.execute("notebook:run-all-cells"));
      await view(0, "all 0.5 norm 3 a true 0");
      await control(0).locator("input[type=range]").focus();
      for (const _ of [1, 2]) await page.keyboard.press("ArrowRight");
      await view(0, "all 0.7 norm 3 a true 0");
      await control(0).locator("select").selectOption({ label: "learned" });
      await control(0).locator("input[type=number]").fill("12");
      await page.keyboard.press("Enter");
      await control(0).locator("input[type=text]").fill("dd b");
      await page.keyboard.press("Enter");
      await control(0).locator("input[type=checkbox]").click();
      await control(0).getByRole("button", { name: "Again" }).click();
      await view(0, "all 0.7 learned 12 dd b false 1");
      assert.equal(await page.evaluate(() => [...jupyterapp.shell.currentWidget.content.model.cells].length), cells.length);
    });

    it("drops what still computes for an earlier value, and says a failure above the last view until there is a better one", async () => {
      await control(1).locator("input[type=range]").focus();
      await page.keyboard.press("ArrowRight");
      await view(1, "begun 1");
      await page.keyboard.press("ArrowRight");
      await view(1, "ended 2");
      await control(2).locator("input[type=range]").press("End");
      const alert = control(2).locator("[role=alert]");
      await alert.getByText("RangeError: m must be <0>").waitFor();
      await view(2, "m is 0");
      await control(2).locator("input[type=range]").press("Home");
      await alert.waitFor({ state: "hidden" });
    });

    it("explores what runs wrote: opens one, filters", async () => {
      await view(3, " measurements in 1 run");
      await control(3).locator("input[type=text]").fill("keep07 4k");
      await page.keyboard.press("Enter");
      await view(3, ": 1 of ");
      await control(3).locator("select").first().selectOption({ index: 1 });
      await view(3, "SDTP (keep09)");
      await control(3).locator("select").nth(1).selectOption({ index: 1 });
      await view(3, "From . to .");
    });

    it("says when the kernel is another one, and keeps the last view", async () => {
      const before = await control(0).locator(".sdtp-control-view").textContent();
      await page.evaluate(() => void jupyterapp.commands.execute("notebook:restart-kernel"));
      await page.locator(".jp-Dialog .jp-mod-warn").click();
      await page.locator(".sdtp-control-gone").first().waitFor();
      const said = await control(0).locator(".sdtp-control-form").evaluate((form) => getComputedStyle(form, "::after").content);
      assert.match(said, /run the cell again/);
      assert.equal(await control(0).locator(".sdtp-control-view").textContent(), before);
      await page.evaluate(() => void jupyterapp.commands.execute("notebook:run-all-cells"));
      await view(0, "all 0.5 norm 3 a true 0");
    });

    it("a notebook that is saved and opened without its kernel shows the last state and no error in its place", async () => {
      await view(3, " measurements in 1 run");
      await control(0).locator("select").selectOption({ label: "learned" });
      await page.waitForFunction(() => JSON.stringify([...jupyterapp.shell.currentWidget.content.model.cells].map((cell) => cell.outputs.toJSON())).includes("scorer = learned"));
      await within("a save", page.evaluate(() => jupyterapp.shell.currentWidget.context.save()), { seen: () => page.locator(".jp-Dialog").allTextContents() });
      assert.match(readFileSync(join(home, "controls.ipynb"), "utf8"), /scorer = learned/);
      await within("the end of all kernels", page.evaluate(() => (jupyterapp as unknown as { serviceManager: { sessions: { shutdownAll(): Promise<void> } } }).serviceManager.sessions.shutdownAll()));
      await page.reload({ timeout: PATIENCE });
      await page.locator(".jp-OutputArea-output").getByText("all 0.5 learned 3 a true 0").waitFor();
      await page.waitForFunction((count) => [...document.querySelectorAll(".jupyter-widgets")].filter((node) => node.textContent?.includes("model not found")).length === count, cells.length);
      assert.equal(await page.getByText("model not found").filter({ visible: true }).count(), 0);
    });
  });
}
