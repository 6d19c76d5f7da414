import assert from "node:assert/strict";
import { mkdirSync, readFileSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { analyse } from "../../../lib/notebook/cache/analyse.js";
import { cellNote } from "../../../lib/notebook/cell-note.js";
import { plan } from "../../../lib/notebook/cache/plan.js";
import * as snapshot from "../../../lib/notebook/cache/snapshot.js";
import type { Progress } from "../../../lib/notebook/run/execute.js";
import { runNotebook } from "../../../lib/notebook/run/run.js";
import { joined, type CodeCell } from "../../../lib/notebook/types.js";
import { cellWith, code, read, shown, temporary, write } from "./cells.js";

const folder = temporary();
process.env.SDTP_CACHE = join(folder, "cache");

/** Where a run begins. @param opaque what each state cannot restore */
function begin(sources: string[], unchanged: number, opaque: Record<string, string> = {}, busy = false) {
  return plan(sources.map(analyse), unchanged, sources.slice(0, unchanged).map(() => ({ values: "x", opaque, busy })));
}

test("a run begins with the first cell that changed, where data is all it needs", () => {
  assert.deepEqual(begin(["const rows = await slow();", "rows.length", "rows.map((r) => r * 2)"], 2), { first: 2 });
  assert.deepEqual(begin(["const model = await load();", "const rows = model.run();", "rows"], 2, { model: "a Model" }), { first: 2 });
});

test("it moves up to the first use of what cannot be restored", () => {
  const model = { model: "a Model" };
  assert.deepEqual(begin(["let n = 1;", "const model = await load(n);", "const rows = model.run();", "model.name"], 3, model), {
    first: 1,
    because: "cell 4 needs model, which cannot be restored (a Model)",
  });
  assert.equal(begin(["const model = load();", "model.x = 1", "const f = () => model;", "f()"], 3, model).first, 0, "through a function");
  assert.equal(begin(["const f = () => rows;", "const rows = [1];", "f()"], 2).first, 2);
  assert.equal(begin(["class A { x = 1 }", "const a = 1;", "new A()"], 2).first, 2, "classes are defined anew");
  assert.equal(begin(["class A {}", "A.n = 2;", "new A()"], 2, { A: "a function with properties of its own" }).first, 0);
});

test("modules that may hold state count as such, those without do not", () => {
  const run = (module: string) => begin([`import { a } from "${module}";`, "a.set(1);", "const x = 1;", "a.get() + x"], 3).first;
  assert.equal(run("./local.js"), 1);
  assert.equal(run("left-pad"), 1);
  assert.equal(run("node:path"), 3);
  assert.equal(run("sdtp-notebook"), 3);
  assert.equal(begin(['import { a } from "./local.js";', "const x = 1;", "a(x)"], 2).first, 2, "imported, not used yet");
  assert.equal(begin(['import { a } from "./a.js";', "a.set(1);", 'import { b } from "./b.js";\nb.get()'], 2).first, 1, "they may share it");
  assert.equal(begin(['import * as fs from "node:fs";', "fs.x = 1", "1"], 2).first, 1, "changed by a cell");
});

test("cells whose effects are no variables are never left out", () => {
  const effects = [
    "process.chdir('x')", "globalThis.x = 1", "setTimeout(() => 1)", "work().then(() => 1)", "Array.prototype.x = 1", "Math.random = () => 4", "eval('1')",
    "console.group()", "Object.assign(Math, { x: 1 })", "const c = console; c.x", "Math.x++", "delete JSON.parse", "display(1, { displayId: 'a' })", "display.update('a', 2)",
    "display.register(f, g)", "void work()", "import './x.js'", "await import('./x.js')", "%%javascript\n1", "const { [key()]: v } = o;", "class B { static { go() } }", "for (var i = 0; i < 3; i++) {}", "{ var q = 1 }",
  ];
  for (const effect of effects) assert.equal(begin(["const a = 1;", effect, "a"], 2).first, 1, effect);
  for (const none of ["const o = {}; o.x = 1;", "let m = new Map(); m.set(1, 2);", "console.log(1)", "display(1)", "sdtp.table2(a)", "[a].map(Number)", "let t: typeof sdtp; JSON.stringify(a)", "interface P { performance: number }", "for (let i = 0; i < 3; i++) {}", "await import('node:fs')", "function f() { var x = 1; return x; }"]) {
    assert.equal(begin(["const a = 1;", none, "a"], 2).first, 2, none);
  }
});

test("states that are missing, or were saved while something ran, are not used", () => {
  assert.match(begin(["1", "2", "3"], 2, {}, true).because ?? "", /left something running/);
  assert.equal(begin(["1", "2", "3"], 2, {}, true).first, 0);
  assert.equal(plan(["1", "2", "3"].map(analyse), 2, [{ values: "x", opaque: {}, busy: false }, undefined]).first, 1);
});

test("a skeleton keeps definitions and types, and runs nothing else", () => {
  const source = 'import { x } from "y";\ninterface T { a: number }\nconst t: T = await go(), f = (n: number) => n * 2;\nlet u;\nlet w: string;\nconst { a, b: [c] } = make();\nconsole.log(t);\nfunction g() { return u; }';
  assert.equal(
    analyse(source).skeleton((name) => `R.${name}`),
    'import { x } from "y";\ninterface T { a: number }\nconst t: T = true ? R.t : (await go()), f = (n: number) => n * 2;\nlet u: any = R.u;\nlet w: string = R.w;\n' +
      "const { a, b: [c] } = true ? ({ a: R.a, b: ([R.c] as never) } as never) : (make());\nfunction g() { return u; }",
  );
});

test("only values that come back exactly are saved", () => {
  const at = join(folder, "states");
  mkdirSync(at);
  const shared = { n: 1 };
  const memory = new Float32Array([1, 2, 3, 4]);
  const good = { a: [1, , -0, NaN], m: new Map([["k", new Set([1n])]]), d: new Date(5), s: shared, t: { shared }, v: memory, b: Buffer.from("é"), u: undefined };
  const bad = {
    f: () => 1, o: new (class Model {})(), p: Promise.resolve(), e: new Error("x"), z: Object.freeze({}), g: { get x() { return 1; } }, y: { [Symbol("s")]: 1 }, n: Object.create(null),
    half: new Map([[1, class {}]]), own: Object.assign(new Map(), { x: 1 }), r: /x/, deep: [{ x: [new (class Model {})()] }], view: memory.subarray(1, 2), w: new WeakMap(),
  };
  const counted = Object.assign(() => 1, { calls: 3 });
  const readers = Object.fromEntries(Object.entries({ ...good, ...bad, plain: () => 1, counted }).map(([name, value]) => [name, () => value]));
  snapshot.begin();
  snapshot.save(at, "one", { ...readers, missing: () => { throw new ReferenceError("missing"); } }, ["plain", "counted"]);
  const state = JSON.parse(readFileSync(join(at, "one.json"), "utf8")) as snapshot.State;
  assert.deepEqual(Object.keys(state.opaque).sort(), [...Object.keys(bad), "counted", "missing"].sort());
  assert.deepEqual([state.opaque.o, state.opaque.deep, state.opaque.view, state.opaque.f], ["a Model", "a Model", "two arrays over the same memory", "a function"]);
  assert.equal(state.busy, false);
  snapshot.open(join(at, state.values));
  for (const [name, value] of Object.entries(good)) assert.deepEqual(snapshot.restored(name), value, name);
  assert.equal((snapshot.restored("t") as typeof good.t).shared, snapshot.restored("s"), "what was shared is shared");

  const timer = setTimeout(() => undefined, 60_000);
  snapshot.save(at, "two", {}, []);
  clearTimeout(timer);
  assert.equal((JSON.parse(readFileSync(join(at, "two.json"), "utf8")) as snapshot.State).busy, true);
});

test("runs of one output: what is left out, what runs again, and with which values", async () => {
  const file = join(folder, "n.ipynb");
  const output = join(folder, "n.out.ipynb");
  const log = join(folder, "log");
  const note = (text: string) => `import { appendFileSync } from "node:fs";\nappendFileSync(${JSON.stringify(log)}, "${text} ");\n`;
  const cells = [
    code("let n: number = 2;", "parameters"),
    code(`${note("slow")}interface Row { x: number }\nconst rows: Row[] = [];\nfor (let i = 0; i < n; i++) rows.push({ x: i });\nconst by = new Map(rows.map((row) => [row.x, row]));\nrows.length`),
    code(`${note("model")}class Model { constructor(readonly size: number) {} }\nconst model = new Model(n);\nconst double = (x: number) => 2 * x;\nenum Kind { A, B }`),
    code(`${note("change")}rows[0]!.x = 100;\nconst { size: taken } = model;`),
    code("rows.map(({ x }) => double(x)).join()"),
  ];
  const ran = async (options: Parameters<typeof runNotebook>[1] = {}) => {
    write(file, cells);
    writeFileSync(log, "");
    const notes: string[] = [];
    const result = await runNotebook(file, { cache: true, onNote: (text) => notes.push(text), ...options });
    assert.equal(result.status, "completed", result.stop?.message);
    return { cached: result.cached, notes, log: readFileSync(log, "utf8").trim() };
  };
  const last = () => shown(read(output).cells.at(-1) as CodeCell);

  const noted: unknown[] = [];
  const onProgress = ({ number, seconds }: Progress) => {
    if (number === 3 && seconds === undefined) noted.push(...read(output).cells.map((cell) => typeof cellNote(cell).hash));
  };
  assert.deepEqual(await ran({ onProgress }), { cached: 0, notes: [], log: "slow model change" });
  assert.deepEqual(noted, ["string", "string", "undefined", "undefined", "undefined"], "of a run that is killed, what is complete can be kept");
  assert.deepEqual(last(), ["'200,2'"]);
  const before = read(output);

  assert.deepEqual(await ran(), { cached: 5, notes: [], log: "" }, "nothing has changed");
  assert.deepEqual(read(output).cells.map((cell) => (cell as CodeCell).outputs), before.cells.map((cell) => (cell as CodeCell).outputs));

  // The last cell changed: data, shared parts, functions and types are there again.
  cells[4] = code("const typed: Row[] = rows;\n[typed.map(({ x }) => double(x)).join(), by.get(0) === rows[0], taken, Kind.B].join()");
  assert.deepEqual(await ran(), { cached: 4, notes: [], log: "" });
  assert.deepEqual(last(), ["'200,2,true,2,1'"]);
  assert.equal(cellWith(read(output), "typed").execution_count, 5, "counts go on");
  assert.deepEqual(shown(cellWith(read(output), "rows.length")), ["2"]);

  // It needs what is not on disk: everything from its first use on runs.
  cells[4] = code("model.size + rows[0]!.x");
  assert.deepEqual(await ran({ fromCell: 5 }), { cached: 2, notes: ["cell 5 needs model, which cannot be restored (a Model)"], log: "model change" });
  assert.deepEqual(last(), ["102"]);
  assert.equal(cellNote(cellWith(read(output), "class Model")).rerun, "cell 5 needs model, which cannot be restored (a Model)");
  assert.equal(cellNote(cellWith(read(output), "rows.length")).cached, true);

  cells.push(code(`${note("end")}1`));
  assert.deepEqual(await ran(), { cached: 5, notes: [], log: "end" });
  assert.deepEqual(await ran({ fromCell: 6 }), { cached: 5, notes: [], log: "end" }, "runs although it did not change");
  cells.pop();
  assert.deepEqual(await ran({ values: { n: 3 } }), { cached: 1, notes: [], log: "slow model change" }, "a parameter: all that follows");
  assert.deepEqual(last(), ["103"]);
  await assert.rejects(runNotebook(file, { fromCell: 9 }), /from-cell: 9 \(the notebook has 5 cells that run\)/);

  // Outputs that another tool cleared are made again.
  const cleared = read(output);
  cellWith(cleared, "rows.length").outputs = [];
  writeFileSync(output, JSON.stringify(cleared));
  assert.equal((await ran({ values: { n: 3 } })).log, "slow model change");

  // A state that is damaged costs time, not correctness.
  const states = join(process.env.SDTP_CACHE ?? "", readdirSync(process.env.SDTP_CACHE ?? "").find((name) => name.startsWith("notebook-")) ?? "");
  for (const name of readdirSync(states)) if (name.endsWith(".values")) writeFileSync(join(states, name), "damaged");
  cells[4] = code("rows.length");
  const damaged = await ran({ values: { n: 3 } });
  assert.match(damaged.notes.join(), /could not be restored.*every cell runs/);
  assert.deepEqual([damaged.cached, damaged.log, last()], [0, "slow model change", ["3"]]);
  assert.equal(joined(read(output).cells[1]!.source), "// Parameters\nn = 3;");
});
