// `sdtp mcp` as a client of the protocol sees it.
import assert from "node:assert/strict";
import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StdioClientTransport } from "@modelcontextprotocol/sdk/client/stdio.js";
import { packageRoot } from "../../../../lib/checkpoint/package-root.js";
import { modelInside } from "../../../../lib/notebook/mcp/inside.js";
import { cellWith, code, markdown, read, shown, temporary, write } from "../cells.js";

const outside = temporary();
const folder = join(outside, "books");
mkdirSync(folder);
const client = new Client({ name: "test", version: "1" });

before(async () => {
  write(join(folder, "a.ipynb"), [markdown("# A"), code("let n = 20;"), code("n++; n * 2"), code("throw new TypeError('no')")]);
  write(join(outside, "secret.ipynb"), [code("1")]);
  symlinkSync(outside, join(folder, "link"));
  await client.connect(new StdioClientTransport({ command: process.execPath, args: [join(packageRoot(), "lib", "cli", "sdtp.mjs"), "mcp", folder], stderr: "inherit" }));
});
after(() => client.close());

async function call(name: string, args: Record<string, unknown> = {}): Promise<{ text: string; isError: boolean }> {
  const result = await client.callTool({ name, arguments: args }, undefined, { timeout: 300_000 });
  return { text: (result.content as { text: string }[]).map(({ text }) => text).join("\n"), isError: result.isError === true };
}

test("tools are listed; notebooks are read", async () => {
  const { tools } = await client.listTools();
  assert.deepEqual(tools.map(({ name }) => name), ["list_notebooks", "read_notebook", "read_outputs", "run_cell", "run_code", "restart_kernel", "profile", "sweep", "table2", "tokens_kept"]);
  assert.deepEqual(await call("list_notebooks"), { text: "a.ipynb: 4 cells", isError: false });
  assert.match((await call("read_notebook", { notebook: "a.ipynb" })).text, /^\[1\] markdown\n# A\n\n\[2\] code\nlet n = 20;/);
});

test("cells run in one kernel, outputs are stored and read; errors are told; a restart forgets", async () => {
  assert.equal((await call("run_cell", { notebook: "a.ipynb", cell: 2 })).text, "(no output)");
  assert.equal((await call("run_cell", { notebook: "a.ipynb", cell: 3 })).text, "42");
  assert.equal((await call("run_cell", { notebook: "a.ipynb", cell: 3 })).text, "44");
  assert.deepEqual(shown(cellWith(read(join(folder, "a.ipynb")), "n++")), ["44"]);
  assert.equal((await call("read_outputs", { notebook: "a.ipynb", cell: 3 })).text, "44");
  assert.match((await call("run_cell", { notebook: "a.ipynb", cell: 4 })).text, /TypeError.*no/);
  const bytes = readFileSync(join(folder, "a.ipynb"), "utf8");
  assert.equal((await call("run_code", { notebook: "a.ipynb", code: "n" })).text, "22");
  assert.equal(readFileSync(join(folder, "a.ipynb"), "utf8"), bytes);
  assert.equal((await call("restart_kernel", { notebook: "a.ipynb" })).text, "ended");
  assert.match((await call("run_cell", { notebook: "a.ipynb", cell: 3 })).text, /Cannot find name 'n'/);
  assert.deepEqual(await call("run_cell", { notebook: "a.ipynb", cell: 1 }), { text: "cell: 1 (is markdown, not code: # A)", isError: true });
  assert.equal((await call("run_cell", { notebook: "a.ipynb", cell: 9 })).text, "cell: 9 (a.ipynb has 4 cells)");
});

test("nothing outside the folder, through links neither", async () => {
  for (const path of ["../secret.ipynb", "link/secret.ipynb", join(outside, "secret.ipynb"), "/etc/hostname"]) {
    const { text, isError } = await call("read_notebook", { notebook: path });
    assert.ok(isError && text.includes("lies outside of"), text);
  }
  writeFileSync(join(folder, "x.ts"), "1");
  assert.ok((await call("table2", { results: ".." })).isError);
  assert.ok((await call("profile", { model: "../model" })).isError);
  assert.throws(() => modelInside(folder, "link/secret.ipynb"), /lies outside/);
  assert.ok((await call("tokens_kept", { model: "synthetic:/etc/config.json", prompt: "x" })).isError);
  assert.deepEqual(["tiny", "org/name", "synthetic:qwen2-7b"].map((name) => modelInside(folder, name)), ["tiny", "org/name", "synthetic:qwen2-7b"]);
});

test("the library: tokens kept, a measurement, Table 2", async () => {
  const kept = await call("tokens_kept", { prompt: "It was the best of times, it was the worst of times. ".repeat(6), config: "keep07" });
  assert.match(kept.text, /^\d+ of \d+ tokens stay\n[^]*\[\d:/);
  const measured = await call("profile", { configs: ["keep07"], lengths: [128], repeats: 1, maxNewTokens: 2 });
  assert.match(measured.text, /keep07/, measured.text);
  const none = await call("table2", { results: "none" });
  assert.match(none.text, /none/);
});
