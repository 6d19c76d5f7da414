import assert from "node:assert/strict";
import { inflateSync } from "node:zlib";
import { test } from "node:test";
import { clearFigure, figureHtml } from "../../../../lib/report/views/figure-html.js";
import { picture } from "../../../../lib/report/views/picture/index.js";

test("a picture has the title, axes, names and one path a trace", () => {
  const { svg, width, height } = picture({ data: [{ x: [1, 2, 3], y: [2, 4, 8], name: "a <pad>" }, { x: [1, 2, 3], y: [1, null, 3], name: "c", mode: "lines", line: { dash: "dash", color: "#0072B2" } }], layout: { title: { text: "Title<br>two", subtitle: { text: "under" } }, xaxis: { title: { text: "along" } }, height: 300 } })!;
  assert.deepEqual([width, height], [800, 300]);
  for (const text of ["Title", "two", "under", "along", "a &lt;pad&gt;", "c"]) assert.ok(svg.includes(`>${text}</text>`), text);
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

test("bars to the side, on each other, off their base", () => {
  const rects = (data: object[], layout: object = {}) => [...picture({ data, layout })!.svg.matchAll(/<rect x="([\d.]+)" y="([\d.]+)" width="([\d.]+)" height="([\d.]+)" fill="#/g)].map((each) => each.slice(1).map(Number) as [number, number, number, number]);
  const near = (a: number, b: number) => assert.ok(Math.abs(a - b) < 0.3, `${a} ${b}`);
  const [first, second] = rects([{ type: "bar", orientation: "h", y: ["a", "b"], x: [1, 3] }]) as unknown as [number[], number[]];
  near(second[2]!, 3 * first[2]!);
  near(first[0]!, second[0]!);
  assert.ok(first[1]! > second[1]!, "the first category is below");
  const stacked = rects([{ type: "bar", orientation: "h", y: ["a"], x: [1] }, { type: "bar", orientation: "h", y: ["a"], x: [2] }], { barmode: "stack" });
  near(stacked[0]![0] + stacked[0]![2], stacked[1]![0]);
  const relative = rects([{ type: "bar", x: ["a"], y: [2] }, { type: "bar", x: ["a"], y: [-1] }, { type: "bar", x: ["a"], y: [-1] }], { barmode: "relative" });
  near(relative[0]![1] + relative[0]![3], relative[1]![1]);
  near(relative[1]![1] + relative[1]![3], relative[2]![1]);
  const based = rects([{ type: "bar", orientation: "h", y: ["load", "run"], x: [2, 3], base: [0, 2] }]);
  near(based[0]![0] + based[0]![2], based[1]![0]);
  assert.match(picture({ data: [{ type: "bar", orientation: "h", y: ["a very long name of a category on an axis"], x: [1] }] })!.svg, /a very long name of a category on an ax…/);
});

test("boxes stand at their quartiles, outliers beyond 1.5 times their distance", () => {
  const { svg } = picture({ data: [{ type: "box", y: [1, 2, 3, 4, 5, 6, 7, 8, 100], name: "a" }], layout: { yaxis: { range: [0, 110] } } })!;
  assert.equal(svg.match(/<circle/g)?.length, 1);
  const [, top, bottom] = /<path d="M[\d.]+ ([\d.]+)L[\d.]+ [\d.]+L[\d.]+ ([\d.]+)/.exec(svg)!;
  // Values at the middles of nine equal parts: quartiles 2.75 and 7.25, as Plotly draws them.
  const height = 450 - 20 - 62;
  assert.ok(Math.abs((Number(top) - Number(bottom)) - ((7.25 - 2.75) / 110) * height) < 0.5);
  assert.ok(picture({ data: [{ type: "violin", x: [1, 2, 3, 3, 4] }] }));
  assert.ok(picture({ data: [{ type: "box", q1: [1], median: [2], q3: [3], x: ["given"] }] }));
});

test("sectors are as large as their shares, and go against the clock from the largest", () => {
  const { svg } = picture({ data: [{ type: "pie", labels: ["a", "b", "a"], values: [1, 2, 5] }] })!;
  assert.deepEqual([...svg.matchAll(/>([\d.]+%)</g)].map(([, share]) => share), ["75%", "25%"]);
  const [, large] = /A[\d.]+ [\d.]+ 0 (\d) 0/.exec(svg)!;
  assert.equal(large, "1");
  assert.equal(svg.match(/>a</g)?.length, 1, "one name for both");
  assert.match(picture({ data: [{ type: "pie", labels: ["all"], values: [3] }] })!.svg, />100%</);
  assert.equal(picture({ data: [{ type: "pie", labels: ["a"], values: [0] }] }), undefined);
});

test("in space what is near covers what is far, and nothing leaves the picture", () => {
  const { svg } = picture({ data: [{ type: "scatter3d", mode: "markers", x: [0, 1], y: [0, 1], z: [0, 1], marker: { color: ["#000001", "#000002"] } }] })!;
  assert.ok(svg.indexOf("#000001") < svg.indexOf("#000002"), "the far one first");
  const surface = picture({ data: [{ type: "surface", z: [[0, 1, 2], [1, null, 3], [2, 3, 4]] }] })!;
  for (const [, x, y] of surface.svg.matchAll(/[ML]([-\d.]+) ([-\d.]+)/g)) assert.ok(Number(x) >= 0 && Number(x) <= 800 && Number(y) >= 0 && Number(y) <= 450);
  assert.ok(picture({ data: [{ type: "mesh3d", x: [0, 1, 0], y: [0, 0, 1], z: [0, 0, 0], i: [0], j: [1], k: [2] }] }));
});

test("a second axis has its own scale and marks; arrays as Plotly for Python writes them; spikes of long lines stay", () => {
  const two = picture({ data: [{ x: [0, 1], y: [0, 1] }, { x: [0, 1], y: [0, 1000], yaxis: "y2" }], layout: { yaxis2: { overlaying: "y", side: "right" } } })!.svg;
  assert.match(two, />0\.4</);
  assert.match(two, />400</);
  const bdata = Buffer.from(new Float64Array([1, 2, 4]).buffer).toString("base64");
  assert.equal(picture({ data: [{ y: { dtype: "f8", bdata } }] })!.svg, picture({ data: [{ y: [1, 2, 4] }] })!.svg);
  const long = Array.from({ length: 100_000 }, (_, i) => (i === 77_777 ? 1 : 0));
  const { svg } = picture({ data: [{ y: long }] })!;
  assert.ok(svg.length < 40_000);
  assert.ok(new Set([...svg.matchAll(/[ML][\d.]+ ([\d.]+)/g)].map(([, y]) => y)).size > 2);
});

test("for clients that draw a figure themselves it has no white ground, where it does not say so", () => {
  const clear = clearFigure({ data: [{ y: [1] }], layout: { yaxis: { title: "t" }, font: { size: 9 } } }).layout as Record<string, Record<string, unknown>>;
  assert.equal(clear["paper_bgcolor"] as unknown, "rgba(0,0,0,0)");
  assert.deepEqual([clear["font"]!["size"], clear["font"]!["color"], clear["yaxis"]!["title"], typeof clear["yaxis"]!["gridcolor"]], [9, "#7a7a7a", "t", "string"]);
  const other = clearFigure({ data: [{ type: "sankey", link: { value: [1] } }, { type: "table", cells: { values: [[1]] } }, { type: "scatterpolar", r: [1] }, { type: "choropleth", z: [1] }] }) as unknown as { data: { link?: { color: string; value: number[] }; cells?: { fill: { color: string } } }[]; layout: Record<string, { bgcolor?: string }> };
  assert.deepEqual([other.data[0]!.link, other.data[1]!.cells!.fill.color, other.layout["polar"]!.bgcolor, other.layout["geo"]!.bgcolor], [{ color: "rgba(128,128,128,.4)", value: [1] }, "rgba(0,0,0,0)", "rgba(0,0,0,0)", "rgba(0,0,0,0)"]);
  for (const layout of [{ paper_bgcolor: "#fff" }, { template: {} }]) assert.deepEqual(clearFigure({ data: [], layout }).layout, layout);
});

test("what is not known has its data in place of a picture; the same figure has the same HTML", () => {
  for (const data of [[], [{ type: "sankey", node: { label: ["a"] } }], [{ type: "scatter3d", x: [], y: [], z: [] }], [{ x: [], y: [] }], [{ y: [1] }, { type: "treemap", labels: ["a"] }]]) assert.equal(picture({ data, layout: {} }), undefined);
  const html = figureHtml({ data: [{ type: "sankey", node: { label: ["<q>", "b"] }, link: { source: [0], target: [1], value: [7] } }] }, "a <flow>");
  assert.match(html, /<pre>a &lt;flow&gt; \(Plotly alone draws charts of the kind sankey: here its data\)<\/pre><table>.*<th>link\.value<\/th>.*<td>&lt;q&gt;<\/td>.*<td>7<\/td>/);
  assert.match(figureHtml({ data: [{ type: "scatterpolar", r: Array.from({ length: 30 }, (_, i) => i), theta: [0] }] }, "t"), /<td>… 10 more<\/td>/);
  const figure = { data: [{ x: [1], y: new BigInt64Array([1n]) }], layout: {} };
  assert.equal(figureHtml(figure, "t"), figureHtml(structuredClone(figure), "t"));
});
