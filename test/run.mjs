// Runs the compiled tests with node's own runner. Node 20's `--test` takes no globs, hence this file.
// `node test/run.mjs [--clients|--real|--queue] [PATH-PART …]`: only files whose path contains one of the parts;
// `*.clients.test.js` (slow, need system packages) run only with --clients, `*.real.test.js` (fetch a model from PyPI) only with --real,
// `*.queue.test.js` (need redis-server, some of them root and network namespaces) only with --queue.
import { spawn } from "node:child_process";
import { readdirSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";

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
const runner = spawn(process.execPath, ["--enable-source-maps", "--test", "--test-concurrency=2", ...files], {
  stdio: "inherit",
  cwd: root,
});
runner.on("exit", (code, signal) => process.exit(signal ? 1 : (code ?? 1)));
