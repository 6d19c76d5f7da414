// The page of all views in a real browser, in light and in dark.
import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { pathToFileURL } from "node:url";
import * as views from "../../../../lib/report/views/index.js";
import { launch, noChromium } from "../../../chromium.js";
import { setup } from "../../inspect/setup.js";

test("every chart draws, tokens say where they are, and text can be read on light and dark", { skip: noChromium, timeout: 300_000 }, async () => {
  const { prefill, model, close } = await setup();
  const folder = mkdtempSync(join(tmpdir(), "sdtp-views-"));
  const browser = await launch();
  try {
    const run = await prefill();
    const all = [
      await views.tokens(run), views.retention(run), views.kvSummary(run), views.kvLengths(run), views.kvMemory(model), views.scores(run), views.norms(run),
      await views.drift(run), await views.attention(run, { tokens: 3 }), await views.track(run, { tokens: 3 }), await views.verify(run),
    ];
    const file = join(folder, "views.html");
    writeFileSync(file, views.viewPage("views", all));
    for (const colorScheme of ["light", "dark"] as const) {
      const page = await browser.newPage({ colorScheme });
      const problems: string[] = [];
      page.on("pageerror", (error) => problems.push(error.message));
      page.on("request", (request) => { if (!/^(file|data|blob):/.test(request.url())) problems.push(`asks for ${request.url()}`); });
      await page.goto(pathToFileURL(file).href);
      const charts = all.filter(({ figure }) => figure).length;
      await page.waitForFunction(`document.querySelectorAll(".js-plotly-plot .main-svg").length >= ${charts}`, undefined, { timeout: 120_000 });
      assert.equal(await page.locator(".js-plotly-plot").count(), charts);
      assert.equal(await page.locator(".sdtp-tokens .t span[title]").count(), 48);
      assert.match((await page.locator(".sdtp-tokens .t span[title]").nth(6).getAttribute("title"))!, /^6 · /);
      const box = (await page.locator(".sdtp-tokens .k2").last().boundingBox())!;
      assert.ok(box.width > 0 && box.height > 0);
      const brightness = async (property: string) => {
        const rgb = await page.evaluate(`getComputedStyle(document.querySelector(".sdtp-tokens .t span[title]")).${property}`);
        return (String(rgb).match(/\d+/g) ?? []).slice(0, 3).reduce((sum, part) => sum + Number(part), 0) / 3;
      };
      assert.equal((await brightness("color")) > 128, colorScheme === "dark", "the text takes the page's colour");
      assert.deepEqual(problems, []);
      await page.close();
    }
  } finally {
    await browser.close();
    await close();
    rmSync(folder, { recursive: true, force: true });
  }
});
