import assert from "node:assert/strict";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { PATIENCE, Session } from "./session.js";

const plain = (text: unknown) => String(text).replace(/\x1b\[\d+m/g, "");

describe("TypeScript of today in a cell", () => {
  let session: Session;
  before(async () => {
    session = await Session.start();
  });
  after(() => session.end());

  const file = (path: string, text: string) => {
    mkdirSync(join(session.folder, path, ".."), { recursive: true });
    writeFileSync(join(session.folder, path), text);
  };
  const evalue = async (source: string) => {
    const { reply } = await session.run(source);
    assert.equal(reply.status, "error", source);
    return plain(reply.evalue);
  };

  it("has `using`, also across awaits", async () => {
    const ran = await session.run("using first = { [Symbol.dispose]() { console.log('first gone') } };\nawait using second = { async [Symbol.asyncDispose]() { await null; console.log('second gone') } };\nconsole.log('body'); 7");
    assert.equal(ran.stream("stdout"), "body\nsecond gone\nfirst gone\n");
    assert.equal(ran.text, "7");
    assert.equal(await session.value("typeof first"), "'object'");
  });

  it("has NoInfer, const type parameters, satisfies, accessors, standard decorators", async () => {
    assert.match(await evalue("function first<T extends string>(all: T[], one: NoInfer<T>) { return one }\nfirst(['a'], 'b')"), /not assignable/);
    assert.equal(await session.value("function keep<const T>(x: T) { return x } const kept: readonly ['a'] = keep(['a']); kept satisfies readonly string[]; kept"), "[ 'a' ]");
    assert.equal(await session.value("const names: unknown[] = []; function logged(_: Function, context: ClassMethodDecoratorContext) { names.push(context.kind) } class D { @logged hi() {} accessor v = 1 } new D().v = 5; names"), "[ 'method' ]");
    assert.equal(await session.value("const odd = [1, null, 2].filter(x => x !== null); odd.map(x => x + 1)"), "[ 2, 3 ]");
  });

  it("has the library that this Node has, and refuses the rest by name", async () => {
    assert.equal(await session.value("[[3, 1].toSorted(), [1, 2].findLast(x => x > 0), [1].with(0, 5), 'a'.isWellFormed()]"), "[ [ 1, 3 ], 2, [ 5 ], true ]");
    const features: [string, boolean][] = [
      ["Object.groupBy([1], () => 'a')", "groupBy" in Object],
      ["Promise.withResolvers<number>()", "withResolvers" in Promise],
      ["new Set([1]).union(new Set([2]))", "union" in Set.prototype],
      ["[1].values().map(x => x).toArray()", "Iterator" in globalThis],
      ["new Float16Array(1)", "Float16Array" in globalThis],
      ["Promise.try(() => 1)", "try" in Promise],
      ["new DisposableStack()", "DisposableStack" in globalThis],
      ["Error.isError(1)", "isError" in Error],
      ["Array.fromAsync([1])", "fromAsync" in Array],
      ["Temporal.Now.instant()", "Temporal" in globalThis],
      ["/[\\p{L}--[a-z]]/v.test('a')", "unicodeSets" in RegExp.prototype],
      ["JSON.rawJSON('1')", "rawJSON" in JSON],
      ["Iterator.concat([1], [2])", "concat" in ((globalThis as unknown as { Iterator?: object }).Iterator ?? {})],
      ["new ArrayBuffer(1, { maxByteLength: 2 }).resize(2)", "resize" in ArrayBuffer.prototype],
      ["new Intl.Locale('ar').getTextInfo().direction", "getTextInfo" in Intl.Locale.prototype],
    ];
    for (const [source, there] of features) {
      const { reply } = await session.run(source);
      assert.equal(reply.status, there ? "ok" : "error", `${source} on Node ${process.version}: ${reply.evalue}`);
      if (!there) assert.equal(reply.ename, "CompileError");
    }
  });

  it("has what Node shares with browsers, and not the rest of those", async () => {
    const bytes = "new Uint8Array([0, 97, 115, 109, 1, 0, 0, 0, 1, 5, 1, 96, 0, 1, 127, 3, 2, 1, 0, 7, 5, 1, 1, 102, 0, 0, 10, 6, 1, 4, 0, 65, 42, 11])";
    assert.equal(await session.value(`const { instance }: { instance: WebAssembly.Instance } = await WebAssembly.instantiate(${bytes}); instance.exports.f()`), "42");
    assert.equal(await session.value("const key: CryptoKey = await crypto.subtle.generateKey({ name: 'HMAC', hash: 'SHA-256' }, true, ['sign']); [key instanceof CryptoKey, crypto.subtle instanceof SubtleCrypto, performance instanceof Performance]"), "[ true, true, true ]");
    assert.equal((await session.run("document.title")).reply.ename, "CompileError");
  });

  it("imports files by every ending, JSON, what they import, and what awaits", async () => {
    file("a.ts", "import { base } from './inner/base.ts'; export const q: number = base + 1; export type T = number; export default 'a';");
    file("inner/base.ts", "export const base = 3; export interface Unused { a: 1 }");
    file("m.mts", "export const m = await Promise.resolve('m');");
    file("uses-m.ts", "import { m } from './m.mts'; export const twice = m + m;");
    file("c.cts", "export = { c: 'c' };");
    file("view.tsx", "export const tag = <T,>(x: T) => x;");
    file("data.json", '{"k": 7}');
    assert.equal(await session.value('import a, { q, type T } from "./a.ts"; import { m } from "./m.mts"; import { twice } from "./uses-m"; const t: T = q; [a, t, m, twice]'), "[ 'a', 4, 'm', 'mm' ]");
    assert.equal(await session.value('import j from "./data.json" with { type: "json" }; import c from "./c.cts"; import { tag } from "./view.tsx"; [j.k, c.c, tag(1)]'), "[ 7, 'c', 1 ]");
    assert.equal(await session.value('import "./a.ts"; import "./a"; (await import("./inner/base.ts")).base + q'), "7");
    assert.match(await evalue("j.nothing"), /Property 'nothing' does not exist/);
    file("data.json", '{"k": 8}');
    assert.equal(await session.value('import j2 from "./data.json" with { type: "json" }; j2.k'), "8");
    assert.match(await evalue('import x from "./gone.ts"'), /Cannot find module '\.\/gone\.ts'/);
    file("bad.json", "{ nope");
    assert.match(await evalue('import bad from "./bad.json" with { type: "json" }'), /bad\.json|expected/i);
  });

  it("sees a module that changed", async () => {
    file("changing.ts", "export const scale = (x: number) => x * 2;");
    assert.equal(await session.value("import { scale } from './changing.ts'; scale(4)"), "8");
    file("changing.ts", "export const scale = (x: string) => x + '!';");
    assert.equal(await session.value("import { scale } from './changing.ts'; scale('a')"), "'a!'");
  });

  it("knows types of packages as they are written today", async () => {
    file("node_modules/typed/package.json", JSON.stringify({ name: "typed", version: "1.0.0", main: "i.js", types: "i.d.ts" }));
    file("node_modules/typed/i.js", "exports.bytes = () => new Uint8Array(2); exports.infer = (a) => a; exports.each = () => [1].values();");
    file("node_modules/typed/i.d.ts", "export declare function bytes(): Uint8Array<ArrayBuffer>; export declare function infer<T>(a: T, b: NoInfer<T>): T; export declare function each(): IteratorObject<number, undefined, unknown>;");
    assert.equal(await session.value('import { bytes, infer, each } from "typed"; bytes().buffer.byteLength'), "2");
    assert.match(await evalue("bytes().nothing"), /Property 'nothing' does not exist on type 'Uint8Array<ArrayBuffer>'/);
    assert.match(await evalue("infer('a', 5)"), /not assignable/);
    assert.match(await evalue("each().nothing"), /IteratorObject<number/);
  });

  it("has the types of every module of Node's, rare ones too", async () => {
    const other = await Session.start();
    try {
      assert.match((await other.run("import { Session } from 'node:inspector'; new Session().nothing")).reply.evalue ?? "", /Property 'nothing' does not exist on type 'Session'/);
      assert.equal(await other.value("import http2 from 'http2'; const h: typeof http2.constants.NGHTTP2_NO_ERROR = 0; h"), "0");
      assert.ok((await other.client.complete('import x from "node:', undefined, { timeout: PATIENCE })).matches.includes("node:dgram"));
    } finally {
      await other.end();
    }
  });

  it("finds packages through NODE_PATH, with their types", async () => {
    const base = join(session.folder, "shared-packages");
    file("shared-packages/elsewhere/package.json", JSON.stringify({ name: "elsewhere", version: "1.0.0", main: "i.js", types: "i.d.ts" }));
    file("shared-packages/elsewhere/i.js", "exports.v = 5;");
    file("shared-packages/elsewhere/i.d.ts", "export declare const v: number;");
    const other = await Session.start({ env: { NODE_PATH: base } });
    try {
      assert.equal(await other.value("import { v } from 'elsewhere'; [v, require('elsewhere').v, (await import('elsewhere')).v]"), "[ 5, 5, 5 ]");
      assert.match((await other.run("v.nothing")).reply.evalue ?? "", /does not exist on type 'number'/);
    } finally {
      await other.end();
    }
  });

  it("shows an error by the cell's own text and position", async () => {
    assert.equal(await evalue("await 1;\nx = 5 +* 2"), "Cell [1]:2:8 - Expression expected. (TS1109)".replace("[1]", `[${(await session.run("0")).reply.execution_count - 1}]`));
    const { reply } = await session.run("const wide = 'a\u2028b';\nconst wrong: number = 'x\u2028y';");
    assert.match(plain(reply.evalue), /:2:7 - Type 'string' is not assignable/);
    assert.equal(await session.value("'a\u2028b\u2029c'.length"), "5");
    for (const source of ["throw", "class {", "for (;;", "`${", "/* ", "}", "\u0000", "await", "export {", "import", "@", "#x", "5 = 6", "const", "return 5"]) {
      const ran = await session.run(source);
      assert.equal(ran.reply.ename, "CompileError", JSON.stringify(source));
      assert.doesNotMatch(JSON.stringify(ran.reply), /__cell|__published|__tslab/, source);
    }
    assert.equal(await session.value("1"), "1");
  });

  it("takes a cell that is an object for one", async () => {
    assert.equal(await session.value("{ loss: 0.5, step: 3 }"), "{ loss: 0.5, step: 3 }");
    assert.equal(await session.value("\n{ a: [1], ...{ b: 2 } }\n"), "{ a: [ 1 ], b: 2 }");
    assert.equal(await session.value("{ const inside = 1; inside }"), undefined);
    assert.match(await evalue("{ a: nothing }"), /:1:6 - Cannot find name 'nothing'/);
  });

  it("shows functions by no name of the kernel's, and as their own text", async () => {
    assert.equal(await session.value("(x: number) => x"), "[Function (anonymous)]");
    assert.equal(await session.value("const fn = async () => { await null; return 5 }; /__cell__/.test(fn.toString())"), "false");
    assert.equal(await session.value("await new Function(`return (${fn})()`)()"), "5");
    const worker = "const { Worker } = require('node:worker_threads'); const send = async (port: any) => { for await (const x of [1, Promise.resolve(2)]) { const { sep } = await import('node:path'); port.postMessage([x, sep]) } };\nawait new Promise(done => { const all: unknown[] = []; const w = new Worker(`(${send})(require('node:worker_threads').parentPort)`, { eval: true }); w.on('message', (m: unknown) => all.push(m)); w.on('exit', () => done(all)) })";
    assert.equal(await session.value(worker), "[ [ 1, '/' ], [ 2, '/' ] ]");
  });

  it("says of other kernels' commands what to write instead", async () => {
    assert.match(await evalue("%time 1+1"), /%time: this kernel has no magics; write console\.time/);
    assert.match(await evalue("%%bash\necho hi"), /%%bash: this kernel has no magics; .*execSync/);
    assert.match(await evalue("!npm ls"), /no shell commands; write console\.log\(require\("node:child_process"\)\.execSync\("npm ls"\)/);
    assert.match(await evalue("!ls"), /no shell commands/);
    assert.match(await evalue("const ok = 1\n%matplotlib inline"), /:2:1 - %matplotlib/);
    assert.match(await evalue("process?"), /Shift-Tab/);
    assert.match(await evalue("const ready = true;\n!ready && nothing()"), /Cannot find name 'nothing'/);
    assert.equal(await session.value("const modulo = 7\n% 4; modulo"), "3");
  });

  it("names an error by its class", async () => {
    const ename = async (source: string) => (await session.run(source)).reply.ename;
    assert.equal(await ename("class MyErr extends Error {}; throw new MyErr('m')"), "MyErr");
    assert.equal(await ename("throw new (class Deep extends TypeError {})('m')"), "Deep");
    assert.equal(await ename("throw Object.assign(new Error('q'), { name: 'Given' })"), "Given");
    assert.equal(await ename("throw new RangeError('r')"), "RangeError");
  });

  it("shows odd values as far as they can be", async () => {
    for (const source of ["new Proxy({}, { get() { throw new Error('trap') } })", "({ get [Symbol.toStringTag]() { throw 1 } })", "({ [Symbol.for('nodejs.util.inspect.custom')]() { throw new Error('own') } })", "new Proxy(function () {}, { get() { throw 2 }, getPrototypeOf() { throw 3 }, ownKeys() { throw 4 } })", "Object.create(null)", "({ get toHTML() { throw 5 } })"]) {
      const { reply, text } = await session.run(source);
      assert.equal(reply.status, "ok", source);
      assert.ok(text, source);
    }
  });

  it("tells cells apart that are not stored", async () => {
    const where = async () => plain((await session.run("nothing", { store_history: false })).reply.evalue).split(" - ")[0];
    assert.notEqual(await where(), await where());
  });
});

describe("a tsconfig.json beside the notebook", () => {
  const within = async (config: string, work: (session: Session) => Promise<void>) => {
    const session = await Session.start({}, { "tsconfig.json": config });
    try {
      await work(session);
    } finally {
      await session.end();
    }
  };

  it("sets strictness, decorators, paths and the library", async () => {
    const config = { compilerOptions: { strict: true, experimentalDecorators: true, paths: { "@own/*": ["./src/*"] }, lib: ["es2022"], target: "es5", outDir: "x" } };
    await within(JSON.stringify(config), async (session) => {
      mkdirSync(join(session.folder, "src"));
      writeFileSync(join(session.folder, "src/util.ts"), "export const own = 'mine';");
      const first = await session.run("function f(a) { return a }");
      assert.match(first.reply.evalue ?? "", /implicitly has an 'any' type/);
      assert.match(first.stream("stderr"), /^tsconfig\.json: target does not hold for cells/);
      assert.equal((await session.run("const n: number = null")).stream("stderr"), "", "said once");
      assert.equal(await session.value("import { own } from '@own/util'; own"), "'mine'");
      assert.equal(await session.value("const keys: string[] = []; function logged(_: object, key: string) { keys.push(key) } class D { @logged hi() {} } keys"), "[ 'hi' ]");
      assert.match((await session.run("[1].toSorted()")).reply.evalue ?? "", /toSorted/);
    });
  });

  it("that cannot be read is said, and cells run without it", async () => {
    await within("{ nope", async (session) => {
      const { reply, stream } = await session.run("const n: number = null; 1");
      assert.equal(reply.status, "ok");
      assert.match(stream("stderr"), /^tsconfig\.json: not used \(/);
    });
  });
});
