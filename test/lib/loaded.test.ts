// What a start loads, counted in modules: each takes most of a millisecond, whatever is in it.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { relative } from "node:path";
import { suite, test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { packageRoot } from "../../lib/checkpoint/package-root.js";

const library = new URL("../../lib/index.js", import.meta.url).href;

/** Tells each module that is loaded, on a line of standard error. */
const hooks = `import { writeSync } from "node:fs"; export const load = (url, context, next) => (writeSync(2, "loaded " + url + "\\n"), next(url, context));`;
const register = `import { register } from "node:module"; register(${JSON.stringify(dataUrl(hooks))});`;

/** Modules that a program loads: files of this package as `lib/…`, of others as `node_modules/…`. */
async function loaded(...args: readonly string[]): Promise<string[]> {
  const { stderr } = await promisify(execFile)(process.execPath, ["--import", dataUrl(register), ...args], { cwd: packageRoot(), maxBuffer: 2 ** 24 });
  const urls = [...stderr.matchAll(/^loaded (file:.*)$/gm)].map(([, url]) => url!);
  return urls.map((url) => relative(packageRoot(), fileURLToPath(url)).replaceAll("\\", "/").replace(/^dist\//, ""));
}

function dataUrl(source: string): string {
  return `data:text/javascript,${encodeURIComponent(source)}`;
}

function hasNone(modules: readonly string[], parts: readonly string[]): void {
  for (const part of parts) assert.deepEqual(modules.filter((module) => module.startsWith(part)), [], part);
}

const formats = ["lib/checkpoint/gguf", "lib/checkpoint/packed/open", "lib/checkpoint/torch", "lib/checkpoint/convert", "lib/checkpoint/compact", "lib/checkpoint/synthetic.", "lib/checkpoint/hub/fetch"];
const texts = ["lib/checkpoint/jinja", "lib/checkpoint/tokenizer", "node_modules/oniguruma"];

suite("what a start loads", () => {
  test("the library: what answers at once, no model, no ONNX Runtime, no package", async () => {
    const modules = await loaded("--input-type=module", "--eval", `import ${JSON.stringify(library)}`);
    assert.ok(modules.includes("lib/index.js"), "the hook sees modules");
    hasNone(modules, ["node_modules", "lib/decoder", "lib/runtime/model", "lib/evaluate", "lib/queue", "lib/serve", "lib/notebook", "lib/jupyter", "kernel", ...formats, ...texts]);
    assert.ok(modules.length <= 180, `${modules.length} modules`);
  });

  test("the embedded model: no other format than its own, no device but the CPU, no tokenizer before there is text", async () => {
    const modules = await loaded("--input-type=module", "--eval", `const { load } = await import(${JSON.stringify(library)}); await load("tiny")`);
    assert.ok(modules.includes("lib/runtime/model.js"));
    hasNone(modules, ["lib/runtime/webgpu-home", "lib/runtime/devices/cuda-home", "lib/runtime/worker", "node_modules/@bufbuild", "node_modules/zod", ...formats, ...texts]);
    assert.ok(modules.length <= 340, `${modules.length} modules`);
  });

  test("sdtp --help: the commands' names alone", async () => {
    const modules = await loaded("lib/cli/sdtp.mjs", "--help");
    assert.ok(modules.includes("lib/cli/main.js"));
    hasNone(modules, ["lib/cli/commands", "lib/runtime", "lib/bench"]);
    assert.ok(modules.length <= 20, `${modules.length} modules`);
  });
});
