import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { Session } from "./session.js";

describe("variables of a notebook", () => {
  let session: Session;
  before(async () => {
    session = await Session.start();
  });
  after(() => session.end());

  /** Runs cells one after the other and gives the last one's value. */
  const cells = async (...sources: string[]): Promise<string | undefined> => {
    for (const source of sources.slice(0, -1)) await session.value(source);
    return session.value(sources.at(-1) ?? "");
  };
  const refused = async (source: string) => {
    const { reply } = await session.run(source);
    assert.equal(reply.ename, "CompileError", source);
    return reply.evalue ?? "";
  };

  it("are one: functions of earlier cells see what later cells assign", async () => {
    assert.equal(await cells("let cy = 1; const get = () => cy", "cy = 2; get()"), "2");
    assert.equal(await cells("cy++; cy += 10; get()"), "13");
    assert.equal(await cells("let count = 0; function bump() { return ++count }", "bump(); count", "count = 40; bump(); bump(); count"), "42");
  });

  it("see what callbacks assign later", async () => {
    await session.run("let late = 'early'; setTimeout(() => { late = 'late' }, 20)");
    assert.equal(await cells("await new Promise(done => setTimeout(done, 100)); late"), "'late'");
  });

  it("are assigned in every way there is", async () => {
    await session.run("let a = 1, b = 2; var c = 3; let d: { x?: number } = {}");
    assert.equal(await cells("[a, b] = [b, a]; [a, b]"), "[ 2, 1 ]");
    assert.equal(await cells("({ a, b: b = 7, ...d } = { a: 9, x: 5 } as any); [a, b, d.x]"), "[ 9, 7, 5 ]");
    assert.equal(await cells("for (c of [4, 5]) {} for (a = 0; a < 3; a++) {} [a, c]"), "[ 3, 5 ]");
    assert.equal(await cells("let e: number | undefined", "e ??= 6; e ||= 1; e &&= e + 1; --e; e"), "6");
    assert.equal(await cells("const inner = () => { a = 50; return { a, b } }; inner().a + a"), "100");
    assert.equal(await cells("((a: string) => ({ a }))('own')"), "{ a: 'own' }");
  });

  it("that cannot change stay what they are", async () => {
    await session.run("const fixed = 1; function named() { return 1 } class Klass {} enum Color { Red, Green } import os from 'node:os'");
    for (const source of ["fixed = 2", "named = null", "Klass = null", "Color = null", "os = null"]) assert.match(await refused(source), /Cannot assign to/);
    assert.match(await refused("fixed++"), /because it is a constant/);
  });

  it("can be declared again: old functions and values keep theirs", async () => {
    await session.run("let again = 1; const show = () => again");
    assert.equal(await cells("const again = 'text'; again.length"), "4");
    assert.equal(await cells("show()"), "1");
    assert.equal(await cells("const again = again2(); function again2() { return [show()] } again"), "[ 1 ]");
  });

  it("keep the type they were made with when a class is declared again", async () => {
    await session.run("class P { x = 1 } const p = new P(); function make() { return new P() } type Pair = [P, P]; const pair: Pair = [p, p]");
    await session.run("class P { y = 2 } type Pair = string");
    assert.equal(await cells("p.x"), "1");
    assert.equal(await cells("make().x"), "1");
    assert.equal(await cells("const q = make(), r = pair[1]; q.x + r.x", "q.x + r.x + new P().y"), "4");
    assert.match(await refused("p.y"), /Property 'y' does not exist/);
    assert.match(await refused("const pp: P = p"), /Property 'y' is missing/);
    assert.equal(await cells("const text: Pair = 's'; text"), "'s'");
  });

  it("keep generics, unions and literal types over cells", async () => {
    await session.run("interface Node<T> { value: T; next?: Node<T> } type Mode = 'a' | 'b'; let mode: Mode = 'a'; const chain: Node<number> = { value: 1, next: { value: 2 } }");
    assert.match(await refused("mode = 'c'"), /not assignable/);
    assert.match(await refused("chain.next!.value.length"), /does not exist on type 'number'/);
    assert.equal(await cells("function pick<K extends Mode>(key: K): Record<K, 1> { return { [key]: 1 } as Record<K, 1> }", "pick('b').b"), "1");
    assert.match(await refused("pick('b').a"), /does not exist/);
  });

  it("last: namespaces, enums, `declare global`, `var` in a block, of every cell", async () => {
    await session.run("namespace Geo { export const area = () => 2; export namespace Deep { export type T = number } }");
    await session.run("const enum Fixed { A = 5, B } enum Level { Low, High = 'h' } abstract class Shape { abstract sides(): number }");
    await session.run("if (true) { var hidden = [1]; for (var index = 0; index < 3; index++) {} }");
    await session.run("declare global { interface Array<T> { second(): T } }\nArray.prototype.second = function () { return this[1] };");
    await session.run("1");
    assert.equal(await cells("const deep: Geo.Deep.T = Geo.area(); deep"), "2");
    assert.equal(await cells("Fixed.B + Level[0] + Level.High"), "'6Lowh'");
    assert.equal(await cells("new (class extends Shape { sides() { return 3 } })().sides()"), "3");
    assert.equal(await cells("hidden[0] + index"), "4");
    await session.run("for (var turns = 0; turns < 3; turns++); for (var [first, { at: second }] of [[1, { at: 'b' }]] as const); for (var key in { k: 1 }) {}\nfor await (var late of [7]) { var { inner, ...others } = { inner: 1, a: 2 } }");
    assert.equal(await cells("[turns.toFixed(1), first, second, key, late, inner, others.a].join()"), "'3.0,1,b,k,7,1,2'");
    assert.equal(await cells("[5, 6].second()"), "6");
  });

  it("are reached as types too, where a type has no name", async () => {
    await session.run("const fs = await import('node:fs'); const anonymous = (() => { class Local { z = 4 } return new Local() })(); const symbol = Symbol('s'); const keyed = { [symbol]: 7 }");
    assert.equal(await cells("typeof fs.readFileSync + typeof fs.promises.readFile"), "'functionfunction'");
    assert.equal(await cells("anonymous.z + keyed[symbol]"), "11");
  });

  it("are called without a `this`, as anywhere else", async () => {
    await session.run("let loose = function (this: unknown) { return this === undefined }; let tag = function (this: unknown, strings: TemplateStringsArray) { return [this === undefined, strings[0]] }");
    assert.equal(await cells("[loose(), loose?.(), new Function('f', 'return f()')(loose)]"), "[ true, true, true ]");
    assert.equal(await cells("tag`x`"), "[ true, 'x' ]");
  });

  it("have their own names in errors", async () => {
    await session.run("const ob: any = {}; let changing: any = {}; let list: any = 5");
    const evalue = async (source: string) => (await session.run(source)).reply.evalue;
    assert.equal(await evalue("ob.foo()"), "ob.foo is not a function");
    assert.equal(await evalue("changing.foo()"), "changing.foo is not a function");
    assert.equal(await evalue("changing()"), "changing is not a function");
    assert.equal(await evalue("[...list]"), "list is not iterable");
    assert.equal(await evalue("new list()"), "list is not a constructor");
  });

  it("of a cell that threw hold as far as it came, and older ones where it did not", async () => {
    await session.run("let older = 'old'; var hoisted = 'old'; class Kept { v = 1 }");
    const { reply } = await session.run("const first = 1, { x, y: [z] } = { x: 2, y: [3] };\ntype T = { k: number };\nfunction helper() { return first + 1 }\nif (first) throw new Error('stop');\nconst older = 'new'; var hoisted = 'new'; class Kept { v = 2 } const unreached = 2; import path from 'node:path';");
    assert.equal(reply.ename, "Error");
    assert.equal(await cells("const typed: T = { k: helper() }; [first, x, z, typed.k, older, hoisted, new Kept().v].join()"), "'1,2,3,2,old,old,1'");
    assert.match(await refused("unreached"), /Cannot find name 'unreached'/);
  });

  it("start anew where they are declared without a value", async () => {
    assert.equal(await cells("let blank: number = 3", "let blank: number; blank === undefined"), "true");
  });

  it("may have the names that a CommonJS module has, which are there otherwise", async () => {
    assert.equal(await cells("[__dirname === process.cwd(), typeof __filename, typeof module, typeof exports, typeof require]"), "[ true, 'string', 'object', 'object', 'function' ]");
    await session.run("import { createRequire } from 'node:module'; const require = createRequire(import.meta.url), module = 5, exports = 6, __dirname = 'mine'");
    assert.equal(await cells("import { sep } from 'node:path'; [typeof require('node:fs'), module, exports, __dirname, sep.length]"), "[ 'object', 5, 6, 'mine', 1 ]");
  });

  it("hide what is preloaded, and what is global", async () => {
    assert.equal(await cells("const sdtp = 1, process2 = process.pid, name = 'n', status = 4, fetch = () => 's'", "[sdtp, name, status, fetch()]"), "[ 1, 'n', 4, 's' ]");
    await session.run("delete (globalThis as any).nothing");
  });

  it("let go of what no name leads to", async () => {
    const memory = async () => Number(await session.value("globalThis.gc?.(); process.memoryUsage().arrayBuffers"));
    await session.run("require('node:v8').setFlagsFromString('--expose-gc'); globalThis.gc = require('node:vm').runInNewContext('gc')");
    const before = await memory();
    for (let i = 0; i < 12; i++) await session.value("const large = new Uint8Array(20e6).fill(1); large.length");
    const held = (await memory()) - before;
    assert.ok(held < 100e6, `${held} bytes of 12 x 20e6 are still held`);
  });

  it("work in JSX, decorators, heritage, template tags and default values of later cells", async () => {
    await session.run("let factory = (tag: unknown, props: unknown, ...children: unknown[]) => ({ tag, props, children }); const React = { createElement: factory, Fragment: 'f' }; namespace JSX { export type Element = any }");
    assert.equal(await cells("// @ts-nocheck\n<p id='a'>{1}</p>"), "{ tag: 'p', props: { id: 'a' }, children: [ 1 ] }");
    await session.run("let Base = class { b = 1 }; let mark = (_: unknown, context: ClassMethodDecoratorContext) => { seen.push(String(context.name)) }; const seen: string[] = []; let standard = 4");
    assert.equal(await cells("class Sub extends Base { @mark run(x = standard) { return x + this.b } } [new Sub().run(), seen]"), "[ 5, [ 'run' ] ]");
  });
});
