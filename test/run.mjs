// Runs the compiled tests with node's own runner. Node 20's `--test` takes no globs, hence this file.
// `node test/run.mjs [--clients|--real|--queue] [PATH-PART …]`: only files whose path contains one of the parts;
// `*.clients.test.js` (slow, need system packages) run only with --clients, `*.real.test.js` (fetch a model from PyPI) only with --real,
// `*.queue.test.js` (need redis-server, some of them root and network namespaces) only with --queue.
// A file that has not ended after PATIENCE is ended and counts as failed: one that hangs takes nothing from those after it.
import { readdirSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { run } from "node:test";
import { spec, tap } from "node:test/reporters";
import { fileURLToPath } from "node:url";

const PATIENCE = 15 * 60_000;
const root = join(dirname(fileURLToPath(import.meta.url)), "..");
const args = process.argv.slice(2);
const kinds = ["clients", "real", "queue"];
const kindOf = (file) => kinds.find((kind) => file.endsWith(`.${kind}.test.js`));
const wanted = kinds.find((kind) => args.includes(`--${kind}`));
const parts = args.filter((argument) => !argument.startsWith("--"));
const tests = join(root, "dist", "test");
const files = readdirSync(tests, { recursive: true })
  .map((file) => join(tests, String(file)))
  .filter((file) => file.endsWith(".test.js") && kindOf(file) === wanted)
  .filter((file) => parts.length === 0 || parts.some((part) => relative(tests, file).includes(part)))
  .sort();
if (files.length === 0) {
  console.error(`no test file matches: ${parts.join(" ") || "(all)"}`);
  process.exit(2);
}
// Children take the flags from here: as an option in newer releases, from this process in Node 20.
const execArgv = ["--enable-source-maps"];
process.execArgv.push(...execArgv);
process.chdir(root);
const results = run({ files, concurrency: 2, timeout: PATIENCE, execArgv });
results.on("test:fail", ({ todo }) => {
  if (todo === undefined || todo === false) process.exitCode = 1;
});
const seconds = new Map();
const took = ({ nesting, file, details }) => nesting === 0 && file !== undefined && seconds.set(file, (seconds.get(file) ?? 0) + details.duration_ms / 1000);
results.on("test:pass", took).on("test:fail", took);
// A program that a test left running may hold this process's output: the end of the results is the end.
results.compose(process.stdout.isTTY ? new spec() : tap).pipe(process.stdout).on("unpipe", () => {
  const slowest = [...seconds].sort((a, b) => b[1] - a[1]).slice(0, 12);
  console.error(`slowest: ${slowest.map(([file, time]) => `${relative(root, file)} ${time.toFixed(0)} s`).join(", ")}`);
  process.stdout.write("", () => process.exit());
});
