import assert from "node:assert/strict";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { Session } from "./session.js";

/** Without colours. */
const plain = (text: unknown) => String(text).replace(/\x1b\[\d+m/g, "");
const traceback = (ran: { reply: { traceback?: string[] } }) => (ran.reply.traceback ?? []).map(plain);

describe("language", () => {
  let session: Session;
  before(async () => {
    session = await Session.start();
  });
  after(() => session.end());

  const file = (name: string, text: string) => {
    const path = join(session.folder, name);
    mkdirSync(join(path, ".."), { recursive: true });
    writeFileSync(path, text);
  };
  const modulePackage = (name: string, source: string, main = "index.js", manifest: object = {}) => {
    file(`node_modules/${name}/package.json`, JSON.stringify({ name, version: "1.0.0", main, ...manifest }));
    file(`node_modules/${name}/${main}`, source);
  };

  it("runs TypeScript and shows the last value", async () => {
    assert.equal(await session.value("interface P { x: number }\nconst p: P = { x: 1 };\np"), "{ x: 1 }");
    assert.equal(await session.value("null"), "null");
    assert.equal((await session.run("undefined")).text, undefined);
    assert.equal((await session.run("const silent = 1;")).text, undefined);
  });

  it("refuses a cell with a type error, at its line and column", async () => {
    const ran = await session.run("const fine = 1;\n  const wrong: string = fine;");
    assert.equal(ran.reply.status, "error");
    assert.match(ran.reply.evalue ?? "", /^Cell \[\d+\]:2:9 - Type 'number' is not assignable to type 'string'\. \(TS2322\)$/);
    assert.match(traceback(ran)[0] ?? "", /^Cell \[\d+\]:2:9 - error TS2322/);
    assert.equal(traceback(ran)[2], "          ~~~~~");
    assert.equal((await session.run("fine")).reply.ename, "CompileError");
  });

  it("runs JavaScript that TypeScript would refuse where the cell asks for it", async () => {
    assert.equal(await session.value("%%javascript\nlet loose = {}; loose.added = 1; loose.added"), "1");
    assert.equal(await session.value("// @ts-nocheck\nlet looser = {}; looser.added = await 2; looser.added"), "2");
    assert.equal((await session.run("// @ts-nocheck\nlet broken = = 1")).reply.ename, "CompileError");
  });

  it("awaits at the top level, in `for await` alone too", async () => {
    assert.equal(await session.value("const later = await Promise.resolve(5); later + 1"), "6");
    const ran = await session.run("for await (const each of [1, Promise.resolve(2)]) console.log(each)");
    assert.equal(ran.stream("stdout"), "1\n2\n");
  });

  it("imports CommonJS, ES modules, and ES modules that await at their top level", async () => {
    modulePackage("common", "exports.one = 1; exports.name = __filename.split('/').pop();");
    modulePackage("modern", "export const two = 2; export default 'modern';", "index.mjs");
    modulePackage("waiting", "export const three = await Promise.resolve(3); export default 'waiting';", "index.mjs");
    modulePackage("mapped", "export const four = 4;", "inner.mjs", { exports: { ".": { import: "./inner.mjs" }, "./sub": { import: "./inner.mjs" } } });
    const source = `import { one } from "common"; import modern, { two } from "modern"; import waiting, * as all from "waiting"; import { four } from "mapped"; import * as sub from "mapped/sub";
[one, two, modern, waiting, all.three, four, sub.four]`;
    assert.equal(await session.value(source), "[ 1, 2, 'modern', 'waiting', 3, 4, 4 ]");
    assert.equal(await session.value("[one + 1, all.three + 1, waiting]"), "[ 2, 4, 'waiting' ]");
  });

  it("imports dynamically, relative to the notebook", async () => {
    file("side.mjs", "export const side = await Promise.resolve('s');");
    assert.equal(await session.value(`(await import("waiting")).three`), "3");
    assert.equal(await session.value(`(await import("common")).one`), "1");
    assert.equal(await session.value(`(await import("./side.mjs")).side`), "'s'");
    assert.equal(await session.value(`typeof (await import("node:fs")).readFileSync`), "'function'");
    assert.equal(await session.value("import.meta.dirname === process.cwd()"), "true");
  });

  it("imports TypeScript of the notebook's folder and beside it, and sees changes", async () => {
    file("local.ts", "export const scale = (x: number): number => x * 2;");
    assert.equal(await session.value(`import { scale } from "./local"; scale(4)`), "8");
    assert.equal((await session.run(`scale("no")`)).reply.ename, "CompileError");
    const deadline = Date.now() + 60_000;
    file("local.ts", "export const scale = (x: number): number => x * 3;");
    let value: string | undefined;
    do value = await session.value(`import { scale } from "./local"; scale(4)`);
    while (value !== "12" && Date.now() < deadline);
    assert.equal(value, "12");
  });

  it("lives on when many files appear where it looked in vain", async () => {
    assert.equal((await session.run(`import { later } from "not-yet"; import { other } from "./not-yet"`)).reply.ename, "CompileError");
    for (let i = 0; i < 3; i++) {
      modulePackage(`new-${i}`, "exports.one = 1");
      file(`folder-${i}/file.ts`, "export const x = 1");
      await new Promise((resolve) => setTimeout(resolve, 400));
    }
    modulePackage("not-yet", "exports.later = 5;");
    file("not-yet.ts", "export const other = 6;");
    assert.equal(await session.value(`import { later } from "not-yet"; import { other } from "./not-yet"; [later, other]`), "[ 5, 6 ]");
  });

  it("finds packages of this package where the notebook's project has none", async () => {
    assert.equal(await session.value(`import { gzipSync } from "fflate"; typeof gzipSync`), "'function'");
    assert.equal(await session.value(`typeof (await import("yaml")).parse`), "'function'");
  });

  it("prefers the notebook's own version of a package", async () => {
    modulePackage("fflate", "exports.gzipSync = 'mine';");
    assert.equal(await session.value(`require("fflate").gzipSync`), "'mine'");
  });

  it("shows the cell's lines in a stack trace, and none of the kernel's", async () => {
    await session.run("interface Padding {\n  x: number;\n}\nfunction thrower(value: number): never {\n\n  throw new RangeError(`bad ${value}`);\n}");
    const ran = await session.run("type T = 1;\n\nconst go = () => thrower(3);\ngo();");
    assert.equal(ran.reply.ename, "RangeError");
    assert.equal(ran.reply.evalue, "bad 3");
    const [first, second, third, fourth, ...rest] = traceback(ran);
    assert.equal(first, "RangeError: bad 3");
    assert.match(second ?? "", /at thrower \(Cell \[\d+\]:6:9\)/);
    assert.match(third ?? "", /at go \(Cell \[\d+\]:3:/);
    assert.match(fourth ?? "", /at Cell \[\d+\]:4:1$/);
    assert.deepEqual(rest, []);
  });

  it("shows the lines of the notebook's own modules", async () => {
    file("thrower.ts", "interface Gone {\n  a: number;\n}\n\nexport function boom(): never {\n  throw new Error('in a module');\n}\n");
    const [, first, second] = traceback(await session.run('import { boom } from "./thrower"; boom()'));
    assert.match(first ?? "", /at boom \(.*[\\/]thrower\.ts:6:9\)$/);
    assert.match(second ?? "", /at Cell \[\d+\]:1:/);
  });

  it("shows the cell's line behind an await", async () => {
    const ran = await session.run("\nasync function inner() {\n  await new Promise(done => setTimeout(done, 1));\n  throw new Error('late');\n}\n\nawait inner();");
    const lines = traceback(ran).filter((line) => line.includes("at "));
    assert.match(lines[0] ?? "", /at (async )?inner \(Cell \[\d+\]:4:9\)/);
    assert.match(lines[1] ?? "", /at async Cell \[\d+\]:7:/);
    assert.equal(lines.length, 2);
  });

  it("shows them in an error that is only printed", async () => {
    const ran = await session.run("\n\nconsole.log(new Error('seen').stack)");
    assert.match(ran.stream("stdout"), /^Error: seen\n {4}at Cell \[\d+\]:3:13\n$/);
  });

  it("keeps what was declared before a throw, and the older value of what was not reached", async () => {
    await session.run("let older = 'old'");
    const ran = await session.run("const first = 1, pair = [2, 3];\ntype Kept = { k: number };\nfunction helper() { return first + 1 }\nif (first) throw new Error('stop');\nconst older = 'new'; const never = 2;");
    assert.equal(ran.reply.status, "error");
    assert.equal(await session.value("const typed: Kept = { k: helper() }; [first, pair, typed.k, older]"), "[ 1, [ 2, 3 ], 2, 'old' ]");
    assert.equal((await session.run("never")).reply.ename, "CompileError");
  });

  it("reports what is thrown that is no Error", async () => {
    const { reply } = await session.run("throw { code: 7 }");
    assert.equal(reply.ename, "Thrown");
    assert.equal(reply.evalue, "{ code: 7 }");
  });

  it("reports a rejection that nobody awaits, and lives on", async () => {
    const ran = await session.run("void Promise.reject(new Error('lost')); setTimeout(() => { throw new Error('thrown later') }, 1); await new Promise(done => setTimeout(done, 100))");
    assert.equal(ran.reply.status, "ok");
    assert.match(ran.stream("stderr"), /Unhandled rejection:\n.*Error.*: lost/);
    assert.match(ran.stream("stderr"), /Uncaught exception:\n.*Error.*: thrown later/);
  });

  it("reports it before the cell that made it ends", async () => {
    for (const code of ["Promise.reject(new Error('mine'))", "void (async () => { throw new Error('mine') })(); 5", "queueMicrotask(() => { throw new Error('mine') })", "void Promise.reject(new Error('mine')); throw 1"]) {
      for (let i = 0; i < 5; i++) assert.match((await session.run(code)).stream("stderr"), /Error.*: mine/, code);
    }
  });

  it("reports the cause of an error", async () => {
    const ran = await session.run("throw new Error('outer', { cause: new TypeError('inner') })");
    assert.ok(traceback(ran).some((line) => line.includes("[cause]: TypeError: inner")));
  });

  it("reports what throws when it is looked at, and goes on", async () => {
    for (const thrown of ["new Proxy(new Error('x'), { get() { throw new Error('trap') } })", "{ [Symbol.for('nodejs.util.inspect.custom')]() { throw new Error('own') } }", "Object.assign(new Error('m'), { get name() { throw 2 } })"]) {
      const { reply } = await session.run(`throw ${thrown}`);
      assert.equal(reply.status, "error");
      assert.equal(await session.value("1"), "1");
    }
  });

  it("shows a promise by its state, without what Node hangs on it", async () => {
    assert.equal(await session.value("[Promise.resolve(3), new Promise(() => {})]"), "[ Promise { 3 }, Promise { <pending> } ]");
    assert.equal((await session.run("console.log((async () => 'x')())")).stream("stdout"), "Promise { 'x' }\n");
    // Node 20 and 22 hang the cell on a timer, later ones do not.
    const timer = (await session.value("setTimeout(() => {}, 1)")) ?? "";
    assert.match(timer, /^Timeout \{/);
    assert.match(timer, timer.includes("kResourceStore") ? /kResourceStore\)\]: \[Cell\]/ : /_idleTimeout: 1/);
    assert.doesNotMatch(timer, /Modules|AbortController/);
  });

  it("takes a module's text: `export` in front of declarations, at their columns", async () => {
    assert.equal(await session.value("export const exported = 5;\nexport default function twice(x: number) { return 2 * x }\nexport class C {}\nexport type T = number;\nexport { C };\nconst t: T = twice(exported); t"), "10");
    assert.match((await session.run("export const e: string = 1")).reply.evalue ?? "", /:1:14 - /);
  });

  it("lets names begin with underscores", async () => {
    assert.equal(await session.value("let __one = 1, ____two = 2; __one"), "1");
    assert.equal(await session.value("const __one = 'now'; [__one.length, ____two]"), "[ 3, 2 ]");
    assert.equal(await session.value("declare global { interface Everywhere { e: number } }\nconst everywhere: Everywhere = { e: 1 }; everywhere.e"), "1");
  });

  it("shows no frames of the kernel's where it called and the cell did not", async () => {
    const ran = await session.run("const ring: { self?: object } = {}; ring.self = ring; ({ [Symbol.for('Jupyter.display')]: () => ({ 'application/json': ring }) })");
    assert.equal(ran.reply.ename, "TypeError");
    assert.deepEqual(traceback(ran).filter((line) => /^ {4}at /.test(line)), ["    at JSON.stringify (<anonymous>)"]);
  });
});
