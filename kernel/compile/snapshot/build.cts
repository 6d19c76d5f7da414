/**
 * Makes the snapshot: `node --snapshot-blob FILE --build-snapshot build.cjs PACKAGE_ROOT`. Node's own module loaders
 * cannot be part of a snapshot, so what belongs to it is evaluated here: CommonJS as it is, ES modules translated.
 */
import fs = require("node:fs");
import nodeModule = require("node:module");
import path = require("node:path");
import v8 = require("node:v8");
import vm = require("node:vm");
import url = require("node:url");

type Require = ((name: string) => unknown) & { resolve: NodeJS.RequireResolve; cache: Record<string, Loaded | undefined> };
interface Loaded {
  exports: unknown;
}

const root = process.argv.at(-1) as string;
const compile = path.join(root, "dist", "kernel", "compile");
const cache: Record<string, Loaded | undefined> = {};
const builtin = (name: string) => process.getBuiltinModule(name) as object | undefined;
let transpile: (text: string) => string = (text) => text;

class Module implements Loaded {
  exports: unknown = {};
  constructor(readonly id: string) {}
}

/** As Node's, but through what is here. */
function createRequire(from: string): Require {
  const { resolve } = nodeModule.createRequire(from);
  const load = (name: string): unknown => {
    if (/^(node:)?module$/.test(name)) return Object.assign(Module, { createRequire });
    return builtin(name) ?? evaluate(resolve(name));
  };
  return Object.assign(load, { resolve, cache });
}

function evaluate(file: string): unknown {
  const known = cache[file];
  if (known) return known.exports;
  const module: Loaded = (cache[file] = new Module(file));
  const text = fs.readFileSync(file, "utf8");
  if (file.endsWith(".json")) return (module.exports = JSON.parse(text));
  const isOwn = file.startsWith(path.join(root, "dist"));
  const code = isOwn ? transpile(text.replaceAll("import.meta.url", JSON.stringify(url.pathToFileURL(file).href))) : text;
  const wrapped = `(function (exports, require, module, __filename, __dirname) {${code}\n})`;
  const body = vm.runInThisContext(wrapped, { filename: file }) as (...args: unknown[]) => void;
  body.call(module.exports, module.exports, createRequire(file), module, file, path.dirname(file));
  return module.exports;
}

const typescript = createRequire(path.join(root, "dist", "index.js")).resolve("@tslab/typescript-for-tslab");
const ts = evaluate(typescript) as typeof import("@tslab/typescript-for-tslab");
const { CommonJS } = ts.ModuleKind;
transpile = (text) => ts.transpileModule(text, { compilerOptions: { module: CommonJS, target: ts.ScriptTarget.ES2022, esModuleInterop: true } }).outputText;
// The snapshot itself holds V8's code.
cache[path.join(compile, "code-cache.js")] = { exports: { loadWithCodeCache: (file: string) => ({ exports: evaluate(file), keep: () => Promise.resolve() }) } };
const { warm, serve } = evaluate(path.join(compile, "snapshot", "process.js")) as typeof import("./process.js");
warm(root);
v8.startupSnapshot.setDeserializeMainFunction(serve);
