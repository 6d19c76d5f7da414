import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import type { Browser as Chromium, Page } from "playwright-core";
import { plotlyPath } from "../../report/views/plotly-library.js";
import { findChromium } from "./find-chromium.js";
import { dataUri, type Image } from "./images.js";
import type { Figure } from "./mime.js";

const flags = ["--disable-gpu", "--no-first-run", "--disable-background-networking"];
/** Milliseconds for charts to be drawn: a big one on a busy machine takes its time. */
const PATIENCE = 120_000;
/** Size of a chart as a picture, in CSS pixels. */
const CHART = { width: 800, height: 450 };

/**
 * Runs in a page: its characters that are drawn as the box that stands for what no font has, with how often they are there. A box is
 * known by its picture, which is that of a character that will never be one.
 */
const charactersWithoutGlyph = `(() => {
  const counts = new Map();
  for (const [character] of document.body.innerText.matchAll(/[^\\x00-\\u017f]/gu)) counts.set(character, (counts.get(character) ?? 0) + 1);
  const canvas = Object.assign(document.createElement("canvas"), { width: 40, height: 40 });
  const context = canvas.getContext("2d", { willReadFrequently: true });
  const picture = (character, font) => {
    context.clearRect(0, 0, 40, 40);
    context.font = "24px " + font;
    context.fillText(character, 4, 30);
    return context.getImageData(0, 0, 40, 40).data.join();
  };
  const font = getComputedStyle(document.body).fontFamily;
  const boxes = new Set(["\\u{10FFFD}", "\\u{E0FFF}", "\\uFDD0", "\\uE0FF"].map((each) => picture(each, font)));
  const blank = picture(" ", font);
  boxes.delete(blank);
  return [...counts].filter(([character]) => !/[\\p{M}\\p{Cf}\\p{Z}\\p{Co}]/u.test(character) && boxes.has(picture(character, font)));
})()`;

function lackingWarning(lacking: readonly (readonly [string, number])[]): string {
  const count = lacking.reduce((sum, [, each]) => sum + each, 0);
  const shown = lacking.slice(0, 20).map(([character]) => character).join("");
  return `${count} ${count === 1 ? "character" : "characters"} that no font of this machine has (${shown}${lacking.length > 20 ? "…" : ""}): boxes in the PDF; install a font of the script, such as Noto`;
}

/** An installed Chromium without a window and without a network. */
export class Browser {
  private constructor(private readonly chromium: Chromium) {}

  /** @throws where none is found, or where it does not start */
  static async start(given?: string): Promise<Browser> {
    const executablePath = findChromium(given);
    if (executablePath === undefined) throw new Error("no Chromium, Chrome or Edge found (install one, or name its program by --chromium or the variable CHROMIUM)");
    const { chromium } = await import("playwright-core");
    const launch = (chromiumSandbox: boolean) => chromium.launch({ executablePath, args: flags, chromiumSandbox, handleSIGINT: false });
    try {
      // Its sandbox is refused to root and in many containers; the pages are our own and sanitised.
      return new Browser(process.getuid?.() === 0 ? await launch(false) : await launch(true).catch(() => launch(false)));
    } catch (error) {
      throw new Error(`chromium: ${executablePath} (does not start: ${String((error as Error).message).split("\n")[0]})`);
    }
  }

