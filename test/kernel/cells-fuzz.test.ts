import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { Session } from "./session.js";

describe("any text as a cell ends in a result or a clear error, and the next cell runs", () => {
  let session: Session;
  before(async () => {
    session = await Session.start();
    await session.run("const kept = 41");
  });
  after(() => session.end());

  const survives = async (source: string, what = JSON.stringify(source.slice(0, 60))) => {
    const { reply } = await session.run(source);
    if (reply.status === "error") {
      assert.ok(reply.evalue && reply.evalue.length < 20_000, `${what}: ${reply.evalue?.length} characters`);
      assert.ok((reply.traceback ?? []).join("\n").length < 100_000, what);
      assert.doesNotMatch(`${reply.evalue}\n${reply.traceback?.join("\n")}`, /__cell|__published|__tslab|typescript\.js/, what);
    }
    assert.equal(await session.value("kept + 1"), "42", what);
    return reply;
  };

  it("mutated cells", { timeout: 300_000 }, async () => {
    const sources = ["const a = [1, 2].map(x => x * 2); a", "await Promise.resolve({ a: 1 })", "class C<T> { x!: T; get y() { return this.x } }", "for await (const x of [1]) { console.log(`${x}`) }", "import { join } from 'node:path'; join('a', 'b')", "type T = { [K in 'a' | 'b']?: K }; const t: T = { a: 'a' }; t", "try { throw 1 } catch (e) { e } finally { 2 }", "/[a-z]+/gu.exec('abc')?.[0]"];
    const pieces = ["(", ")", "{", "}", "[", "]", "`", "'", '"', "\\", "${", "/*", "*/", "//", "=>", "await ", "export ", "import ", "#", "@", "<", ">", "\0", "\u2028", "\ud800", "\u200d", "😀", "\r", "…", "%", "!", "?", "::", "=", "?.", "**", "yield ", "using ", "enum ", "namespace N {"];
    let state = 7;
    const next = (below: number) => (state = (Math.imul(state, 1103515245) + 12345) >>> 0) % below;
    for (let i = 0; i < 120; i++) {
      let source = sources[next(sources.length)] as string;
      for (let edits = 1 + next(3); edits > 0; edits--) {
        const at = next(source.length + 1);
        source = source.slice(0, at) + (next(3) > 0 ? (pieces[next(pieces.length)] as string) : "") + source.slice(at + next(4));
      }
      await survives(source);
    }
  });

  it("text that is deep, long, or an error everywhere", { timeout: 300_000 }, async () => {
    assert.equal((await survives("(".repeat(2e5) + ")".repeat(2e5), "brackets")).ename, "CompilerEnded");
    const errors = await survives("-".repeat(50_000) + "1", "minus");
    assert.equal(errors.ename, "CompileError");
    assert.match((errors.traceback ?? []).at(-1) ?? "", /^… \d+ more errors$/);
    assert.equal((await survives(`const long = "${"x".repeat(2e6)}"; long.length`, "long text")).status, "ok");
    await survives(`const words = nothing + "${"x".repeat(1e5)}"`, "an error in a long line");
  });

  it("a type that the compiler does not come to the end of is ended by an interrupt", { timeout: 300_000 }, async () => {
    const running = session.run(`${"({ a: ".repeat(2500)}1${"})".repeat(2500)}`);
    await new Promise((resolve) => setTimeout(resolve, 1500));
    await session.client.interrupt();
    const { reply } = await running;
    assert.equal(reply.status, "error");
    assert.match(reply.evalue ?? "", /interrupted|too deeply|stack/);
    assert.equal(await session.value("kept + 1"), "42");
  });

  it("names that objects and the kernel have", async () => {
    assert.equal(await session.value("const constructor = 1, toString = 2, hasOwnProperty = 3, __proto__ = 4, arguments1 = 5; [constructor, toString, hasOwnProperty, __proto__]"), "[ 1, 2, 3, 4 ]");
    assert.equal(await session.value("constructor + toString + hasOwnProperty + __proto__"), "10");
    for (const name of ["__cell__", "__cell1__", "__published__"]) assert.match((await session.run(`const ${name} = 1`)).reply.evalue ?? "", /The kernel reserves it/);
    assert.equal(await session.value("const ñandú = 1, 変数 = 2; ñandú + 変数"), "3");
    assert.equal(await session.value("ñandú + 変数"), "3");
    assert.equal(await session.value("#!/usr/bin/env node\n5"), "5");
  });
});
