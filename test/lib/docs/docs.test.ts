import assert from "node:assert/strict";
import { test } from "node:test";
import { extract } from "../../../lib/docs/extract.js";
import { apiPage } from "../../../lib/docs/page.js";
import * as library from "../../../lib/index.js";

test("the reference has every public name with its words, on one page that loads nothing", () => {
  const entries = extract();
  const names = new Map(entries.map((entry) => [entry.name, entry]));
  for (const name of Object.keys(library)) assert.ok(names.has(`sdtp.${name}`) || entries.some((entry) => entry.name.startsWith(`sdtp.${name}.`)), name);
  const load = names.get("sdtp.load")!;
  assert.match(load.code, /^load\(.*\): Promise<Model>$/m);
  assert.ok(load.description.length > 20);
  assert.match(names.get("sdtp.chart.speedup")!.tags.find((tag) => tag.name === "example")!.text, /sdtp\.chart\.speedup\(/);
  assert.ok(names.get("sdtp.Model")!.members.some(({ name, description }) => name === "Model.prefill" && description !== ""));
  assert.ok(!names.get("sdtp.Model")!.members.some(({ name }) => name.includes("#")));
  assert.ok(names.has("display"));
  const undocumented = entries.filter(({ kind, description }) => (kind === "function" || kind === "class") && description === "").map(({ name }) => name);
  assert.deepEqual(undocumented, []);
  const page = apiPage(entries, "1.2.3");
  const ids = [...page.matchAll(/ id="([^"]+)"/g)].map(([, id]) => id!);
  assert.equal(new Set(ids).size, ids.length);
  for (const [, target] of page.matchAll(/href="#([^"]+)"/g)) assert.ok(ids.includes(target!), target);
  assert.ok(!/<script[^>]*src|<link|<img|url\(/.test(page));
});
