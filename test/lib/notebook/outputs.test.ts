import assert from "node:assert/strict";
import { test } from "node:test";
import type { JsonObject, Message } from "../../../lib/jupyter/index.js";
import { plainText } from "../../../lib/notebook/plain-text.js";
import { errorLine } from "../../../lib/notebook/run/errors.js";
import { inLines, OutputRecorder } from "../../../lib/notebook/run/outputs.js";
import type { CodeCell } from "../../../lib/notebook/types.js";
import { code, shown } from "./cells.js";

const message = (msg_type: string, content: JsonObject) => ({ header: { msg_type }, content }) as unknown as Message;
const stream = (name: string, text: string) => message("stream", { name, text });
const display = (text: string, id?: string, type = "display_data") =>
  message(type, { data: { "text/plain": text }, metadata: {}, ...(id !== undefined && { transient: { display_id: id } }) });

function recorded(...messages: Message[]): CodeCell {
  const cell = code("");
  const recorder = new OutputRecorder();
  recorder.begin(cell);
  for (const each of messages) recorder.receive(each);
  return cell;
}

test("text of one stream is one output until something else comes", () => {
  const cell = recorded(stream("stdout", "a"), stream("stdout", "b\n"), stream("stderr", "e"), stream("stdout", "c"), display("d"), stream("stdout", "f"));
  assert.deepEqual(shown(cell), ["stdout: ab\n", "stderr: e", "stdout: c", "d", "stdout: f"]);
});

test("a line written over shows its last state, also in pieces", () => {
  assert.deepEqual(shown(recorded(stream("stderr", "10 %\r"), stream("stderr", "20 %\r"), stream("stderr", "30 %\nend\n"))), ["stderr: 30 %\nend\n"]);
  assert.deepEqual(shown(recorded(stream("stdout", "keep\nabc\b\bx\r\n"))), ["stdout: keep\naxc\n"]);
  assert.deepEqual(shown(recorded(stream("stdout", "a\nlong\r"), stream("stdout", "b"), stream("stdout", "\b"), stream("stdout", "cd\n"))), ["stdout: a\ncdng\n"], "the cursor stays where it was");
});

test("outputs are cleared at once, or when the next one comes", () => {
  assert.deepEqual(shown(recorded(stream("stdout", "a"), message("clear_output", {}), stream("stdout", "b"))), ["stdout: b"]);
  assert.deepEqual(shown(recorded(stream("stdout", "a"), message("clear_output", { wait: true }))), ["stdout: a"]);
  assert.deepEqual(shown(recorded(stream("stdout", "a"), message("clear_output", { wait: true }), stream("stdout", "b"), stream("stdout", "c"))), ["stdout: bc"]);
});

test("an update changes a display wherever it is shown, in earlier cells too", () => {
  const [first, second] = [code(""), code("")];
  const recorder = new OutputRecorder();
  recorder.begin(first);
  recorder.receive(display("one", "id"));
  recorder.receive(display("other", "other"));
  recorder.begin(second);
  recorder.receive(display("two", "id"));
  assert.deepEqual([shown(first), shown(second)], [["two", "other"], ["two"]]);
  recorder.receive(display("three", "id", "update_display_data"));
  recorder.receive(display("nobody", "unknown", "update_display_data"));
  assert.deepEqual([shown(first), shown(second)], [["three", "other"], ["three"]]);
});

test("outputs as nbformat stores them: no transient part, texts in lines, base64 and JSON whole", () => {
  const data = { "text/html": "a\nb", "image/png": "aGVs\nbG8=", "application/json": { a: ["x\ny"] } };
  const cell = recorded(message("execute_result", { execution_count: 3, data, metadata: { isolated: true }, transient: {} }), stream("stdout", "x\ny"));
  assert.deepEqual(inLines(cell.outputs), [
    { output_type: "execute_result", execution_count: 3, data: { ...data, "text/html": ["a\n", "b"] }, metadata: { isolated: true } },
    { output_type: "stream", name: "stdout", text: ["x\n", "y"] },
  ]);
});

test("the line of a cell in a traceback, of several kernels", () => {
  const line = (count: number, ...traceback: string[]) => errorLine({ traceback }, count);
  assert.equal(line(4, "\x1b[31mTypeError\x1b[39m: no", "    at f (Cell [2]:9:9)", "    at g (Cell [4]:3:9)", "    at Cell [4]:5:1"), 3);
  assert.equal(line(7, "Cell [7]:2:3 - \x1b[31merror\x1b[39m TS2339"), 2);
  assert.equal(line(1, "Cell \x1b[0;32mIn [1], line 4\x1b[0m\n----> 4 f()", "Cell In[1], line 3, in f()\n----> 3 1/0"), 3);
  assert.equal(line(1, "Input In [1], in <cell line: 2>()"), 2);
  assert.equal(line(2, "Cell In[1], line 3"), undefined);
  assert.equal(plainText("\x1b[1;31mx\x1b[0m"), "x");
});
