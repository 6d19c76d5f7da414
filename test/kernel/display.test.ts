import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import type { JsonObject } from "../../lib/jupyter/index.js";
import { Session } from "./session.js";

describe("display", () => {
  let session: Session;
  before(async () => {
    session = await Session.start();
  });
  after(() => session.end());

  const shown = async (code: string) => {
    const ran = await session.run(code);
    assert.equal(ran.reply.status, "ok", ran.reply.evalue);
    return ran.contents("display_data").map((content) => content.data as JsonObject);
  };
  const png = "Buffer.from('iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR4nGNgYGBgAAAABQABXvMqOgAAAABJRU5ErkJggg==', 'base64')";

  it("asks a value how it looks, at once or later", async () => {
    const ran = await session.run("({ [Symbol.for('Jupyter.display')]: () => ({ 'text/html': '<b>1</b>', 'text/plain': 'one' }) })");
    assert.deepEqual(ran.data, { "text/html": "<b>1</b>", "text/plain": "one" });
    const later = await session.run("({ [Symbol.for('Jupyter.display')]: async () => ({ data: { 'text/markdown': '*x*' }, metadata: { tag: 1 } }) })");
    assert.equal(later.data["text/markdown"], "*x*");
    assert.ok(later.data["text/plain"]);
    assert.deepEqual(later.contents("execute_result")[0]?.metadata, { tag: 1 });
  });

  it("shows values below the cell and replaces them", async () => {
    const ran = await session.run("const h = display('a'); h.update('b'); display('c', { displayId: 'mine' }); display.update('mine', 'd'); clearOutput({ wait: true });");
    const outputs = ran.messages.slice(1).map(({ header, content }) => [header.msg_type, (content.data as JsonObject | undefined)?.["text/plain"] ?? content.wait]);
    assert.deepEqual(outputs, [
      ["display_data", "'a'"],
      ["update_display_data", "'b'"],
      ["display_data", "'c'"],
      ["update_display_data", "'d'"],
      ["clear_output", true],
    ]);
    const ids = ran.messages.slice(1, 5).map(({ content }) => (content.transient as JsonObject).display_id);
    assert.equal(ids[0], ids[1]);
    assert.deepEqual(ids.slice(2), ["mine", "mine"]);
    assert.equal(await session.value("let later = ''; const other = display(1); setTimeout(() => other.update(2), 1); other.displayId.length > 0"), "true");
  });

  it("shows a value once where the cell ends in showing it", async () => {
    const ran = await session.run("display('once')");
    assert.deepEqual(ran.messages.slice(1).map(({ header }) => header.msg_type), ["display_data"]);
    assert.match((await session.value("({ displayId: 'x', update() {} })"))!, /displayId/);
  });

  it("shows HTML, Markdown, LaTeX, SVG, JSON, JavaScript and raw bundles", async () => {
    const all = await shown("display.html('<i>h</i>'); display.markdown('# m'); display.latex('$x$'); display.svg('<svg/>'); display.json({ a: [1] }); display.javascript('1'); display({ 'text/x': 'raw' }, { raw: true });");
    assert.deepEqual(
      all.map((data) => Object.entries(data).filter(([type]) => type !== "text/plain")),
      [[["text/html", "<i>h</i>"]], [["text/markdown", "# m"]], [["text/latex", "$x$"]], [["image/svg+xml", '<svg xmlns="http://www.w3.org/2000/svg"/>']], [["application/json", { a: [1] }]], [["application/javascript", "1"]], [["text/x", "raw"]]],
    );
  });

  it("shows images by their bytes or path", async () => {
    const ran = await session.run(`require('fs').writeFileSync('dot.png', ${png}); display.image('dot.png', { width: 20, alt: 'a dot' }); display.image(Buffer.from('<svg xmlns="x"></svg>'))`);
    const [dot, svg] = ran.contents("display_data");
    assert.match(String((dot?.data as JsonObject)["image/png"]), /^iVBORw0KGgo/);
    assert.equal((dot?.data as JsonObject)["text/plain"], "a dot");
    assert.deepEqual((dot?.metadata as JsonObject)["image/png"], { width: 20 });
    assert.equal((svg?.data as JsonObject)["image/svg+xml"], '<svg xmlns="x"></svg>');
    assert.match((await session.run("display.image(Buffer.from('nothing'))")).reply.evalue ?? "", /must be PNG, JPEG/);
  });

  it("shows DataFrames and Series as tables, long ones by their ends", async () => {
    const small = await session.run("const df = new dfd.DataFrame({ n: [1, 2.123456789], name: ['<a>', 'b'] }); df");
    assert.match(String(small.data["text/html"]), /<th[^>]*right">n<\/th><th[^>]*left">name<\/th>.*&lt;a&gt;.*2 rows × 2 columns/s);
    assert.equal(small.text, "         n  name\n0        1  <a>\n1  2.12346  b\n2 rows × 2 columns");
    const long = await session.run("new dfd.DataFrame({ i: Array.from({ length: 5000 }, (_, i) => i) })");
    assert.match(long.text ?? "", /\n +9 +9\n… +…\n4990 +4990\n/);
    assert.match(long.text ?? "", /5000 rows × 1 columns$/);
    assert.match((await session.run("df['n']")).text ?? "", /2 values$/);
    assert.match((await session.run("new dfd.DataFrame({ values: [1], index: [2] })")).text ?? "", /^ +values +index\n/);
  });

  it("shows tables that know their HTML", async () => {
    const { data } = await session.run("class Table { toHTML({ limit }: { limit: number }) { return `<table>${limit}</table>` } toMarkdown() { return '|a|' } }\nnew Table()");
    assert.deepEqual(data, { "text/html": "<table>60</table>", "text/plain": "|a|" });
  });

  it("shows Plotly figures as pictures that Plotly replaces, which is given to the client once and kept in no output", async () => {
    const first = await session.run("({ data: [{ type: 'scatter', x: [1, 2], y: new Float32Array([3, 4]) }], layout: { title: { text: '</script>' } } })");
    const { data, layout, config } = first.data["application/vnd.plotly.v1+json"] as { data: object[]; layout: Record<string, unknown>; config: object };
    assert.deepEqual([data, layout["title"], layout["paper_bgcolor"], config], [[{ type: "scatter", x: [1, 2], y: [3, 4] }], { text: "</script>" }, "rgba(0,0,0,0)", { responsive: true }]);
    const html = String(first.data["text/html"]);
    assert.ok(html.length < 20_000);
    assert.equal(html.match(/<\/script>/g)?.length, 1);
    assert.match(html, /^<div id="plotly-[0-9a-f]{12}"[^>]*><img alt="Plotly figure: 1 trace"[^>]* src="data:image\/svg\+xml;base64,/);
    const figure = "display.plotly([{ y: [1n, new BigInt64Array([2n])[0]] }], { height: 200 });";
    const [[second], [third]] = [await shown(figure), await shown(figure)];
    assert.equal(second?.["text/html"], third?.["text/html"]);
    assert.deepEqual((second?.["application/vnd.plotly.v1+json"] as { data: object[] }).data, [{ y: [1, 2] }]);
  });

  it("shows typed arrays and tensors by type, shape and first values", async () => {
    assert.match(await session.value("new Float32Array(1000)") ?? "", /^Float32Array\(1000\) \[0, 0, .*… 980 more\]$/);
    const tensor = "import { Tensor } from 'onnxruntime-node'; new Tensor('float32', Float32Array.from([1, 2, 3, 4, 5, 6]), [2, 3])";
    assert.equal(await session.value(tensor), "Tensor float32 [2, 3] [1, 2, 3, 4, 5, 6]");
  });

  it("shows an error that is a value, with the cell's line", async () => {
    assert.match((await session.value("const e = new RangeError('r'); e")) ?? "", /^RangeError: r\n {4}at Cell \[\d+\]:1:\d+$/);
  });

  it("does not show megabytes", async () => {
    const text = await session.value("Array.from({ length: 100 }, () => Array.from({ length: 100 }, () => Array.from({ length: 100 }, (_, i) => ({ i, text: 'x'.repeat(1000) }))))");
    assert.ok((text?.length ?? 0) < 60_000, String(text?.length));
    assert.ok(((await session.value("'y'.repeat(5_000_000)"))?.length ?? 0) < 60_000);
    const { evalue = "", traceback = [] } = (await session.run("throw new Error('z'.repeat(3_000_000))")).reply;
    assert.match(evalue, /^z{10000}… \(2990000 more characters\)$/);
    assert.ok(traceback.join("").length < 30_000);
  });

  it("shows values of a type of someone else's as registered", async () => {
    await session.run("class Money { constructor(public amount: number) {} }\ndisplay.register((value): value is Money => value instanceof Money, (value) => ({ 'text/html': `<b>${value.amount} €</b>` }))");
    assert.equal((await session.run("new Money(5)")).data["text/html"], "<b>5 €</b>");
  });

  it("says what cannot be sent, and goes on", async () => {
    assert.match((await session.run("clearOutput({ wait: 10n as never })")).stream("stderr"), /^clear: cannot be sent \(Do not know how to serialize a BigInt\)/);
    const { messages } = await session.run("comms.open('target', { big: 10n, typed: new Float32Array([1]) })");
    assert.deepEqual(messages.find(({ header }) => header.msg_type === "comm_open")?.content.data, { big: 10, typed: [1] });
    assert.equal((await session.run("const circle: { c?: object } = {}; circle.c = circle; comms.open('target', circle)")).reply.ename, "TypeError");
    assert.equal(await session.value("1"), "1");
  });

  it("shows progress in place", async () => {
    const ran = await session.run("const seen: number[] = []; for (const n of progress([1, 2, 3], 'lengths')) { seen.push(n); await new Promise(done => setTimeout(done, 120)); } seen");
    assert.equal(ran.text, "[ 1, 2, 3 ]");
    const bars = ran.messages.filter(({ content }) => (content.data as JsonObject)?.["text/html"]?.toString().includes("<progress"));
    assert.equal(bars.filter(({ header }) => header.msg_type === "display_data").length, 1);
    const last = (bars.at(-1)?.content.data as JsonObject)["text/plain"];
    assert.match(String(last), /^lengths █+ 3\/3 \[/);
    assert.equal(new Set(bars.map(({ content }) => (content.transient as JsonObject).display_id)).size, 1);
  });

  it("has the library preloaded, typed", async () => {
    assert.equal(await session.value("typeof sdtp"), "'object'");
    assert.equal((await session.run("sdtp.thereIsNoSuchFunction")).reply.ename, "CompileError");
  });
});
