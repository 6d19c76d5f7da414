/**
 * `npm run bench:lab [-- ROUNDS]`: how soon `sdtp lab` is there in a browser, and how soon it completes; medians, with every sample.
 * Needs Chromium (Debian: chromium).
 */
import { spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { cpus, tmpdir } from "node:os";
import { join } from "node:path";
import { chromium, type BrowserContext, type Page } from "playwright-core";
import { snapshotFile } from "../../../kernel/compile/snapshot/keep.js";
import { packageRoot } from "../../../lib/checkpoint/package-root.js";
import { findChromium } from "../../../lib/notebook/export/find-chromium.js";
import { ended, eventually, PATIENCE, within } from "../../waits.js";

declare global {
  /** Milliseconds from the beginning of the page, or from a key that was pressed, at which something was there first. */
  var seenAt: Record<string, number>;
  var pressedAt: number;
}

const SHOWN = { launcher: ".jp-Launcher", notebook: ".jp-NotebookPanel .jp-Cell .cm-content", completions: ".jp-Completer:not(.lm-mod-hidden) .jp-Completer-item" };

/** Of each figure, its samples in seconds. */
const samples = new Map<string, number[]>();
const note = (name: string, seconds: number) => samples.set(name, [...(samples.get(name) ?? []), seconds]);

async function startLab(folder: string, env: NodeJS.ProcessEnv): Promise<{ url: string; end(): Promise<void> }> {
  const started = performance.now();
  const child = spawn(process.execPath, [join(packageRoot(), "lib", "cli", "sdtp.mjs"), "lab", folder, "--port", "0", "--token", "token-of-the-benchmark", "--no-browser"], { env, stdio: ["ignore", "pipe", "inherit"] });
  let said = "";
  const url = await within("the lab's address", new Promise<string>((resolve, reject) => {
    child.stdout.setEncoding("utf8").on("data", (text: string) => {
      const found = /http:\S+/.exec((said += text));
      if (found) resolve(found[0]);
    });
    child.once("exit", (code) => reject(new Error(`sdtp lab: ended with ${code}`)));
  }), { seen: () => said });
  note("server: from the command to its address", (performance.now() - started) / 1000);
  return { url, end: () => ended(child) };
}

/** A page that notes when it shows what. */
async function opened(context: BrowserContext, url: string): Promise<Page> {
  const page = await context.newPage();
  page.setDefaultTimeout(PATIENCE);
  await page.addInitScript((shown) => {
    globalThis.seenAt = {};
    const look = () => {
      for (const [name, selector] of Object.entries(shown)) if (document.querySelector(selector)) seenAt[name] ??= performance.now();
      requestAnimationFrame(look);
    };
    look();
  }, SHOWN);
  await page.goto(url, { timeout: PATIENCE });
  return page;
}

async function load(context: BrowserContext, url: string, kind: string): Promise<void> {
  const page = await opened(context, url);
  await page.waitForFunction(() => seenAt["launcher"] !== undefined);
  const [paint, launcher] = await page.evaluate(() => [performance.getEntriesByName("first-contentful-paint")[0]?.startTime ?? 0, seenAt["launcher"]!] as const);
  note(`${kind}: first paint`, paint / 1000);
  note(`${kind}: the launcher is there`, launcher / 1000);
  await page.close();
}

/** Completes in a new notebook as soon as its kernel is there: from the key to the list. */
async function complete(context: BrowserContext, url: string): Promise<void> {
  const page = await opened(context, url);
  await page.waitForFunction(() => globalThis.jupyterapp?.shell.currentWidget?.sessionContext?.session?.kernel?.status === "idle");
  note("a notebook is opened: its cells are there", await page.evaluate(() => seenAt["notebook"]! / 1000));
  note("a notebook is opened: its kernel is idle", await page.evaluate(() => performance.now() / 1000));
  await page.locator(".jp-NotebookPanel .jp-Cell .cm-content").first().click();
  await page.keyboard.type("const measured = [1, 2, 3]; measured.");
  for (const name of ["first completion", "next completion"]) {
    await page.evaluate(() => {
      delete seenAt["completions"];
      addEventListener("keydown", () => (pressedAt = performance.now()), { once: true, capture: true });
    });
    await page.keyboard.press("Tab");
    await page.waitForFunction(() => seenAt["completions"] !== undefined);
    note(name, await page.evaluate(() => (seenAt["completions"]! - pressedAt) / 1000));
    await page.keyboard.press("Escape");
    await page.waitForFunction((selector) => document.querySelector(selector) === null, SHOWN.completions);
  }
  await page.close();
}

const rounds = Number(process.argv[2] ?? 5);
const found = findChromium();
if (found === undefined) throw new Error("bench:lab: needs Chromium (Debian: chromium)");
if (!Number.isInteger(rounds) || rounds < 1) throw new Error(`bench:lab: ${process.argv[2]} (must be a number of rounds, such as 5)`);
const home = mkdtempSync(join(tmpdir(), "sdtp-bench-lab-"));
const folder = join(home, "work");
try {
  const env = { ...process.env, JUPYTER_DATA_DIR: join(home, "data"), JUPYTERLAB_SETTINGS_DIR: join(home, "settings"), SDTP_HISTORY: "none" };
  const notebook = JSON.stringify({ nbformat: 4, nbformat_minor: 5, metadata: { kernelspec: { name: "sdtp", display_name: "TypeScript (sdtp)", language: "typescript" } }, cells: [{ cell_type: "code", id: "one", metadata: {}, source: "", execution_count: null, outputs: [] }] });
  mkdirSync(folder);
  for (let round = 1; round < rounds; round++) await (await startLab(folder, env)).end();
  const lab = await startLab(folder, env);
  // One profile: what the browser keeps of the first load, it has in the later ones.
  const context = await chromium.launchPersistentContext(join(home, "browser"), { executablePath: found, viewport: { width: 1300, height: 900 }, args: ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"] });
  const address = (path: string) => lab.url.replace("/lab?", `/lab${path}?reset&`);
  await load(context, address(""), "first load");
  for (let round = 0; round < rounds; round++) await load(context, address(""), "later loads");
  // Of a kernel that was never started before, the compiler's snapshot is made meanwhile.
  if (snapshotFile(packageRoot()) === undefined) {
    await complete(context, address(`/tree/${stored("snapshot")}`));
    samples.delete("first completion");
    samples.delete("next completion");
    await eventually("the compiler's snapshot", () => snapshotFile(packageRoot()) !== undefined).catch((error: Error) => console.error(error.message));
    for (const name of samples.keys()) if (name.startsWith("a notebook")) samples.delete(name);
  }
  for (let round = 0; round < rounds; round++) await complete(context, address(`/tree/${stored(`book-${round}`)}`));
  const browser = await (await context.newPage()).evaluate(() => /\w*Chrome\/[\d.]+/.exec(navigator.userAgent)?.[0] ?? navigator.userAgent);
  await context.close();
  await lab.end();
  print(browser);

  function stored(name: string): string {
    writeFileSync(join(folder, `${name}.ipynb`), notebook);
    return `${name}.ipynb`;
  }
} finally {
  rmSync(home, { recursive: true, force: true, maxRetries: 20, retryDelay: 200 });
}

function print(browser: string): void {
  const width = Math.max(...[...samples.keys()].map((name) => name.length));
  console.log(`sdtp lab: ${cpus()[0]?.model ?? "unknown processor"}, ${cpus().length} cores, Node ${process.versions.node}, ${browser}`);
  console.log(`front end: ${(statSync(join(packageRoot(), "lib", "lab", "frontend.zip")).size / 1e6).toFixed(1)} MB in the package`);
  for (const [name, all] of samples) {
    const sorted = [...all].sort((a, b) => a - b);
    const median = (sorted[(sorted.length - 1) >> 1]! + sorted[sorted.length >> 1]!) / 2;
    console.log(`${name.padEnd(width)}  ${median.toFixed(2)} s${all.length > 1 ? `  (${all.map((each) => each.toFixed(2)).join(", ")})` : ""}`);
  }
}
