import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { request } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import type { JsonObject } from "../../../lib/jupyter/messages.js";
import { Turns } from "../../../lib/lab/contents/turns.js";
import { TestLab } from "./lab.js";

describe("the lab's server", () => {
  let lab: TestLab;
  let outside: string;
  before(async () => {
    lab = await TestLab.open();
    outside = mkdtempSync(join(tmpdir(), "sdtp-outside-"));
    writeFileSync(join(outside, "secret.txt"), "secret");
  });
  after(async () => {
    await lab.close();
    rmSync(outside, { recursive: true, force: true });
  });

  /** The status for a request with these headers and no others: `fetch` would set Host itself. */
  const status = (path: string, headers: Record<string, string>, method = "GET") => new Promise<number>((resolve, reject) => {
    const sent = request({ host: "127.0.0.1", port: lab.lab.port, path, method, headers: { Host: `localhost:${lab.lab.port}`, ...headers } }, (response) => {
      resolve(response.statusCode ?? 0);
      sent.destroy();
    }).on("error", reject);
    if ("Content-Length" in headers) sent.flushHeaders();
    else sent.end();
  });
  const file = (name: string) => join(lab.folder, name);
  const notebook = (source: string, outputs: object[] = []) => ({
    nbformat: 4, nbformat_minor: 5, metadata: {},
    cells: [{ cell_type: "code", id: "a", metadata: { trusted: true }, source, execution_count: null, outputs }],
  });

  it("answers nobody without the token, under another name, or from another site's page", async () => {
    const token = { Authorization: `token ${lab.lab.token}` };
    assert.equal(await status("/api/status", token), 200);
    assert.equal(await status("/api/status", {}), 403);
    assert.equal(await status("/api/status", { Authorization: "token wrong" }), 403);
    assert.equal(await status("/api/status?token=wrong", {}), 403);
    assert.equal(await status("/api/status", { ...token, Host: "evil.example" }), 403);
    assert.equal(await status("/api/status", { ...token, Host: `evil.example:${lab.lab.port}` }), 403);
    assert.equal(await status("/api/status", { ...token, Origin: "http://evil.example" }), 403);
    assert.equal(await status("/api/status", { ...token, Origin: `http://localhost:${lab.lab.port + 1}` }), 403);
    assert.equal(await status("/api/status", { ...token, Origin: "null" }), 403);
    assert.equal(await status("/api/status", { ...token, Origin: `http://localhost:${lab.lab.port}` }), 200);
    for (const path of ["/api/kernels/x/channels", "/api/events/subscribe", "/static/lab/main.js", "/files/a", "/lab"]) assert.equal(await status(path, { Upgrade: "websocket", Connection: "Upgrade" }), 403, path);
  });

  it("gives a browser a cookie for the token, which changes nothing for pages that do not say where they are from", async () => {
    const response = await fetch(`${lab.origin}/lab?token=${lab.lab.token}`, { headers: { Accept: "text/html" } });
    const [cookie = ""] = (response.headers.get("Set-Cookie") ?? "").split(";");
    assert.match(response.headers.get("Set-Cookie") ?? "", /HttpOnly; SameSite=Strict/);
    assert.ok(!cookie.includes(lab.lab.token));
    const html = await response.text();
    assert.ok(!html.includes(lab.lab.token));
    assert.equal(await status("/api/status", { Cookie: cookie }), 200);
    assert.equal(await status("/api/contents/", { Cookie: cookie }, "POST"), 403);
    assert.equal(await status("/api/contents/", { Cookie: cookie, Origin: "http://localhost:1" }, "POST"), 403);
    assert.equal(await status("/api/contents/", { Cookie: cookie, Origin: lab.origin }, "POST"), 201);
    const refused = await fetch(`${lab.origin}/lab`, { headers: { Accept: "text/html" } });
    assert.equal(refused.status, 403);
    assert.match(await refused.text(), /asks for its token/);
  });

  it("serves the front end packed, as what it is unpacked, for ever under its name", async () => {
    const html = await (await lab.fetch("/lab")).text();
    const [, script = ""] = /src="(\/static\/lab\/main\.[^"]+)"/.exec(html) ?? [];
    const plain = await lab.fetch(script, { headers: { "Accept-Encoding": "identity" } });
    const packed = await lab.fetch(script, { headers: { "Accept-Encoding": "gzip" } });
    assert.equal(packed.headers.get("Content-Encoding"), "gzip");
    assert.match(packed.headers.get("Cache-Control") ?? "", /immutable/);
    assert.equal(await packed.text(), await plain.text());
    const { body } = await lab.json<{ settings: { id: string; schema: object }[] }>("GET", "/lab/api/settings");
    assert.ok(body.settings.some(({ id }) => id === "@jupyterlab/notebook-extension:tracker"));
    const completer = await lab.json<{ schema: { properties: Record<string, { default: unknown }> } }>("GET", "/lab/api/settings/@jupyterlab/completer-extension:manager");
    assert.equal(completer.body.schema.properties.providerTimeout?.default, 3000);
    assert.match(await (await lab.fetch("/lab/api/themes/@jupyterlab/theme-dark-extension/index.css")).text(), /--jp-layout-color0/);
    assert.match(await (await lab.fetch("/lab/api/licenses/text")).text(), /@jupyterlab\/application/);
  });

  it("makes, saves, renames, copies and removes files, folders and notebooks", async () => {
    const made = await lab.json("POST", "/api/contents/", { type: "notebook" });
    assert.deepEqual([made.status, made.body.path, made.body.type], [201, "Untitled.ipynb", "notebook"]);
    assert.equal((await lab.json("POST", "/api/contents/", { type: "notebook" })).body.path, "Untitled1.ipynb");
    assert.equal((await lab.json("POST", "/api/contents/", { type: "directory" })).body.path, "Untitled Folder");
    assert.equal((await lab.json("POST", "/api/contents/Untitled%20Folder", { type: "file", ext: ".ts" })).body.path, "Untitled Folder/untitled.ts");
    assert.equal((await lab.json("PUT", "/api/contents/Untitled.ipynb", { type: "notebook", format: "json", content: notebook("let a = 1\na") })).status, 200);
    const stored = JSON.parse(readFileSync(file("Untitled.ipynb"), "utf8"));
    assert.deepEqual(stored.cells[0].source, ["let a = 1\n", "a"]);
    assert.deepEqual(stored.cells[0].metadata, {});
    const read = await lab.json<{ content: { cells: { metadata: object; source: string }[] } }>("GET", "/api/contents/Untitled.ipynb?content=1");
    assert.equal(read.body.content.cells[0]?.source, "let a = 1\na");
    assert.deepEqual(read.body.content.cells[0]?.metadata, { trusted: true });
    assert.equal((await lab.json("PATCH", "/api/contents/Untitled.ipynb", { path: "100 %.ipynb" })).body.name, "100 %.ipynb");
    assert.equal((await lab.json("PATCH", "/api/contents/Untitled1.ipynb", { path: "100 %.ipynb" })).status, 409);
    assert.equal((await lab.json("POST", "/api/contents/", { copy_from: "100 %.ipynb" })).body.path, "100 %-Copy1.ipynb");
    assert.equal((await lab.json("GET", "/api/contents/100%20%25.ipynb?content=0")).body.content, null);
    assert.equal((await lab.json("DELETE", "/api/contents/Untitled%20Folder")).status, 400);
    assert.equal((await lab.json("DELETE", "/api/contents/Untitled%20Folder/untitled.ts")).status, 204);
    assert.equal((await lab.json("DELETE", "/api/contents/Untitled%20Folder")).status, 204);
    for (const [n, chunk] of [1, 2, -1].entries()) assert.ok((await lab.json("PUT", "/api/contents/large.bin", { type: "file", format: "base64", content: Buffer.from([n, 255]).toString("base64"), chunk })).status < 300);
    assert.deepEqual([...readFileSync(file("large.bin"))], [0, 255, 1, 255, 2, 255]);
    assert.equal((await lab.json("GET", "/api/contents/large.bin")).body.format, "base64");
    assert.equal((await lab.json("GET", "/api/contents/large.bin?format=text")).status, 400);
    const names = (await lab.json<{ content: JsonObject[] }>("GET", "/api/contents/")).body.content.map(({ name }) => name);
    assert.ok(names.includes("large.bin") && !names.some((name) => String(name).startsWith(".")));
  });

  it("takes names of any characters, and says of what is below a file that it is not there", { skip: process.platform === "win32" && "has names that Windows does not take" }, async () => {
    for (const name of ["two\nlines.txt", "a #1 ?x=100%&amp;.txt", "quote \"' <b>.txt", "ünï 表 🎉.txt", "checkpoints.txt"]) {
      const path = `/api/contents/${encodeURIComponent(name)}`;
      assert.equal((await lab.json("PUT", path, { type: "file", format: "text", content: "x" })).status, 200, name);
      assert.equal((await lab.json("POST", `${path}/checkpoints`)).status, 201, name);
      assert.equal((await lab.json("GET", `${path}/checkpoints`)).body.length, 1, name);
      assert.equal((await lab.json("POST", "/api/contents/", { copy_from: name })).status, 201, name);
      assert.equal((await lab.json("POST", `${path}/checkpoints/checkpoint`)).status, 204, name);
      assert.equal((await lab.fetch(`/lab/tree/${encodeURIComponent(name)}`)).status, 200, name);
      assert.equal((await lab.json("DELETE", path)).status, 204, name);
    }
    // What a folder holds may be called as parts of the interface are.
    for (const folder of ["checkpoints", "trust"]) {
      for (const path of ["run", `run/${folder}`]) await lab.json("PUT", `/api/contents/${path}`, { type: "directory" });
      assert.equal((await lab.json("POST", `/api/contents/run/${folder}`, { type: "notebook" })).body.path, `run/${folder}/Untitled.ipynb`);
      const path = `/api/contents/run/${folder}/Untitled.ipynb`;
      assert.equal((await lab.json("GET", path)).body.type, "notebook");
      assert.deepEqual((await lab.json<{ content: JsonObject[] }>("GET", `/api/contents/run/${folder}`)).body.content.map(({ name }) => name), ["Untitled.ipynb"]);
      assert.equal((await lab.json("PUT", path, { type: "notebook", format: "json", content: notebook("1") })).status, 200);
      assert.equal((await lab.json("POST", `${path}/checkpoints`)).status, 201);
      assert.equal((await lab.json("POST", `${path}/trust`)).status, 201);
      assert.equal((await lab.json("DELETE", path)).status, 204);
      assert.equal((await lab.json("DELETE", `/api/contents/run/${folder}`)).status, 204);
    }
    await lab.json("PUT", "/api/contents/file.txt", { type: "file", format: "text", content: "x" });
    for (const path of ["/api/contents/file.txt/below", "/files/file.txt/below"]) assert.equal((await lab.fetch(path)).status, 404, path);
    assert.equal((await lab.json("POST", "/api/contents/file.txt", { type: "notebook" })).status, 404);
  });

  it("keeps a checkpoint and gives it back", async () => {
    const put = (content: string) => lab.json("PUT", "/api/contents/kept.txt", { type: "file", format: "text", content });
    await put("first");
    assert.equal((await lab.json("POST", "/api/contents/kept.txt/checkpoints")).status, 201);
    await put("second");
    assert.equal((await lab.json("GET", "/api/contents/kept.txt/checkpoints")).body.length, 1);
    assert.equal((await lab.json("POST", "/api/contents/kept.txt/checkpoints/checkpoint")).status, 204);
    assert.equal(readFileSync(file("kept.txt"), "utf8"), "first");
  });

  it("shows nothing hidden and nothing outside the folder", async () => {
    mkdirSync(file(".git"), { recursive: true });
    writeFileSync(join(lab.folder, ".git", "config"), "hidden");
    symlinkSync(outside, file("out"));
    symlinkSync(join(outside, "not there"), file("nowhere.txt"));
    for (const path of [".git/config", "..%2f..%2fetc%2fpasswd", "%2e%2e/x", "a%2f..%2f..%2fb", "out/secret.txt", "out%2fsecret.txt", "a%00b", "a%5c..%5cb", ".ipynb_checkpoints/kept-checkpoint.txt"]) {
      for (const prefix of ["/api/contents/", "/files/", "/nbconvert/html/"]) {
        // Not by fetch, which would resolve the dots itself.
        const found = await status(prefix + path, { Authorization: `token ${lab.lab.token}` });
        assert.ok(found >= 400 && found < 500, `${prefix}${path}: ${found}`);
      }
    }
    for (const path of [".hidden", "out/new.txt", "nowhere.txt", "..%2fnew.txt"]) {
      const { status: found } = await lab.json("PUT", `/api/contents/${path}`, { type: "file", format: "text", content: "x" });
      assert.ok(found >= 400 && found < 500, `${path}: ${found}`);
    }
    assert.equal((await lab.json("PATCH", "/api/contents/kept.txt", { path: "../moved.txt" })).status, 400);
    assert.equal((await lab.json("PATCH", "/api/contents/kept.txt", { path: "out/moved.txt" })).status, 403);
    assert.ok(!existsSync(join(outside, "new.txt")) && !existsSync(join(outside, "not there")));
    const names = (await lab.json<{ content: JsonObject[] }>("GET", "/api/contents/")).body.content.map(({ name }) => name);
    assert.ok(!names.includes("out") && !names.includes(".git"));
  });

  it("reads no pipe, and opens where its own files were damaged", { skip: process.platform === "win32" && "needs mkfifo" }, async () => {
    execFileSync("mkfifo", [file("pipe")]);
    for (const path of ["/api/contents/pipe", "/files/pipe"]) assert.equal((await lab.fetch(path)).status, 400, path);
    assert.equal((await lab.json("POST", "/api/contents/", { copy_from: "pipe" })).status, 400);
    assert.equal((await lab.json("POST", "/api/contents/pipe/checkpoints")).status, 400);
    await lab.json("PUT", "/lab/api/workspaces/desk", { data: { a: 1 }, metadata: { id: "desk" } });
    const folder = join(lab.home, "data", "sdtp-lab", "workspaces");
    for (const name of readdirSync(folder, { recursive: true, encoding: "utf8" }).filter((each) => each.endsWith(".jupyterlab-workspace"))) writeFileSync(join(folder, name), '{"data": {"a"');
    assert.deepEqual((await lab.json("GET", "/lab/api/workspaces/desk")).body, { data: {}, metadata: { id: "desk" } });
    assert.equal((await lab.json("GET", "/lab/api/workspaces")).status, 200);
  });

  it("never puts what is no notebook in the place of one, and says what is wrong", async () => {
    await lab.json("PUT", "/api/contents/good.ipynb", { type: "notebook", format: "json", content: notebook("1") });
    const before = readFileSync(file("good.ipynb"), "utf8");
    for (const content of [undefined, null, "", "text", {}, { nbformat: 3, worksheets: [] }, { ...notebook("1"), cells: [{}] }]) {
      const { status: found, body } = await lab.json("PUT", "/api/contents/good.ipynb", { type: "notebook", format: "json", content });
      assert.equal(found, 400, JSON.stringify(content));
      assert.match(String(body.message), /good\.ipynb/);
    }
    assert.equal((await lab.fetch("/api/contents/good.ipynb", { method: "PUT", body: '{"type": "notebook", "content": {"cells"' })).status, 400);
    assert.equal(readFileSync(file("good.ipynb"), "utf8"), before);
    writeFileSync(file("old.ipynb"), '{"nbformat": 3, "worksheets": []}');
    const { status: old, body } = await lab.json("GET", "/api/contents/old.ipynb");
    assert.equal(old, 400);
    assert.match(String(body.message), /nbformat 3/);
  });

  it("refuses a request that is larger than any notebook, before it reads it", async () => {
    const token = { Authorization: `token ${lab.lab.token}` };
    assert.equal(await status("/api/contents/large.ipynb", { ...token, "Content-Length": String(300 * 2 ** 20) }, "PUT"), 413);
    assert.ok(!existsSync(file("large.ipynb")));
  });

  it("trusts outputs that were made here, and no others", async () => {
    const html = [{ output_type: "display_data", data: { "text/html": "<script>1</script>" }, metadata: {} }];
    const trusted = async (name: string) => (await lab.json<{ content: { cells: { metadata: { trusted: boolean } }[] } }>("GET", `/api/contents/${name}`)).body.content.cells[0]?.metadata.trusted;
    await lab.json("PUT", "/api/contents/made.ipynb", { type: "notebook", format: "json", content: notebook("1", html) });
    assert.equal(await trusted("made.ipynb"), true);
    writeFileSync(file("foreign.ipynb"), readFileSync(file("made.ipynb"), "utf8").replace("<script>1", "<script>2"));
    assert.equal(await trusted("foreign.ipynb"), false);
    const untrusted = notebook("1", [{ ...html[0], data: { "text/html": "<script>3</script>" } }]);
    Object.assign(untrusted.cells[0]?.metadata ?? {}, { trusted: false });
    await lab.json("PUT", "/api/contents/untrusted.ipynb", { type: "notebook", format: "json", content: untrusted });
    assert.equal(await trusted("untrusted.ipynb"), false);
    assert.equal((await lab.json("POST", "/api/contents/untrusted.ipynb/trust")).status, 201);
    assert.equal(await trusted("untrusted.ipynb"), true);
  });

  it("remembers settings, workspaces and configuration", async () => {
    const id = "/lab/api/settings/@jupyterlab/apputils-extension:themes";
    assert.equal((await lab.json("PUT", id, { raw: '{ "theme": "JupyterLab Dark" } // mine' })).status, 204);
    assert.equal((await lab.json("GET", id)).body.raw, '{ "theme": "JupyterLab Dark" } // mine');
    assert.equal((await lab.json("PUT", "/lab/api/settings/nobody:x", { raw: "{}" })).status, 404);
    assert.equal((await lab.json("PUT", "/lab/api/workspaces/my%2Fdesk", { data: { a: 1 }, metadata: { id: "my/desk" } })).status, 204);
    assert.deepEqual((await lab.json("GET", "/lab/api/workspaces/my%2Fdesk")).body.data, { a: 1 });
    await lab.json("PATCH", "/api/config/notebook", { a: { b: 1, c: 2 } });
    assert.deepEqual((await lab.json("PATCH", "/api/config/notebook", { a: { b: null, d: 3 } })).body, { a: { c: 2, d: 3 } });
  });

  it("exports by the project's own formats", async () => {
    assert.deepEqual(Object.keys((await lab.json("GET", "/api/nbconvert")).body), ["html", "markdown", "pdf", "latex", "slides", "notebook"]);
    const html = await lab.fetch("/nbconvert/html/good.ipynb?download=true");
    assert.match(html.headers.get("Content-Disposition") ?? "", /good\.html/);
    assert.match(await html.text(), /<html/);
    assert.equal((await lab.json("GET", "/nbconvert/exe/good.ipynb")).status, 404);
  });

  it("lists every installed kernel, the project's own first, and refuses one that is not there", async () => {
    const { body } = await lab.json<{ default: string; kernelspecs: Record<string, JsonObject> }>("GET", "/api/kernelspecs");
    assert.equal(body.default, "sdtp");
    assert.equal(Object.keys(body.kernelspecs)[0], "sdtp");
    // By this JupyterLab offers its debugger.
    assert.equal((body.kernelspecs.sdtp?.spec as { metadata: JsonObject }).metadata.debugger, true);
    const { status: missing, body: told } = await lab.json("POST", "/api/sessions", { path: "x.ipynb", type: "notebook", kernel: { name: "nothing" } });
    assert.equal(missing, 404);
    assert.match(String(told.message), /kernel: nothing \(installed:/);
    assert.equal((await lab.json("GET", "/api/nothing")).status, 404);
    assert.deepEqual(lab.errors, []);
  });
});

it("files are read and written in the order of the requests, also after one that failed, and where two want the same two", async () => {
  const turns = new Turns();
  const order: string[] = [];
  const act = (name: string, ticks: number) => async () => {
    for (let n = 0; n < ticks; n++) await new Promise(setImmediate);
    order.push(name);
  };
  const failed = turns.take("a.ipynb", () => Promise.reject(new Error("full")));
  await Promise.all([assert.rejects(failed, /full/), turns.take("a.ipynb", act("save", 5)), turns.take("/a.ipynb/", act("read", 0)), turns.take("other", act("other", 0))]);
  assert.deepEqual(order, ["other", "save", "read"]);
  await Promise.all([turns.take(["x", "y"], act("there", 3)), turns.take(["y", "x"], act("and back", 0)), turns.take("x", act("last", 0))]);
  assert.deepEqual(order.slice(3), ["there", "and back", "last"]);
});
