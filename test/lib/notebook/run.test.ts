import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { exitCode, runNotebook, type RunOptions } from "../../../lib/notebook/run/run.js";
import { hasTag, joined } from "../../../lib/notebook/types.js";
import { cellWith, code, markdown, read, shown, temporary, write } from "./cells.js";

const folder = temporary();
const path = (name: string) => join(folder, name);

/** Aborts once the cell with this number has begun. */
function abortAt(number: number): Pick<RunOptions, "signal" | "onProgress"> {
  const controller = new AbortController();
  return {
    signal: controller.signal,
    onProgress: (progress) => {
      if (progress.number === number && progress.seconds === undefined) setTimeout(() => controller.abort(), 300);
    },
  };
}

test("a run: parameters, outputs, tags, provenance, saved after each cell", async () => {
  const file = write(path("a.ipynb"), [
    markdown("# Title"),
    code("let n: number[] = [1];", "parameters"),
    code("console.log(n);\nconsole.log('more');\nconsole.error('warned');\nn.length"),
    code("this is not run", "skip"),
    code('throw new Error("expected")', "raises-exception"),
    code('const handle = display("first");'),
    code('handle.update("second"); clearOutput(); console.log("gone"); clearOutput({ wait: true }); console.log("kept\\rover");'),
    code("   "),
    code("process.cwd()", "hide-input"),
  ]);
  const saved: string[] = [];
  const lines: string[] = [];
  const result = await runNotebook(file, {
    values: { n: [4, 5] },
    output: path("out/a.ipynb"),
    onProgress: ({ number, total, firstLine, seconds }) => {
      lines.push(`${number}/${total} ${firstLine} ${seconds === undefined ? "begins" : "ends"}`);
      if (seconds === undefined) saved.push(shown(cellWith(read(path("out/a.ipynb")), "console.log(n)")).join("|"));
    },
  });
  assert.equal(result.status, "completed", result.stop?.message);
  assert.equal(exitCode(result), 0);
  assert.deepEqual([result.completed, result.total], [7, 7]);
  assert.deepEqual(lines.slice(0, 4), ["1/7 let n: number[] = [1]; begins", "1/7 let n: number[] = [1]; ends", "2/7 // Parameters begins", "2/7 // Parameters ends"]);
  assert.deepEqual(saved.slice(2, 5), ["", "stdout: [ 4, 5 ]\nmore\n|stderr: warned\n|2", "stdout: [ 4, 5 ]\nmore\n|stderr: warned\n|2"]);

  const book = read(path("out/a.ipynb"));
  assert.equal(joined(cellWith(book, "// Parameters").source), "// Parameters\nn = [4, 5];");
  assert.deepEqual(shown(cellWith(book, "not run")), []);
  assert.deepEqual(shown(cellWith(book, "expected")), ["error: Error"]);
  assert.deepEqual(shown(cellWith(book, "const handle")), ["'second'"]);
  assert.deepEqual(shown(cellWith(book, "handle.update")), ["stdout: over\n"]);
  assert.deepEqual(shown(cellWith(book, "process.cwd")), [`'${folder}'`], "cells run in the notebook's folder");
  assert.ok(hasTag(cellWith(book, "process.cwd"), "hide-input"));
  assert.equal(book.nbformat_minor, 5);
  assert.equal(new Set(book.cells.map(({ id }) => id)).size, book.cells.length);
  assert.deepEqual(book.cells.filter((cell) => cell.cell_type === "code").map((cell) => cell.execution_count), [1, 2, 3, null, 4, 5, 6, null, 7]);

  const { papermill, sdtp, language_info } = book.metadata as Record<string, Record<string, unknown>>;
  assert.deepEqual([papermill?.parameters, papermill?.exception, papermill?.input_path], [{ n: [4, 5] }, null, file]);
  assert.ok(Number(papermill?.duration) > 0);
  const { run } = sdtp as { run: Record<string, Record<string, unknown>> };
  assert.equal(run.status, "completed");
  assert.equal(run.versions?.node, process.versions.node);
  assert.equal(run.kernel?.implementation, "sdtp");
  assert.ok("git_commit" in run && run.machine?.cpu);
  assert.equal(language_info?.name, "typescript");
  const record = cellWith(book, "console.log(n)").metadata.papermill as Record<string, unknown>;
  assert.deepEqual([record.status, record.exception], ["completed", false]);
  assert.ok(Date.parse(String(record.end_time)) >= Date.parse(String(record.start_time)) && Number(record.duration) >= 0);
});

