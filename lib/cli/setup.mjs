// Makes a checkout ready to run: installs what is missing, builds what changed. Plain JavaScript,
// because it runs before anything is installed. Called by `npm start` and `npm test`.
import { execFileSync } from "node:child_process";
import { existsSync, readdirSync, rmSync, statSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";

const root = join(dirname(fileURLToPath(import.meta.url)), "..", "..");
const [major, minor] = process.versions.node.split(".").map(Number);
if (!((major === 20 && minor >= 19) || (major === 22 && minor >= 12) || major >= 24)) {
  fail(`Node ${process.versions.node}: sdtp-notebook needs Node 20.19, 22.12, 24 or newer.`);
}

const lock = join(root, "package-lock.json");
const installed = join(root, "node_modules", ".package-lock.json");
if (modified(installed) < modified(lock)) {
  say("installing packages (once, about a minute) …");
  // onnxruntime-node would look for a CUDA toolkit and download its provider; CUDA is an explicit choice.
  run("npm", ["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"], { ONNXRUNTIME_NODE_INSTALL: "skip" });
}

// A package from `npm pack` comes built and without sources.
if (existsSync(join(root, "lib", "index.ts"))) {
  build();
  await (await import("../packaging/danfojs.mjs")).bundleDanfojs();
}

function build() {
  const record = join(root, "dist", ".tsbuildinfo");
  const folders = ["kernel", "lib", "test"];
  const sources = folders.flatMap((folder) => files(folder, ".ts"));
  const newest = Math.max(...[...sources, "tsconfig.json", "package.json"].map((file) => modified(join(root, file))));
  if (modified(record) < newest) {
    say("building …");
    // A failed build must not count as done next time.
    run(process.execPath, [join(root, "node_modules", "typescript", "bin", "tsc"), "-p", root], {}, () => rmSync(record, { force: true }));
  }
  // What was built from a source that is gone: an old test would still run.
  const current = new Set(sources.map((file) => file.slice(0, -".ts".length)));
  for (const file of folders.flatMap((folder) => files(join("dist", folder), ".js"))) {
    const source = relative("dist", file).slice(0, -".js".length);
    if (!current.has(source)) for (const ending of [".js", ".js.map", ".d.ts"]) rmSync(join(root, "dist", source + ending), { force: true });
  }
}

/** Files below a folder of the package, relative to its root. */
function files(folder, ending) {
  const path = join(root, folder);
  if (!existsSync(path)) return [];
  return readdirSync(path, { recursive: true })
    .map((file) => join(folder, String(file)))
    .filter((file) => file.endsWith(ending) && !file.endsWith(".d.ts"));
}

/** Modification time in ms, 0 for a file that is not there. */
function modified(file) {
  return existsSync(file) ? statSync(file).mtimeMs : 0;
}

function run(command, args, env = {}, onFailure = () => {}) {
  try {
    // What npm and tsc print goes to stderr: stdout belongs to the command that follows.
    execFileSync(command, args, {
      cwd: root,
      env: { ...process.env, ...env },
      stdio: ["ignore", 2, 2],
      shell: process.platform === "win32" && command === "npm",
    });
  } catch (error) {
    onFailure();
    fail(`set-up stopped: ${command} ${args.join(" ")} ended with ${error.status ?? error.message}`);
  }
}

function say(text) {
  process.stderr.write(`sdtp-notebook: ${text}\n`);
}

function fail(text) {
  say(text);
  process.exit(1);
}
