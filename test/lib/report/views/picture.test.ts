import assert from "node:assert/strict";
import { inflateSync } from "node:zlib";
import { test } from "node:test";
import { figureHtml } from "../../../../lib/report/views/figure-html.js";
import { picture } from "../../../../lib/report/views/picture/index.js";

test("a picture has the title, axes, names and one path a trace", () => {
  const { svg, width, height } = picture({ data: [{ x: [1, 2, 3], y: [2, 4, 8], name: "a <b>" }, { x: [1, 2, 3], y: [1, null, 3], name: "c", mode: "lines", line: { dash: "dash", color: "#0072B2" } }], layout: { title: { text: "Title<br>two", subtitle: { text: "under" } }, xaxis: { title: { text: "along" } }, height: 300 } })!;
  assert.deepEqual([width, height], [800, 300]);
  for (const text of ["Title", "two", "under", "along", "a &lt;b&gt;", "c"]) assert.ok(svg.includes(`>${text}</text>`), text);
  assert.equal(svg.match(/<circle/g)?.length, 3);
  const [, broken] = /<path d="(M[^"]*M[^"]*)" fill="none" stroke="#0072B2"/.exec(svg)!;
  assert.ok(broken, "a gap where there is no value");
  assert.match(svg, /stroke-dasharray="8 5"/);
});

test("values stand where they are: linear, logarithmic, in categories, turned round", () => {
  const heights = (layout: object, y: unknown[], x: unknown[] = [0, 1, 2]) => [...picture({ data: [{ x, y, mode: "markers" }], layout: { height: 450, ...layout } })!.svg.matchAll(/<circle cx="([\d.]+)" cy="([\d.]+)"/g)].map(([, cx, cy]) => [Number(cx), Number(cy)] as const);
  const linear = heights({}, [0, 1, 4]);
  assert.ok(Math.abs((linear[0]![1] - linear[1]![1]) * 4 - (linear[0]![1] - linear[2]![1])) < 1);
  const log = heights({ yaxis: { type: "log" } }, [1, 10, 100]);
  assert.ok(Math.abs(log[0]![1] - log[1]![1] - (log[1]![1] - log[2]![1])) < 0.2);
  const turned = heights({ yaxis: { autorange: "reversed" } }, [0, 1, 2]);
  assert.ok(turned[0]![1] < turned[2]![1]);
  const names = heights({}, [1, 1, 1], ["a", "b", "c"]);
  assert.ok(Math.abs(names[1]![0] - names[0]![0] - (names[2]![0] - names[1]![0])) < 0.2);
});

test("stacked bars stand on each other, a heat map is one image of its values", () => {
  const { svg } = picture({ data: [{ type: "bar", x: ["a"], y: [1] }, { type: "bar", x: ["a"], y: [3] }], layout: { barmode: "stack" } })!;
  const [first, second] = [...svg.matchAll(/<rect x="[\d.]+" y="([\d.]+)" width="[\d.]+" height="([\d.]+)" fill="#/g)].map(([, y, height]) => [Number(y), Number(height)] as const);
  assert.ok(Math.abs(second![1] / first![1] - 3) < 0.05 && Math.abs(second![0] + second![1] - first![0]) < 0.2);
  const heat = picture({ data: [{ type: "heatmap", z: [[0, 1], [1, null]], colorscale: [[0, "#000000"], [1, "#ff0000"]], zmin: 0, zmax: 1 }], layout: { yaxis: { autorange: "reversed" } } })!;
  const png = Buffer.from(/href="data:image\/png;base64,([^"]+)"/.exec(heat.svg)![1]!, "base64");
  const at = png.indexOf("IDAT");
  const pixels = inflateSync(png.subarray(at + 4, at + 4 + png.readUInt32BE(at - 4)));
  assert.deepEqual([...pixels], [0, 0, 0, 0, 255, 255, 0, 0, 255, 0, 255, 0, 0, 255, 0, 0, 0, 0]);
});

test("what is not known has no picture but its text; the same figure has the same HTML", () => {
  for (const data of [[], [{ type: "pie", values: [1] }], [{ type: "scatter3d", x: [1], y: [1], z: [1] }], [{ x: [], y: [] }]]) assert.equal(picture({ data, layout: {} }), undefined);
  assert.match(figureHtml({ data: [{ type: "pie" }] }, "a <pie>"), /<pre>a &lt;pie&gt;<\/pre>/);
  const figure = { data: [{ x: [1], y: new BigInt64Array([1n]) }], layout: {} };
  assert.equal(figureHtml(figure, "t"), figureHtml(structuredClone(figure), "t"));
});
