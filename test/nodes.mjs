// Runs tests with other releases of Node, which the npm package `node` brings: `node test/nodes.mjs [22 24 26]`.
// The newest long-term release in full as far as Node matters (kernel, protocol, notebooks, command line, engine), the
// others the kernel, a run without a person, and the engine. Releases are kept in the cache folder.
import { execFileSync, spawnSync } from "node:child_process";
import { existsSync, mkdirSync } from "node:fs";
import { homedir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = join(dirname(fileURLToPath(import.meta.url)), "..");
const cache = process.env.SDTP_CACHE || join(homedir(), ".cache", "sdtp-notebook");
const SHORT = ["kernel/compile", "kernel/language", "kernel/variables", "kernel/typescript", "kernel/interrupt", "kernel/process", "kernel/input", "lib/notebook/run", "lib/runtime/generate"];
const FULL = ["kernel/", "lib/jupyter", "lib/notebook", "lib/cell", "lib/cli", "lib/runtime"];
const RELEASES = { 22: SHORT, 24: FULL, 26: SHORT };

const asked = process.argv.slice(2);
let failed = 0;
for (const major of asked.length > 0 ? asked : Object.keys(RELEASES)) {
  const parts = RELEASES[major] ?? SHORT;
  const node = release(major);
  if (node === undefined) continue;
  const version = execFileSync(node, ["--version"], { encoding: "utf8" }).trim();
  console.log(`# Node ${version}: ${parts.join(", ")}`);
  const { status } = spawnSync(node, [join(root, "test", "run.mjs"), ...parts], { stdio: "inherit", cwd: root });
  if (status !== 0) failed++;
}
process.exit(failed > 0 ? 1 : 0);

/** Path of a release, fetched where it is not there yet; undefined where it cannot be had. */
function release(major) {
  const folder = join(cache, "test-nodes", String(major));
  const node = join(folder, "node_modules", "node", "bin", process.platform === "win32" ? "node.exe" : "node");
  if (existsSync(node)) return node;
  mkdirSync(folder, { recursive: true });
  try {
    execFileSync("npm", ["install", "--prefix", folder, "--no-audit", "--no-fund", "--loglevel=error", "--ignore-scripts=false", `node@${major}`], { stdio: ["ignore", 2, 2], shell: process.platform === "win32" });
  } catch {
    // Told below.
  }
  if (existsSync(node)) return node;
  console.log(`# Node ${major}: skipped (the npm package node@${major} cannot be installed; these tests need npm's registry)`);
  return undefined;
}
