import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { findKernel, Kernel, type JsonObject } from "../../../lib/jupyter/index.js";
import { PATIENCE, root } from "../../kernel/session.js";

const folder = mkdtempSync(join(tmpdir(), "sdtp-pack-"));
const project = join(folder, "project");
const data = join(folder, "jupyter");
const npm = process.platform === "win32" ? "npm.cmd" : "npm";
let tarball = "";

/** As a user's: nothing of the `npm run` around this test, and nothing but the registry can be reached by scripts. */
const env: NodeJS.ProcessEnv = {
  ...Object.fromEntries(Object.entries(process.env).filter(([key]) => !/^(npm_(package|lifecycle|config_(local_prefix|ignore_scripts))|ONNXRUNTIME_NODE_INSTALL)/i.test(key))),
  GLOBAL_AGENT_HTTP_PROXY: "http://127.0.0.1:9",
  JUPYTER_DATA_DIR: data,
};
const run = (command: string, args: string[], cwd: string) => execFileSync(command, args, { cwd, env, encoding: "utf8", stdio: ["ignore", "pipe", "pipe"], timeout: 600_000 });
const sdtp = (...args: string[]) => run(process.execPath, [join(project, "node_modules", ".bin", "sdtp"), ...args], project);

const registry = (() => {
  try {
    run(npm, ["ping"], folder);
    return true;
  } catch {
    return false;
  }
})();

before(() => {
  if (!registry) return;
  run(npm, ["pack", "--ignore-scripts=false", "--pack-destination", folder], root);
  tarball = join(folder, readdirSync(folder).find((file) => file.endsWith(".tgz")) ?? "");
  mkdirSync(project);
  writeFileSync(join(project, "package.json"), JSON.stringify({ name: "project", private: true }));
  run(npm, ["install", "--ignore-scripts=false", tarball], project);
});
after(() => rmSync(folder, { recursive: true, force: true }));

const skip = registry ? false : "no package registry can be reached";

test("the tarball is small and holds no tests, no sources, no source maps", { skip }, () => {
  // JupyterLab's front end is 6 MB of it, models and pruning modules 13.
  assert.ok(statSync(tarball).size < 25e6, `${statSync(tarball).size} bytes`);
  const files = execFileSync("tar", ["tzf", tarball], { encoding: "utf8" }).split("\n");
  assert.ok(files.includes("package/dist/node_modules/danfojs-node/THIRD-PARTY-LICENSES.txt"));
  assert.deepEqual(files.filter((file) => /\.map$|^package\/(?:dist\/)?test\/|(?<!\.d)\.ts$|tsbuildinfo/.test(file)), []);
});

test("what downloads from elsewhere is not installed", { skip }, () => {
  for (const name of ["danfojs-node", "xlsx", "@tensorflow/tfjs-node"]) assert.ok(!existsSync(join(project, "node_modules", name)), name);
});

test("sdtp generate", { skip }, () => {
  const { ids } = JSON.parse(sdtp("generate", "--prompt", "Once upon a time", "--max-new-tokens", "4", "--ignore-eos", "--json")) as { ids: number[] };
  assert.equal(ids.length, 4);
});

test("sdtp kernel install, and a dataframe in a cell with its types", { skip }, async () => {
  sdtp("kernel", "install");
  const { spec, folder: resourceDir } = findKernel("sdtp", { env: { JUPYTER_DATA_DIR: data } });
  const kernel = await Kernel.start({ spec, resourceDir, cwd: folder }, { timeout: PATIENCE });
  try {
    const cell = async (code: string) => {
      const contents: JsonObject[] = [];
      const reply = await kernel.client.execute(code, { timeout: PATIENCE, onOutput: ({ content }) => void contents.push(content) });
      return { reply, data: contents.find((each) => each.data)?.data as JsonObject | undefined };
    };
    const frame = await cell('const frame = new dfd.DataFrame({ preset: ["keep07"], length: [4096] }); frame');
    assert.equal(frame.reply.status, "ok", frame.reply.evalue);
    assert.match(String(frame.data?.["text/html"]), /<table.*keep07.*1 rows × 2 columns/s);
    const wrong = await cell("frame.describe(1, 2)");
    assert.match(wrong.reply.evalue ?? "", /TS2554/, "types are known");
    const model = await cell('(await sdtp.load("tiny")).checkpoint.name');
    assert.equal(model.data?.["text/plain"], "'tiny'", model.reply.evalue);
  } finally {
    await kernel.shutdown();
  }
});