test("an error: the run stops, the notebook says where, the next run starts clean", async () => {
  const file = write(path("error.ipynb"), [code("const a = 1;\nfunction f() {\n  throw new TypeError('no');\n}\nf();"), code("a")]);
  const result = await runNotebook(file);
  assert.deepEqual([result.status, exitCode(result), result.output], ["failed", 1, path("error.out.ipynb")]);
  assert.equal(result.stop?.message, "line 3: TypeError: no\n    throw new TypeError('no');");
  const book = read(result.output);
  assert.match(joined(book.cells[0]!.source), /An Exception was encountered at '<a href="#papermill-error-cell">In \[1\]<\/a>'/);
  assert.match(joined(book.cells[1]!.source), /id="papermill-error-cell"/);
  assert.equal((cellWith(book, "a = 1").metadata.papermill as { status: string }).status, "failed");
  assert.equal((book.cells.at(-1)!.metadata.papermill as { status: string }).status, "pending");

  // The output, mended by hand, as the next input.
  cellWith(book, "a = 1").source = "const a = 1;";
  writeFileSync(path("mended.ipynb"), JSON.stringify(book));
  const again = await runNotebook(path("mended.ipynb"), { allowErrors: true });
  assert.equal(again.status, "completed");
  assert.deepEqual(read(again.output).cells.map((cell) => joined(cell.source)), ["const a = 1;", "a"]);
});

test("errors that are allowed do not stop a run, the end of its process does", async () => {
  const file = write(path("died.ipynb"), [code("const a: number = 'x';"), code("await input('name?')"), code("process.exit(4)"), code("2")]);
  const result = await runNotebook(file, { allowErrors: true });
  assert.deepEqual([result.status, exitCode(result), result.completed, result.stop?.number], ["died", 3, 2, 3]);
  assert.match(result.stop?.message ?? "", /process ended with exit code 4/);
  const book = read(result.output);
  assert.deepEqual(shown(cellWith(book, "'x'")), ["error: CompileError"]);
  assert.match(JSON.stringify(cellWith(book, "await input").outputs), /this client cannot ask/);
  assert.match(joined(book.cells[0]!.source), /The kernel died/);
});

test("a cell that takes too long is stopped", async () => {
  const file = write(path("slow.ipynb"), [code("let i = 0;"), code("console.log('begun');\nawait new Promise((r) => setTimeout(r, 60_000));"), code("2")]);
  const result = await runNotebook(file, { timeout: 3 });
  assert.deepEqual([result.status, exitCode(result), result.stop?.number], ["timeout", 4, 2]);
  assert.match(result.stop?.message ?? "", /longer than 3 s/);
  assert.deepEqual(shown(cellWith(read(result.output), "begun")), ["stdout: begun\n", "error: KeyboardInterrupt"]);
});

test("an interrupted run keeps what it has, without a banner", async () => {
  const file = write(path("interrupted.ipynb"), [code("1"), code("while (true) {}"), code("2")]);
  const result = await runNotebook(file, abortAt(2));
  assert.deepEqual([result.status, exitCode(result), result.completed], ["interrupted", 130, 1]);
  const book = read(result.output);
  assert.equal(book.cells.length, 3);
  assert.deepEqual(shown(cellWith(book, "1")), ["1"]);
});

test("nothing is run where the command is wrong", async () => {
  const file = write(path("usage.ipynb"), [code("let n = 1;", "parameters")]);
  const before = readFileSync(file, "utf8");
  await assert.rejects(runNotebook(file, { output: join(folder, ".", "usage.ipynb") }), /is the notebook itself/);
  await assert.rejects(runNotebook(file, { values: { m: 1 } }), /no parameter of the notebook/);
  await assert.rejects(runNotebook(file, { kernel: "nosuch" }), /kernel: nosuch \(installed: /);
  await assert.rejects(runNotebook(path("none.ipynb")), /no such file/);
  const other = write(path("other.ipynb"), [code("1")], { kernelspec: { name: "nosuch", language: "q" } });
  await assert.rejects(runNotebook(other), /kernel: nosuch/);
  await assert.rejects(runNotebook(write(path("unnamed.ipynb"), [code("1")], { language_info: { name: "R" } })), /kernel: the notebook \(r\) names none/);
  assert.equal(readFileSync(file, "utf8"), before);
});
