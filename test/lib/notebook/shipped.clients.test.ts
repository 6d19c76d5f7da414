// The notebooks in notebooks/, as they are committed and as they run here. Needs Chromium for their charts as pictures.
import assert from "node:assert/strict";
import { cpSync, mkdtempSync, readdirSync, rmSync, statSync } from "node:fs";
import { homedir, tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, it } from "node:test";
import { packageRoot } from "../../../lib/checkpoint/package-root.js";
import { exportNotebook } from "../../../lib/notebook/export/index.js";
import { declaredParameters } from "../../../lib/notebook/parameters/inject.js";
import { parseNotebook, readNotebook } from "../../../lib/notebook/read.js";
import { runNotebook } from "../../../lib/notebook/run/run.js";
import { hasTag, joined, type CodeCell, type Notebook, type Output } from "../../../lib/notebook/types.js";
import { noChromium } from "../../chromium.js";

const root = packageRoot();
const shipped = join(root, "notebooks");
const names = readdirSync(shipped).filter((name) => name.endsWith(".ipynb")).sort();

/** Less work than a reader's run has; the cells are the same. */
const small: Record<string, Record<string, unknown>> = {
  "quality.ipynb": { length: 384, samples: 1 },
  "saliency.ipynb": { prompts: 10, length: 96, epochs: 1 },
  "sweep.ipynb": { lengths: [128, 256], repeats: 1 },
  "table2.ipynb": { lengths: [128, 256], repeats: 1, maxNewTokens: 16 },
};

const codeCells = ({ cells }: Notebook): CodeCell[] => cells.filter((cell): cell is CodeCell => cell.cell_type === "code");

describe("shipped notebooks", { skip: noChromium, timeout: 900_000 }, () => {
  const folder = mkdtempSync(join(tmpdir(), "sdtp-shipped-"));
  after(() => rmSync(folder, { recursive: true, force: true }));

  it("are those that the documents name", () => {
    assert.deepEqual(names, ["kv-inspection.ipynb", "quality.ipynb", "quickstart.ipynb", "saliency.ipynb", "sweep.ipynb", "table2.ipynb"]);
  });

  for (const name of names) {
    it(`${name} is committed with outputs that read well where nothing runs`, async () => {
      const file = join(shipped, name);
      assert.ok(statSync(file).size < 1e6, `${statSync(file).size} bytes`);
      const book = await readNotebook(file);
      const cells = codeCells(book);
      assert.deepEqual(cells.map(({ execution_count }) => execution_count), cells.map((_, i) => i + 1), "every cell ran, in order");
      for (const { outputs } of cells) {
        for (const output of outputs) {
          assert.notEqual(output.output_type, "error");
          if (!("data" in output)) continue;
          const types = Object.keys(output.data);
          assert.ok(types.includes("text/plain"));
          assert.ok(!joined((output.data["text/html"] ?? "") as string).includes("<script"));
          if (types.includes("application/vnd.plotly.v1+json")) assert.ok(types.includes("image/png") && !types.includes("text/html"), types.join());
        }
      }
      const text = JSON.stringify(cells.map(({ outputs }) => outputs));
      for (const path of [homedir(), root, tmpdir()]) assert.ok(path === "/" || !text.includes(`${path}/`), path);
      assert.equal(book.metadata["papermill"], undefined);
    });

    it(`${name} runs, and gives outputs of the kinds that are committed`, async () => {
      cpSync(join(shipped, name), join(folder, name));
      const file = join(folder, name);
      const values = (small[name] ?? {}) as NonNullable<Parameters<typeof runNotebook>[1]>["values"];
      const known = (await declaredParameters(await readNotebook(file))).map((each) => each.name);
      assert.deepEqual(Object.keys(values!).filter((each) => !known.includes(each)), []);
      const result = await runNotebook(file, { output: join(folder, `out-${name}`), timeout: 300, values: values! });
      assert.equal(result.status, "completed", result.stop?.message);
      const { document } = await exportNotebook(await readNotebook(result.output), "notebook", { name, folder, filesFolder: "" });
      const ran = codeCells(parseNotebook(String(document), name)).filter((cell) => !hasTag(cell, "injected-parameters"));
      const committed = codeCells(await readNotebook(join(shipped, name)));
      assert.deepEqual(ran.map((cell) => joined(cell.source)), committed.map((cell) => joined(cell.source)));
      assert.deepEqual(ran.map(({ outputs }) => outputs.map(kind)), committed.map(({ outputs }) => outputs.map(kind)));
    });
  }
});

/** What an output is, without what differs from run to run. */
function kind(output: Output): string {
  return "data" in output ? `${output.output_type}: ${Object.keys(output.data as object).sort().join(", ")}` : output.output_type;
}
