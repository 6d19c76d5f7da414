// `sdtp site`: a page over runs and results.
import assert from "node:assert/strict";
import { cpSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { packageRoot } from "../../../../lib/checkpoint/package-root.js";
import { runNotebook } from "../../../../lib/notebook/run/run.js";
import { collect } from "../../../../lib/notebook/site/collect.js";
import { sdtp } from "../../cli/sdtp.js";
import { code, markdown, temporary, write } from "../cells.js";

test("executed notebooks and results, with parameters, headlines, tables, links; what cannot be read is told", async () => {
  const folder = temporary();
  mkdirSync(join(folder, "runs #1"));
  const file = write(join(folder, "source.ipynb"), [markdown("# A <b>study</b>"), code("let n = 1;", "parameters"), code("`loss ${n}`", "headline"), code("new dfd.DataFrame({ k: ['<i>'], n: [n] })")]);
  for (const n of [2, 3]) await runNotebook(file, { values: { n }, output: join(folder, "runs #1", `n${n}.ipynb`) });
  writeFileSync(join(folder, "runs #1", "n2.html"), "report");
  writeFileSync(join(folder, "runs #1", "broken.ipynb"), "{");
  cpSync(join(packageRoot(), "results", "published", "main-job"), join(folder, "runs #1", "results"), { recursive: true });
  const warnings: string[] = [];
  const entries = await collect(join(folder, "runs #1"), folder, (text) => warnings.push(text));
  assert.match(warnings.join(), /broken\.ipynb \(no valid JSON/);
  const results = entries.find(({ kind }) => kind === "results")!;
  assert.ok(results.headlines.some((line) => /speedup: \d\.\d\d×/i.test(line)), results.headlines.join());
  assert.ok(results.tables[0]!.body.length >= 12);
  const books = entries.filter(({ kind }) => kind === "notebook");
  assert.deepEqual(books.map(({ parameters, headlines, status }) => [parameters, headlines, status]).sort(), [[{ n: "2" }, ["'loss 2'"], "completed"], [{ n: "3" }, ["'loss 3'"], "completed"]]);

  const ended = await sdtp(folder, "site", "runs #1", "-o", "out/page.html");
  assert.equal(ended.code, 0, ended.stderr);
  const page = readFileSync(join(folder, "out", "page.html"), "utf8");
  assert.ok(page.includes('href="../runs%20%231/n2.html"') && page.includes("A &lt;b&gt;study&lt;/b&gt;") && page.includes('<option value="3">3</option>') && page.includes("&lt;i&gt;"));
  assert.ok(!/https?:\/\//.test(page), "nothing from the network");
  assert.equal((await sdtp(folder, "site", "none")).code, 1);
});
