// What the views show, against the data they show.
import assert from "node:assert/strict";
import { after, describe, test } from "node:test";
import { toBundle } from "../../../../kernel/display/bundle.js";
import * as views from "../../../../lib/report/views/index.js";
import type { View } from "../../../../lib/report/views/index.js";
import { direction, prompt, setup, twice } from "../../inspect/setup.js";

describe("views of a pruned run", async () => {
  const { model, prefill, close } = await setup();
  after(close);
  const run = await prefill();
  const other = await model.prefill(prompt, { preset: twice, scorer: "recency", scores: true });
  const all: Record<string, View> = {
    tokens: await views.tokens(run),
    retention: views.retention(run),
    summary: views.kvSummary(run),
    lengths: views.kvLengths([await run.unpruned(), run]),
    memory: views.kvMemory(model),
    scores: views.scores(run),
    norms: views.norms(run),
    drift: await views.drift(run),
    attention: await views.attention(run, { tokens: 3 }),
    track: await views.track(run, { tokens: 4 }),
    diff: await views.diff(run, other),
    verify: await views.verify(run),
  };

  for (const [name, view] of Object.entries(all)) {
    test(`${name}: HTML, text and, where it is a chart, a figure, in a cell and on a page`, async () => {
      assert.ok(view.text.length > 20 && !view.text.includes("undefined") && !view.text.includes("[object"));
      assert.ok(view.html.length > 100 && !view.html.includes("undefined"));
      const { data } = await toBundle(view);
      assert.equal(data["text/plain"], view.text);
      assert.ok(String(data["text/html"]).includes(view.figure ? "Plotly.newPlot" : view.html));
      if (view.figure) {
        assert.deepEqual(data["application/vnd.plotly.v1+json"], JSON.parse(JSON.stringify(view.figure)));
        assert.ok(view.figure.data.length > 0);
      }
      assert.deepEqual(Object.keys(view).filter((key) => ["html", "text", "figure", "title"].includes(key)), [], "JSON of the value has the data alone");
      assert.ok(views.viewPage("a page", [view]).includes(view.html));
    });
  }

  test("the library comes once in a page of many figures", () => {
    const page = views.viewPage("all", Object.values(all));
    assert.equal(page.split("window.__plotly__ ??=").length, 2);
    assert.equal(page.split("newPlot").length - 1, Object.values(all).filter(({ figure }) => figure).length);
  });

  test("the retention figure has the lengths of the caches in it", () => {
    const { z } = all["retention"]!.figure!.data[0] as unknown as { z: number[][] };
    assert.deepEqual(z.map((row) => row.reduce((a, b) => a + b)), [48, 38, 28]);
  });

  test("score bars count every token that had to win its place, and the cut parts kept from dropped", () => {
    const { data, layout } = all["scores"]!.figure!;
    const counts = data.map((trace) => (trace as unknown as { y: number[] }).y.reduce((a, b) => a + b));
    assert.deepEqual(counts, [10, 18, 10, 8]);
    assert.equal(layout.shapes!.length, 2);
  });

  test("every token stands in the token view once, in its stage's element, and says where it is", async () => {
    const texts = (await run.texts())!;
    const { html } = all["tokens"]!;
    assert.equal(html.split("<span title=").length - 1, 48);
    for (const position of run.stages[0]!.dropped) {
      const element = new RegExp(`<span title="${position} · [^"]*stage 0">`).exec(html);
      assert.ok(element, `position ${position}`);
      assert.equal(html.slice(0, element.index).lastIndexOf("<del class=k2"), html.slice(0, element.index).lastIndexOf("<del class="));
    }
    assert.match(html, /stage 0, after block 0: 10</);
    assert.equal(all["tokens"]!.text.replace(/^.*\n/, "").replace(/\[\d+:|\]/g, "").length, texts.join("").replace(/\[\d+:|\]/g, "").length);
  });

  test("without scores the token view still stands, and the score view says what is missing", async () => {
    const bare = await model.prefill(prompt, { preset: twice, scorer: direction });
    assert.match((await views.tokens(bare)).html, /<span title="0 · always kept">/);
    assert.throws(() => views.scores(bare), /scores: not read at stage 0 \(prefill with \{ scores: true \}\)/);
    const baseline = await model.prefill(prompt);
    assert.throws(() => views.scores(baseline), /scores: baseline has no stage/);
  });

  test("a failed verification shows as such", async () => {
    const broken = await prefill();
    broken.kv.layer(0).key(0)[1] = 1e9;
    const view = await views.verify(broken, { throws: false });
    assert.equal(view.ok, false);
    assert.match(view.text, /✗ unpruned \(FAILED\): layer 0, head 0, position 0: key\[1\] is 1000000000/);
    assert.match(view.html, /✗ <b>unpruned<\/b> \(FAILED\)/);
  });
});
