import assert from "node:assert/strict";
import { existsSync, readFileSync, readdirSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { test } from "node:test";
import { plannedRuns } from "../../../lib/notebook/run/matrix.js";
import { sdtp, start, temporaryFolder, until } from "../cli/sdtp.js";
import { code, read, write } from "./cells.js";

const names = (...args: Parameters<typeof plannedRuns>) => plannedRuns(...args).map(({ output }) => output);

test("outputs are named by their parameters", () => {
  assert.deepEqual(names(["a/n.ipynb", "m.ipynb"], {}), ["a/n.out.ipynb", "m.out.ipynb"]);
  assert.deepEqual(names(["a/n.ipynb"], { sets: [{ n: 1, s: "tiny" }, { n: 2 }], folder: "out" }), ["out/n.n=1,s=tiny.out.ipynb", "out/n.n=2.out.ipynb"]);
  assert.deepEqual(plannedRuns(["n.ipynb"], { sets: [{ n: 1 }], common: { n: 5, m: 2 } })[0]?.values, { n: 1, m: 2 });
});

test("runs never write one file", () => {
  const sets = [{ s: "a/b" }, { s: "a b" }, { s: "A" }, { s: "a" }, { s: "../../x" }, { s: "x".repeat(300) }, { s: `${"x".repeat(300)}y` }, { s: [1, 2] }, { s: 1 }];
  const outputs = names(["n.ipynb"], { sets });
  assert.equal(new Set(outputs.map((each) => each.toLowerCase())).size, sets.length, outputs.join("\n"));
  assert.ok(outputs.every((each) => basename(each) === each && each.length < 150), outputs.join("\n"));
  assert.throws(() => plannedRuns(["n.ipynb"], { sets: [{ n: 1 }, { n: 1 }] }), /output: n\.n=1\.out\.ipynb \(of two runs: n\.ipynb \{"n":1\}/);
  assert.throws(() => plannedRuns(["a/n.ipynb", "b/n.ipynb"], { folder: "out" }), /of two runs: a\/n\.ipynb \{\} and b\/n\.ipynb \{\}/);
});

test("a matrix, two runs at a time: one fails, and only that one runs again", async (t) => {
  const folder = temporaryFolder(t);
  const log = join(folder, "log");
  write(join(folder, "n.ipynb"), [
    code("let n: number = 0;", "parameters"),
    code(`import { appendFileSync, existsSync } from "node:fs";\nappendFileSync(${JSON.stringify(log)}, n + " ");\nif (n === 2 && !existsSync("mended")) throw new Error("two");`),
  ]);
  writeFileSync(join(folder, "matrix.yaml"), "n: [1, 2]\n");
  const command = ["run", "n.ipynb", "--matrix", "matrix.yaml", "--jobs", "2", "-o", "out"];
  const first = await sdtp(folder, ...command);
  assert.equal(first.code, 1, first.stderr);
  assert.match(first.stdout, /^out\/n\.n=1\.out\.ipynb +completed +3\/3 +\d+:\d\d$/m);
  assert.match(first.stdout, /^out\/n\.n=2\.out\.ipynb +failed +2\/3 +\d+:\d\d +cell 3: line 3: Error: two$/m);
  assert.match(first.stderr, /1 of 2 runs completed; the same command with --failed/);

  writeFileSync(join(folder, "mended"), "");
  const second = await sdtp(folder, ...command, "--failed");
  assert.equal(second.code, 0, second.stderr);
  assert.match(second.stderr, /1 of 1 runs completed; 1 were complete before/);
  assert.deepEqual(readFileSync(log, "utf8").trim().split(" ").sort(), ["1", "2", "2"]);
  assert.deepEqual(readdirSync(join(folder, "out")).sort(), ["n.n=1.out.ipynb", "n.n=2.out.ipynb"]);

  for (const [text, args, message] of [
    ["n: [1, x]", [], /parameter n: "x" \(Type 'string' is not assignable to type 'number'/],
    ["n: 1", [], /n: must be a list of values/],
    ["[]", [], /has no parameter set/],
    ["n: [3]", ["-p", "n", "4"], /parameter n: is in the matrix and in -p/],
  ] as const) {
    writeFileSync(join(folder, "matrix.yaml"), text);
    const wrong = await sdtp(folder, ...command, ...args);
    assert.equal(wrong.code, 2, wrong.stderr);
    assert.match(wrong.stderr, message);
  }
  assert.equal(readFileSync(log, "utf8").trim().split(" ").length, 3, "nothing ran");
});

test("Ctrl-C ends all runs, and those that wait do not begin", { skip: process.platform === "win32" && "no signals there" }, async (t) => {
  const folder = temporaryFolder(t);
  write(join(folder, "n.ipynb"), [code("let n: number = 0;", "parameters"), code('import { writeFileSync } from "node:fs";\nwriteFileSync(`begun${n}`, "");\nwhile (true) {}')]);
  writeFileSync(join(folder, "matrix.json"), "[{\"n\": 1}, {\"n\": 2}, {\"n\": 3}]");
  const { child, ended } = start(folder, "run", "n.ipynb", "--matrix", "matrix.json", "--jobs", "2");
  await until(() => [1, 2].every((n) => existsSync(join(folder, `begun${n}`))));
  child.kill("SIGINT");
  const { code: status, stdout } = await ended;
  assert.equal(status, 130);
  assert.equal([...stdout.matchAll(/interrupted/g)].length, 2, stdout);
  assert.match(stdout, /^n\.n=3\.out\.ipynb +not run$/m);
  assert.equal(existsSync(join(folder, "begun3")), false);
  assert.equal((read(join(folder, "n.n=1.out.ipynb")).metadata.sdtp as { run: { status: string } }).run.status, "interrupted");
});