  /**
   * A page as PDF (A4, or as its own @page says), its charts drawn.
   * @param html a page of `toHtml`
   * @param warn told of characters that no font of this machine has
   */
  async pdf(html: string, warn?: (text: string) => void): Promise<Uint8Array> {
    const folder = await mkdtemp(join(tmpdir(), "sdtp-export-"));
    try {
      return await this.withPage(async (page) => {
        // The width that A4 leaves between its margins, so that charts are drawn at the width they are printed at.
        await page.setViewportSize({ width: 672, height: 950 });
        await page.emulateMedia({ media: "print", colorScheme: "light" });
        const file = join(folder, "report.html");
        await writeFile(file, html);
        await page.goto(pathToFileURL(file).href, { timeout: PATIENCE });
        await page.evaluate("window.reportReady");
        const lacking = (await page.evaluate(charactersWithoutGlyph)) as [character: string, count: number][];
        if (lacking.length > 0) warn?.(lackingWarning(lacking));
        return await page.pdf({
          preferCSSPageSize: true,
          printBackground: true,
          tagged: true,
          outline: true,
          displayHeaderFooter: true,
          headerTemplate: "<span></span>",
          footerTemplate: `<div style="width:100%;text-align:center;font:8px sans-serif;color:#59636e"><span class="pageNumber"></span> / <span class="totalPages"></span></div>`,
        });
      });
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  }

  /**
   * Charts on white, in order; undefined for one that Plotly refuses.
   * @param scale pixels of a PNG for one of the page; `vector`: PDF
   */
  async charts(figures: readonly Figure[], scale: number | "vector"): Promise<(Uint8Array | undefined)[]> {
    return this.withPage(async (page) => {
      await page.setContent("<!doctype html><div id=chart></div>");
      await page.addScriptTag({ path: plotlyPath() });
      const made: (Uint8Array | undefined)[] = [];
      for (const figure of figures) {
        const { data, layout = {} } = JSON.parse(JSON.stringify(figure)) as Figure;
        const size = { width: Number(layout["width"]) || CHART.width, height: Number(layout["height"]) || CHART.height };
        const isClear = /^rgba\(.*,\s*0?\.?0*\)$|^transparent$/.test(String(layout["paper_bgcolor"] ?? "transparent"));
        const white = isClear ? { paper_bgcolor: "#fff", font: { ...(layout["font"] as object), color: "#1f2328" } } : {};
        const uri = await page
          .evaluate(([figure, options]) => (globalThis as unknown as { Plotly: { toImage(figure: unknown, options: unknown): Promise<string> } }).Plotly.toImage(figure, options), [{ data, layout: { ...layout, ...white } }, { ...(scale === "vector" ? { format: "svg" } : { format: "png", scale }), ...size }] as const)
          .catch(() => undefined);
        const data64 = uri?.slice(uri.indexOf(",") + 1);
        made.push(uri === undefined ? undefined : scale === "vector" ? await this.vector(decodeURIComponent(data64!)) : Buffer.from(data64!, "base64"));
      }
      return made;
    });
  }

  /** SVG as a PDF of its size, its text and lines kept; undefined for one that is damaged or empty. */
  async vector(svg: string): Promise<Uint8Array | undefined> {
    return this.withPage(async (page) => {
      const uri = `data:image/svg+xml;base64,${Buffer.from(svg).toString("base64")}`;
      await page.setContent(`<!doctype html><style>@page{margin:0}body{margin:0}img{display:block}</style><img src="${uri}">`);
      const size = (await page.evaluate("document.querySelector('img').decode().then(() => { const { width, height } = document.querySelector('img'); return [width, height]; }, () => undefined)")) as [number, number] | undefined;
      return size && size[0] > 0 && size[1] > 0 ? page.pdf({ width: `${size[0]}px`, height: `${size[1] + 1}px`, printBackground: true, pageRanges: "1" }) : undefined;
    });
  }

  /** An image that LaTeX cannot read (SVG, WebP, GIF) as PNG; undefined for one that is damaged or empty. */
  async png(image: Image): Promise<Uint8Array | undefined> {
    return this.withPage(async (page) => {
      await page.setContent(`<!doctype html><body style="margin:0"><img style="display:block" src="${dataUri(image)}">`);
      const isRead = await page.evaluate("document.querySelector('img').decode().then(() => document.querySelector('img').width > 0, () => false)");
      return isRead ? page.locator("img").screenshot({ scale: "device" }) : undefined;
    });
  }

  async close(): Promise<void> {
    await this.chromium.close();
  }

  private async withPage<Result>(use: (page: Page) => Promise<Result>): Promise<Result> {
    const context = await this.chromium.newContext({ offline: true, deviceScaleFactor: 2, serviceWorkers: "block" });
    try {
      const page = await context.newPage();
      page.setDefaultTimeout(PATIENCE);
      return await use(page);
    } finally {
      await context.close();
    }
  }
}
