import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { installKernel, installedKernels, uninstallKernel } from "../../kernel/install.js";
import { launcher } from "../../kernel/launcher.js";
import { findKernel, readKernelSpec } from "../../lib/jupyter/index.js";
import { Session } from "./session.js";

describe("kernel install", () => {
  let home: string;
  const context = () => ({ env: { JUPYTER_DATA_DIR: join(home, "data") }, home });
  before(() => {
    home = mkdtempSync(join(tmpdir(), "sdtp-home-"));
  });
  after(() => rmSync(home, { recursive: true, force: true }));

  it("writes a kernelspec that starts the kernel", async () => {
    const folder = installKernel({ ...context(), displayName: "Mine", vars: { SDTP_PRELOAD: "none" } });
    assert.equal(folder, join(home, "data", "kernels", "sdtp"));
    for (const file of ["kernel.json", "logo-32x32.png", "logo-64x64.png", "logo-svg.svg"]) assert.ok(existsSync(join(folder, file)), file);
    const { spec, folder: found } = findKernel("SDTP", context());
    assert.equal(found, folder);
    assert.equal(spec.display_name, "Mine");
    assert.equal(spec.language, "typescript");
    assert.equal(spec.interrupt_mode, "message");
    assert.equal(spec.kernel_protocol_version, "5.5");
    assert.equal(spec.metadata.debugger, true);
    const session = await Session.start({ spec, resourceDir: folder });
    try {
      assert.equal(await session.value("process.env.SDTP_PRELOAD"), "'none'");
      assert.equal((await session.run("display(1)")).reply.ename, "CompileError");
    } finally {
      await session.end();
    }
  });

  it("lists and uninstalls its own, and nothing else", () => {
    installKernel({ ...context(), name: "second" });
    const other = join(home, "data", "kernels", "other");
    execFileSync("mkdir", ["-p", other]);
    writeFileSync(join(other, "kernel.json"), JSON.stringify({ argv: ["x"], display_name: "X", language: "x" }));
    const kernels = installedKernels(context()).filter(({ folder }) => folder.startsWith(home));
    assert.deepEqual(kernels.map(({ name, ours }) => [name, ours]), [["other", false], ["sdtp", true], ["second", true]].sort());
    assert.throws(() => uninstallKernel("other", context()), /was not installed by this package/);
    uninstallKernel("second", context());
    assert.throws(() => uninstallKernel("second", context()), /kernel: second \(installed by this package: sdtp\)/);
  });

  it("installs below a prefix and into a Python environment", () => {
    const prefix = join(home, "prefix");
    assert.equal(installKernel({ where: { prefix } }), join(prefix, "share", "jupyter", "kernels", "sdtp"));
    const environment = { env: { VIRTUAL_ENV: join(home, "venv") } };
    assert.equal(installKernel({ where: "sys-prefix", ...environment }), join(home, "venv", "share", "jupyter", "kernels", "sdtp"));
    assert.throws(() => installKernel({ where: "sys-prefix", env: {} }), /no Python environment is active/);
    assert.throws(() => installKernel({ name: "a b" }), /name: a b/);
  });

  it("starts Node itself on Windows", () => {
    const folder = installKernel({ where: { prefix: join(home, "windows") }, platform: "win32" });
    assert.deepEqual(readKernelSpec(folder).argv, [process.execPath, join(folder, "start.mjs"), "{connection_file}"]);
  });

  it("falls back to the Node on PATH, and says what is gone", { skip: process.platform === "win32" }, () => {
    const main = join(home, "main.mjs");
    writeFileSync(main, "console.log('started', process.argv[2])");
    const run = (node: string, entry: string, env: NodeJS.ProcessEnv = process.env) => {
      const script = join(home, "start.sh");
      writeFileSync(script, launcher({ node, main: entry, platform: "linux" }).text);
      return spawnSync("/bin/sh", [script, "it's"], { encoding: "utf8", env });
    };
    assert.equal(run(process.execPath, main).stdout, "started it's\n");
    assert.equal(run("/gone/node", main).stdout, "started it's\n");
    assert.match(run("/gone/node", main, { PATH: "/nowhere" }).stderr, /\/gone\/node is gone and there is no node on PATH/);
    const moved = run(process.execPath, "/gone/main.js");
    assert.match(moved.stderr, /\/gone\/main\.js is gone.*npx sdtp kernel install/);
    assert.equal(moved.status, 1);
  });

  it("an installed kernel that lost its package is listed with the problem", () => {
    const folder = installKernel({ ...context(), name: "broken" });
    const path = join(folder, "kernel.json");
    writeFileSync(path, readFileSync(path, "utf8").replace(/"main": ".*"/, '"main": "/gone/main.js"'));
    const problem = (platform: NodeJS.Platform) => installedKernels({ ...context(), platform }).find(({ name }) => name === "broken")?.problem;
    assert.match(problem("linux") ?? "", /\/gone\/main\.js is gone/);
    writeFileSync(path, readFileSync(path, "utf8").replace("/gone/main.js", import.meta.filename).replace(/"node": ".*"/, '"node": "/gone/node"'));
    assert.equal(problem("linux"), undefined);
    assert.match(problem("win32") ?? "", /\/gone\/node is gone/);
  });

  it("a client is told why a kernel did not start", async () => {
    const spec = { argv: [process.execPath, "-e", "console.error('no such thing'); process.exit(4)"] };
    await assert.rejects(Session.start({ spec }), /kernel: ended \(exit 4\)\nno such thing/);
    await assert.rejects(Session.start({ spec: { argv: ["/gone/kernel"] } }), /ENOENT/);
  });
});
