/** The kernel as Jupyter's own clients see it. Needs Debian's python3-jupyter-client, python3-nbclient and jupyter-nbconvert. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { installKernel } from "../../kernel/install.js";

const PYTHON = "/usr/bin/python3";
const has = (module: string) => spawnSync(PYTHON, ["-c", `import ${module}`]).status === 0;
const missing = (module: string, debian: string) => (has(module) ? false : `needs Debian's ${debian}`);

describe("Jupyter's clients", () => {
  let home: string;
  before(() => {
    home = mkdtempSync(join(tmpdir(), "sdtp-clients-"));
    installKernel({ where: { prefix: home } });
  });
  after(() => rmSync(home, { recursive: true, force: true }));

  const run = (command: string, args: string[]) => {
    const env = { ...process.env, HOME: home, JUPYTER_PATH: join(home, "share", "jupyter"), JUPYTER_RUNTIME_DIR: join(home, "runtime") };
    const done = spawnSync(command, args, { env, cwd: home, encoding: "utf8", timeout: 300_000 });
    assert.equal(done.status, 0, `${done.stdout}\n${done.stderr}`);
    return done;
  };
  const python = (script: string) => run(PYTHON, ["-c", script]).stdout;

  it("jupyter_client starts, executes, completes, interrupts, restarts, shuts down", { skip: missing("jupyter_client", "python3-jupyter-client") }, () => {
    const out = python(`
import time
from jupyter_client.manager import start_new_kernel
km, kc = start_new_kernel(kernel_name="sdtp", startup_timeout=120)
def run(code, **options):
    outputs = []
    reply = kc.execute_interactive(code, timeout=120, allow_stdin=False, output_hook=outputs.append, **options)
    return reply["content"], [m for m in outputs]
content, outputs = run("let kept = 20; console.log('hi'); kept + 1")
print(content["status"], [m["header"]["msg_type"] for m in outputs], outputs[-2]["content"]["data"]["text/plain"])
content, _ = run("throw new Error('no')")
print(content["status"], content["ename"], content["evalue"])
kc.execute("console.log('started'); while (true) {}")
while True:
    message = kc.get_iopub_msg(timeout=120)
    if message["header"]["msg_type"] == "stream": break
km.interrupt_kernel()
while True:
    reply = kc.get_shell_msg(timeout=120)
    if reply["content"].get("ename"): break
print(reply["content"]["ename"])
print(run("kept")[1][-2]["content"]["data"]["text/plain"])
print(kc.complete("kep", reply=True, timeout=120)["content"]["matches"])
print(kc.inspect("kept", 2, reply=True, timeout=120)["content"]["found"])
print(len(kc.history(hist_access_type="tail", n=3, reply=True, timeout=120)["content"]["history"]))
kc.is_complete("for (")
print(kc.get_shell_msg(timeout=120)["content"]["status"])
km.restart_kernel(now=False)
kc.wait_for_ready(timeout=120)
print(run("kept")[0]["ename"], km.is_alive())
kc.stop_channels()
km.shutdown_kernel()
print(km.is_alive())
`);
    assert.deepEqual(out.trim().split("\n"), [
      "ok ['status', 'execute_input', 'stream', 'execute_result', 'status'] 21",
      "error Error no",
      "KeyboardInterrupt",
      "20",
      "['kept']",
      "True",
      "3",
      "incomplete",
      "CompileError True",
      "False",
    ]);
  });

  it("nbclient runs a notebook, stops at an error, and allows errors where told", { skip: missing("nbclient", "python3-nbclient") }, () => {
    const out = python(`
import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError
new = nbformat.v4
book = new.new_notebook(cells=[new.new_code_cell(s) for s in ["const a: number = 2", "display.html('<b>h</b>'); a * 3", "throw new Error('stop')", "a"]], metadata={"kernelspec": {"name": "sdtp", "display_name": "x"}})
try:
    NotebookClient(book, timeout=120, startup_timeout=120).execute()
except CellExecutionError as error:
    print(error.ename, error.evalue)
print([o["output_type"] for o in book.cells[1].outputs], book.cells[1].outputs[-1]["data"]["text/plain"])
NotebookClient(book, timeout=120, startup_timeout=120, allow_errors=True).execute()
print(book.cells[3].outputs[0]["data"]["text/plain"], book.metadata.language_info.file_extension)
nbformat.validate(book)
`);
    assert.deepEqual(out.trim().split("\n"), ["Error stop", "['display_data', 'execute_result'] 6", "2 .ts"]);
  });

  it("pass jupyter_kernel_test, the conformance suite", { skip: missing("jupyter_kernel_test", "python3-jupyter-kernel-test") }, () => {
    const script = join(home, "conformance.py");
    writeFileSync(
      script,
      `
import unittest
import jupyter_kernel_test
class Conformance(jupyter_kernel_test.KernelTests):
    kernel_name = "sdtp"
    language_name = "typescript"
    file_extension = ".ts"
    code_hello_world = "console.log('hello, world')"
    code_stderr = "console.error('test')"
    completion_samples = [{"text": "conso", "matches": {"console"}}]
    complete_code_samples = ["1", "function f() { return 1 }"]
    incomplete_code_samples = ["function f() {", "/* open"]
    invalid_code_samples = ["const = 3"]
    code_page_something = None
    code_generate_error = "throw new Error('no')"
    code_execute_result = [{"code": "1 + 2", "result": "3"}, {"code": "[1, 'a']", "result": "[ 1, 'a' ]"}]
    code_display_data = [{"code": "display.html('<b>x</b>');", "mime": "text/html"}, {"code": "display.svg('<svg/>');", "mime": "image/svg+xml"}]
    code_history_pattern = "1*2*"
    supported_history_operations = ("tail", "range", "search")
    code_inspect_sample = "display"
    code_clear_output = "clearOutput()"
unittest.main(verbosity=2)
`,
    );
    const { stderr } = run(PYTHON, [script]);
    assert.match(stderr, /\nOK/);
    assert.ok((stderr.match(/ \.\.\. ok/g) ?? []).length >= 11, stderr); // the twelfth is about a pager, which only consoles have
  });

  it("nbconvert executes to HTML, coloured as TypeScript", { skip: missing("nbconvert", "jupyter-nbconvert") }, () => {
    const cell = (source: string) => ({ cell_type: "code", id: Math.random().toString(36).slice(2, 10), metadata: {}, execution_count: null, outputs: [], source });
    const book = {
      nbformat: 4,
      nbformat_minor: 5,
      metadata: { kernelspec: { name: "sdtp", display_name: "TypeScript (sdtp)", language: "typescript" } },
      cells: [
        cell("const values: number[] = [1, 2];\nnew dfd.DataFrame({ values })"),
        cell("display.markdown('**bold**'); values.map(x => x * 21)"),
      ],
    };
    writeFileSync(join(home, "book.ipynb"), JSON.stringify(book));
    // In two steps: this nbconvert chooses the colours before it executes, from what the notebook said then.
    run(PYTHON, ["-m", "nbconvert", "--execute", "--to", "notebook", "--inplace", "book.ipynb"]);
    run(PYTHON, ["-m", "nbconvert", "--execute", "--to", "html", "book.ipynb"]);
    const html = readFileSync(join(home, "book.html"), "utf8");
    assert.match(html, /<table class="dataframe"/);
    assert.match(html, /<strong>bold<\/strong>/);
    assert.match(html, /\[ 21, 42 \]/);
    assert.match(html, /<span class="kd">const<\/span>|<span class="kt">number<\/span>/);
    assert.ok(existsSync(join(home, "book.html")));
  });
});
