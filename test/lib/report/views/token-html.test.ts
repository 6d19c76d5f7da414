import assert from "node:assert/strict";
import { test } from "node:test";
import { tokenHtml } from "../../../../lib/report/views/token-html.js";
import { tokenText } from "../../../../lib/report/views/tokens.js";

const kinds = [{ style: "", label: "kept" }, { style: "background:red", label: "fell" }];
const view = (texts: string[], kind: number[]) => tokenHtml({ title: "t", scope: "x", texts, kinds, kind, hover: (i) => `${i} <"&>` });

test("no text of a token becomes markup, in the text or in the hover", () => {
  const html = view(["<script>alert(1)</script>", '"&', "</div>"], [0, 1, 0]);
  assert.ok(!html.includes("<script>") && !html.includes('"&"'));
  assert.equal(html.split("</div>").length - 1, 4, "only the view's own elements are closed");
  assert.ok(html.includes("&lt;script&gt;alert(1)&lt;/script&gt;") && html.includes('title="0 &lt;&quot;&amp;&gt;"'));
});

test("line ends, control and direction characters are shown and do nothing", () => {
  const html = view(["a\n", "\u0007", "\u202e", ""], [0, 0, 0, 1]);
  assert.ok(html.includes(">a↵\n</span>"));
  assert.ok(!/[\u0007\u202e]/.test(html));
  assert.ok(html.includes(">·</span>"));
});

test("tokens of one kind in a row share an element, counted in the legend", () => {
  const html = view(["a", "b", "c", "d", "e"], [1, 1, 0, 0, 1]);
  assert.equal(html.split("<div class=t>")[1]!.split("<span class=k1>").length - 1, 2);
  assert.ok(html.includes("kept: 2<") && html.includes("fell: 3<"));
});

test("4096 tokens, each of another kind than the one before: under 1 MB and 200 ms; 32768 under 3 MB", () => {
  const make = (n: number) => tokenHtml({
    title: "t", scope: "x", kinds, texts: Array.from({ length: n }, (_, i) => ` token${i % 10}`), kind: Array.from({ length: n }, (_, i) => i % 2), hover: (i) => `${i} · -0.${1000 + (i % 9000)} · stage ${i % 10}`,
  });
  make(4096);
  const times = [0, 1, 2].map(() => {
    // The processor's time: the clock's depends on what else runs.
    const started = process.cpuUsage();
    assert.ok(Buffer.byteLength(make(4096)) < 1e6);
    const { user, system } = process.cpuUsage(started);
    return (user + system) / 1000;
  });
  assert.ok(Math.min(...times) < 200, `${Math.min(...times)} ms`);
  const long = make(32768);
  assert.ok(Buffer.byteLength(long) < 3e6, `${Buffer.byteLength(long)} bytes`);
});

test("as plain text, tokens move no cursor and turn no direction", () => {
  const view = { stage: Int16Array.of(-1, 0), score: null, forced: new Uint8Array(2), texts: ["a\tb\n\u001b[31m", "\u202ec\u009b\r"], afterLayers: [1] };
  assert.equal(tokenText(view, "t"), "t\na\tb\n\ufffd[31m[0:\ufffdc\ufffd]");
});
