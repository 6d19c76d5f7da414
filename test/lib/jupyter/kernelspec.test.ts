import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import {
  createConnection,
  dataDirs,
  endpoint,
  fillArgv,
  findKernel,
  listKernels,
  readConnectionFile,
  readKernelSpec,
  userDataDir,
  writeConnectionFile,
} from "../../../lib/jupyter/index.js";

let folder: string;
before(() => {
  folder = mkdtempSync(join(tmpdir(), "sdtp-spec-"));
});
after(() => rmSync(folder, { recursive: true, force: true }));

describe("data folders", () => {
  it("are the platform's", () => {
    const home = "/home/u";
    assert.equal(userDataDir({ env: {}, platform: "linux", home }), "/home/u/.local/share/jupyter");
    assert.equal(userDataDir({ env: { XDG_DATA_HOME: "/xdg" }, platform: "linux", home }), "/xdg/jupyter");
    assert.equal(userDataDir({ env: {}, platform: "darwin", home }), "/home/u/Library/Jupyter");
    assert.equal(userDataDir({ env: { APPDATA: "/roaming" }, platform: "win32", home }), join("/roaming", "jupyter"));
    assert.equal(userDataDir({ env: { JUPYTER_DATA_DIR: "/mine" }, platform: "darwin", home }), "/mine");
  });

  it("are searched in Jupyter's order", () => {
    const env = { JUPYTER_PATH: "/a:/b", VIRTUAL_ENV: "/venv", JUPYTER_DATA_DIR: "/user" };
    assert.deepEqual(dataDirs({ env, platform: "linux" }), ["/a", "/b", "/venv/share/jupyter", "/user", "/usr/local/share/jupyter", "/usr/share/jupyter"]);
  });
});

describe("kernelspecs", () => {
  const write = (dir: string, name: string, spec: unknown) => {
    mkdirSync(join(folder, dir, "kernels", name), { recursive: true });
    writeFileSync(join(folder, dir, "kernels", name, "kernel.json"), typeof spec === "string" ? spec : JSON.stringify(spec));
  };

  it("are found by name, the first folder winning, broken ones left out", () => {
    const good = { argv: ["x", "{connection_file}"], display_name: "first", language: "l" };
    write("one", "Thing", good);
    write("two", "thing", { ...good, display_name: "second" });
    write("two", "broken", "{");
    write("two", "empty", { argv: [], display_name: "e" });
    const context = { env: { JUPYTER_PATH: `${join(folder, "one")}:${join(folder, "two")}`, JUPYTER_DATA_DIR: folder } };
    const names = listKernels(context).map(({ name }) => name);
    assert.equal(names.filter((name) => name === "thing").length, 1);
    assert.ok(!names.includes("broken") && !names.includes("empty"));
    assert.equal(findKernel("THING", context).spec.display_name, "first");
    assert.equal(findKernel("thing", context).spec.interrupt_mode, "signal");
    assert.throws(() => findKernel("nope", context), /kernel: nope \(installed: .*thing/);
    assert.throws(() => readKernelSpec(join(folder, "two", "kernels", "empty")), /kernel\.json: .* \(argv: /);
  });

  it("give a command", () => {
    const argv = fillArgv(["run", "{resource_dir}/start", "-f={connection_file}"], { connectionFile: "/c.json", resourceDir: "/r" });
    assert.deepEqual(argv, ["run", "/r/start", "-f=/c.json"]);
  });
});

describe("connection files", () => {
  it("are private, and read back as written", async () => {
    const path = join(folder, "c.json");
    const connection = await createConnection({ kernelName: "k" });
    writeConnectionFile(path, connection);
    assert.deepEqual(readConnectionFile(path), connection);
    assert.equal(new Set([connection.shell_port, connection.iopub_port, connection.stdin_port, connection.control_port, connection.hb_port]).size, 5);
    if (process.platform !== "win32") assert.equal(statSync(path).mode & 0o777, 0o600);
    assert.match(endpoint(connection, "shell"), /^tcp:\/\/127\.0\.0\.1:\d+$/);
    assert.equal(endpoint({ ...connection, transport: "ipc", ip: "/s", shell_port: 1 }, "shell"), "ipc:///s-1");
  });

  it("are refused with the field that is wrong", () => {
    const path = join(folder, "bad.json");
    writeFileSync(path, JSON.stringify({ shell_port: "x" }));
    assert.throws(() => readConnectionFile(path), /connection file: .*bad\.json \(shell_port: /);
    assert.throws(() => readConnectionFile(join(folder, "none.json")), /connection file: .*none\.json \(ENOENT/);
  });
});
