/** What goes wrong around the lab: a kernel that floods, a disk that takes no more. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { it } from "node:test";
import { packageRoot } from "../../../lib/checkpoint/package-root.js";
import { eventually, within } from "../../waits.js";
import { Allowance } from "../../../lib/lab/kernels/allowance.js";
import { Tab, TestLab } from "./lab.js";

interface Stored {
  cells: { outputs: { text?: string[]; ename?: string }[] }[];
}

it("a cell that prints without end neither holds the server up nor fills the notebook, and is stopped", async (t) => {
  const lab = await TestLab.open();
  t.after(() => lab.close());
  const file = join(lab.folder, "flood.ipynb");
  writeFileSync(file, JSON.stringify({ nbformat: 4, nbformat_minor: 5, metadata: {}, cells: [{ cell_type: "code", id: "one", metadata: {}, source: "", execution_count: null, outputs: [] }] }));
  const { body } = await lab.json<{ id: string; kernel: { id: string } }>("POST", "/api/sessions", { path: "flood.ipynb", name: "flood", type: "notebook", kernel: { name: "sdtp" } });
  const tab = await Tab.open(lab, body.kernel.id);
  const sent = tab.run('for (let n = 0; ; n++) console.log(n + " " + "x".repeat(1000))', "one");
  let bytes = 0;
  let said = false;
  tab.socket.on("message", (data: Buffer) => {
    bytes += data.length;
    said ||= data.length < 2000 && data.includes("some of its output is left out");
  });
  // As much as a browser can show, and what is left out is said.
  await eventually("a word on what is left out", () => said, { seen: () => `${bytes} bytes` });
  assert.ok(bytes > 2 ** 21, `${bytes} bytes`);
  assert.equal((await lab.json("GET", "/api/status")).status, 200);
  assert.equal((await lab.json("PUT", "/api/contents/other.txt", { type: "file", format: "text", content: "still there" })).status, 200);
  // A browser that does not keep up, and then is gone.
  tab.socket.pause();
  assert.equal((await lab.json("GET", "/api/contents/other.txt")).body.content, "still there");
  tab.socket.terminate();
  const other = await Tab.open(lab, body.kernel.id);
  assert.equal((await lab.json("POST", `/api/kernels/${body.kernel.id}/interrupt`)).status, 204);
  await other.idle(sent);
  await other.close();
  let outputs: Stored["cells"][0]["outputs"] = [];
  await eventually("the interrupt in the notebook", async () => {
    await lab.json("GET", "/api/contents/flood.ipynb");
    outputs = (JSON.parse(readFileSync(file, "utf8")) as Stored).cells[0]!.outputs;
    return outputs.some(({ ename }) => ename === "KeyboardInterrupt");
  }, { seen: () => outputs.map(({ ename, text = [] }) => ename ?? text.length) });
  const kept = outputs.map(({ text = [] }) => text.join("").length).reduce((sum, length) => sum + length, 0);
  assert.ok(kept > 2 ** 20 && kept < 5 * 2 ** 20, `${kept} characters`);
  assert.match(outputs[0]?.text?.[0] ?? "", /^0 x+\n$/);
  assert.deepEqual(lab.errors, []);
});

it("a tab is sent so much of streams at once, then so much a second, some at a time", () => {
  let now = 0;
  const allowance = new Allowance(100, 10, () => now);
  const taken = (bytes: number, times: number) => Array.from({ length: times }, () => Number(allowance.take(bytes))).join("");
  assert.equal(taken(30, 6), "111100");
  now += 1000;
  assert.equal(taken(1, 1), "0");
  now += 2000;
  assert.equal(taken(5, 4), "1110");
  now += 60_000;
  // One message is never cut, whatever its size.
  assert.equal(taken(1000, 2), "10");
});

it("a notebook that is removed while its cell runs without a tab is said once, and holds nobody up", async () => {
  const lab = await TestLab.open();
  const file = join(lab.folder, "gone.ipynb");
  writeFileSync(file, JSON.stringify({ nbformat: 4, nbformat_minor: 5, metadata: {}, cells: [{ cell_type: "code", id: "one", metadata: {}, source: "", execution_count: null, outputs: [] }] }));
  const { body } = await lab.json<{ kernel: { id: string } }>("POST", "/api/sessions", { path: "gone.ipynb", name: "gone", type: "notebook", kernel: { name: "sdtp" } });
  const tab = await Tab.open(lab, body.kernel.id);
  const sent = tab.run('console.log("begun"); await new Promise(() => {})', "one");
  await tab.printed(sent, "begun");
  rmSync(file);
  await tab.close();
  for (let n = 0; n < 3; n++) await lab.json("GET", "/api/contents/gone.ipynb");
  await lab.close();
  assert.deepEqual(lab.errors.map(({ message }) => message), ["yet", "any more"].map((when) => `gone.ipynb: outputs of cells that ran without a tab are not written ${when} (ENOENT: no such file or directory, stat '${file}')`));
  // No timer of it is left that would keep the process.
  assert.deepEqual(process.getActiveResourcesInfo().filter((name) => name === "Timeout"), []);
});

it("where no more can be written, that is said, and every file is as it was", { skip: process.platform === "win32" && "needs ulimit" }, async (t) => {
  const home = mkdtempSync(join(tmpdir(), "sdtp-lab-home-"));
  const folder = mkdtempSync(join(tmpdir(), "sdtp-lab-full-"));
  t.after(() => [home, folder].forEach((each) => rmSync(each, { recursive: true, force: true })));
  // The system takes the first part of a larger file and refuses the rest, as a full disk does.
  const limit = 256 * 1024;
  const lab = spawn("sh", ["-c", `ulimit -f ${limit / 512}; exec "$0" "$@"`, process.execPath, join(packageRoot(), "lib", "cli", "sdtp.mjs"), "lab", folder, "--port", "0", "--token", "token-of-tests", "--no-browser"], {
    stdio: ["ignore", "pipe", "inherit"], env: { ...process.env, JUPYTER_DATA_DIR: join(home, "data"), JUPYTERLAB_SETTINGS_DIR: join(home, "settings"), SDTP_CACHE: join(home, "cache") },
  });
  t.after(() => void lab.kill("SIGKILL"));
  const origin = await within("the address of sdtp lab", new Promise<string>((resolve, reject) => {
    let said = "";
    lab.stdout.setEncoding("utf8").on("data", (text: string) => {
      const found = /http:\/\/localhost:\d+/.exec((said += text));
      if (found) resolve(found[0]);
    });
    lab.once("exit", (code) => reject(new Error(`sdtp lab: ended with ${code}`)));
  }));
  const ask = async (method: string, path: string, body?: object) => {
    const response = await fetch(origin + path, { method, headers: { Authorization: "token token-of-tests" }, ...(body && { body: JSON.stringify(body) }) });
    const text = await response.text();
    return { status: response.status, body: (text === "" ? {} : JSON.parse(text)) as { message?: string } };
  };
  const notebook = (characters: number) => ({ type: "notebook", format: "json", content: { nbformat: 4, nbformat_minor: 5, metadata: {}, cells: [{ cell_type: "markdown", id: "a", metadata: {}, source: "x".repeat(characters) }] } });
  assert.ok((await ask("PUT", "/api/contents/book.ipynb", notebook(1000))).status < 300);
  assert.equal((await ask("POST", "/api/contents/book.ipynb/checkpoints")).status, 201);
  const before = readFileSync(join(folder, "book.ipynb"), "utf8");
  // Made by somebody else, larger than what may be written here.
  writeFileSync(join(folder, "large.bin"), Buffer.alloc(4 * limit, 1));
  writeFileSync(join(folder, "large.txt"), "y".repeat(4 * limit));
  const refused: [string, string, object?][] = [
    ["PUT", "/api/contents/book.ipynb", notebook(2 * limit)],
    ["PUT", "/api/contents/new.txt", { type: "file", format: "text", content: "x".repeat(2 * limit) }],
    ["PUT", "/api/contents/up.bin", { type: "file", format: "base64", content: Buffer.alloc(2 * limit).toString("base64"), chunk: 1 }],
    ["POST", "/api/contents/", { copy_from: "large.bin" }],
    ["POST", "/api/contents/large.txt/checkpoints"],
  ];
  for (const [method, path, body] of refused) {
    const answer = await ask(method, path, body);
    assert.equal(answer.status, 507, `${method} ${path}: ${answer.status} ${answer.body.message}`);
    assert.match(answer.body.message ?? "", /(book\.ipynb|new\.txt|up\.bin|large-Copy1\.bin|large\.txt): .*nothing was written/);
  }
  assert.equal(readFileSync(join(folder, "book.ipynb"), "utf8"), before);
  assert.deepEqual(readdirSync(folder).sort(), [".ipynb_checkpoints", "book.ipynb", "large.bin", "large.txt"]);
  assert.deepEqual(readdirSync(join(folder, ".ipynb_checkpoints")), ["book-checkpoint.ipynb"]);
  assert.ok((await ask("PUT", "/api/contents/book.ipynb", notebook(2000))).status < 300);
  assert.match(readFileSync(join(folder, "book.ipynb"), "utf8"), /x{2000}/);
});
