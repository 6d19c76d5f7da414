// Python notebooks, and what Python's own nbformat says of the files. Needs Debian's python3-ipykernel and python3-nbformat.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { listKernels } from "../../../lib/jupyter/index.js";
import { runNotebook } from "../../../lib/notebook/run/run.js";
import { joined } from "../../../lib/notebook/types.js";
import { cellWith, code, markdown, PYTHON, read, shown, temporary, write } from "./cells.js";

const python = ["/usr/bin/python3", "python3"].find((command) => spawnSync(command, ["-c", "import ipykernel, nbformat"]).status === 0);
const skip = !python ? "needs ipykernel and nbformat (Debian: python3-ipykernel, python3-nbformat)" : !listKernels().some(({ name }) => name === "python3") && "needs the python3 kernel";

/** What nbformat finds wrong with a file, warnings too; empty where it is valid. */
function problems(file: string): string {
  const script = "import nbformat, sys, warnings\nwarnings.simplefilter('error')\nnb = nbformat.read(sys.argv[1], as_version=4)\nnbformat.validate(nb)";
  const { stderr, status } = spawnSync(python ?? "", ["-c", script, file], { encoding: "utf8", timeout: 300_000 });
  return status === 0 ? "" : stderr;
}

describe("Python's view", { skip, timeout: 300_000 }, () => {
  const folder = temporary();
  process.env.SDTP_CACHE = join(folder, "cache");
  const path = (name: string) => join(folder, name);

  it("a Python notebook runs with parameters in Python's syntax", async () => {
    const cells = [
      markdown("# Python"),
      code("lengths: list = [1]  # how long\nname = 'x'\nflag = False\nnothing = 0", "parameters"),
      code("import sys\nprint(lengths, name, flag, nothing)\nprint('warned', file=sys.stderr)\nsum(lengths)"),
      code("1/0", "raises-exception"),
      code("from IPython.display import display, HTML\nh = display(HTML('<b>1</b>'), display_id=True)\nh.update(HTML('<b>2</b>'))"),
    ];
    const file = write(path("p.ipynb"), cells, PYTHON);
    const values = { lengths: [1024, 2], name: "a \"quoted\"\n'name' é", flag: true, nothing: null };
    const result = await runNotebook(file, { values, cache: true });
    assert.equal(result.status, "completed", result.stop?.message);
    const book = read(result.output);
    assert.deepEqual(shown(cellWith(book, "import sys")), ["stdout: [1024, 2] a \"quoted\"\n'name' é True None\n", "stderr: warned\n", "1026"]);
    assert.equal(joined(cellWith(book, "# Parameters").source).split("\n")[1], "lengths = [1024, 2]");
    assert.deepEqual(shown(cellWith(book, "1/0")), ["error: ZeroDivisionError"]);
    assert.match(JSON.stringify(cellWith(book, "h.update").outputs[0]), /<b>2<\/b>/);
    const { run } = book.metadata.sdtp as { run: { kernel: { implementation: string } } };
    assert.equal(run.kernel.implementation, "ipython");
    assert.equal(book.metadata.language_info?.name, "python");
    assert.equal(problems(result.output), "");

    await assert.rejects(runNotebook(file, { values: { lengths: 5 } }), /parameter lengths: 5 \(Type 'int' is not assignable to type 'list'/);
    await assert.rejects(runNotebook(file, { values: { size: 5 } }), /lengths: list = \[1\] +how long/);

    // Python's variables cannot be restored: all or nothing is kept. A cell with an error is never kept.
    const notes: string[] = [];
    const options = { values, cache: true, onNote: (text: string) => notes.push(text) };
    cells.splice(3, 1);
    write(file, cells, PYTHON);
    assert.equal((await runNotebook(file, options)).cached, 0);
    assert.match(notes[0] ?? "", /the variables of kernel python3 cannot be restored/);
    assert.equal((await runNotebook(file, options)).cached, 4);
    assert.equal(problems(result.output), "");
  });

  it("an error and a limit, with the line in the cell", async () => {
    const failed = await runNotebook(write(path("e.ipynb"), [code("def f():\n    return 1/0\n\nf()")], PYTHON));
    assert.deepEqual([failed.status, failed.stop?.message], ["failed", "line 2: ZeroDivisionError: division by zero\n    return 1/0"]);
    assert.equal(problems(failed.output), "");
    const slow = await runNotebook(write(path("s.ipynb"), [code("import time\nprint('begun', flush=True)\ntime.sleep(60)")], PYTHON), { timeout: 3 });
    assert.equal(slow.status, "timeout");
    assert.deepEqual(shown(cellWith(read(slow.output), "begun")), ["stdout: begun\n", "error: KeyboardInterrupt"]);
    assert.equal(problems(slow.output), "");
    const died = await runNotebook(write(path("d.ipynb"), [code("import os; os._exit(3)"), code("1")], PYTHON));
    assert.equal(died.status, "died");
    assert.equal(problems(died.output), "");
  });

  it("a file of papermill's goes in, and comes out as papermill would read it", async () => {
    const papermill = { default_parameters: {}, environment_variables: {}, exception: null, input_path: "a.ipynb", output_path: "b.ipynb", parameters: { n: 2 }, start_time: "2024-01-01T00:00:00", end_time: null, duration: null, version: "2.6.0" };
    const cell = { exception: false, start_time: "2024-01-01T00:00:00", end_time: "2024-01-01T00:00:01", duration: 1, status: "completed" };
    const cells = [code("n = 1", "parameters"), code("# Parameters\nn = 2\n", "injected-parameters"), code("n")].map((each) => ({ ...each, metadata: { ...each.metadata, papermill: cell } }));
    const result = await runNotebook(write(path("pm.ipynb"), cells, { ...PYTHON, papermill }), { values: { n: 7 } });
    const book = read(result.output);
    assert.deepEqual(book.cells.map((each) => joined(each.source)), ["n = 1", "# Parameters\nn = 7", "n"]);
    const now = book.metadata.papermill as Record<string, unknown>;
    assert.deepEqual(Object.keys(now).sort(), Object.keys(papermill).sort());
    assert.deepEqual([now.parameters, now.input_path, now.exception], [{ n: 7 }, path("pm.ipynb"), null]);
    assert.deepEqual(Object.keys(cellWith(book, "# Parameters").metadata.papermill as object).sort(), Object.keys(cell).sort());
    assert.equal(problems(result.output), "");
  });

  it("our own notebooks, with what other tools left in them", async () => {
    const file = path("own.ipynb");
    const cells = [markdown("text"), code("console.log('x\\ny'); display.html('<b>b</b>'); 'é'"), code("throw new Error('no')")];
    cells[0]!.metadata = { jupyter: { source_hidden: true }, custom: { deep: [1.5, { a: null }] } } as never;
    writeFileSync(file, JSON.stringify({ cells, metadata: { kernelspec: { name: "sdtp", display_name: "T" }, toc: { base: 1 } }, nbformat: 4, nbformat_minor: 2 }));
    const result = await runNotebook(file);
    assert.equal(result.status, "failed");
    assert.equal(problems(result.output), "");
    const book = read(result.output);
    assert.deepEqual(book.cells.find((each) => joined(each.source) === "text")?.metadata, cells[0]!.metadata);
    assert.deepEqual(book.metadata.toc, { base: 1 });
  });
});
