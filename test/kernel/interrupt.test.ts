import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { Session } from "./session.js";

describe("interrupt", () => {
  let session: Session;
  before(async () => {
    session = await Session.start();
    await session.run("let kept = 41; const sleep = (ms: number) => new Promise(done => setTimeout(done, ms));");
  });
  after(() => session.end());

  const stops = async (code: string, delay = 50) => {
    const { reply, ms } = await session.interrupted(code, { delay });
    assert.equal(reply.status, "error");
    assert.equal(reply.ename, "KeyboardInterrupt");
    assert.equal(await session.value("kept + 1"), "42");
    return ms;
  };

  it("stops an endless loop", async () => {
    await stops("console.log('started'); while (true) {}");
  });

  it("stops a loop that catches everything", async () => {
    await stops("console.log('started'); while (true) { try { while (true) {} } catch {} }");
  });

  it("stops a promise that never resolves", async () => {
    await stops("console.log('started'); await new Promise(() => {})");
  });

  it("stops an endless loop after an await", async () => {
    await stops("console.log('started'); await sleep(1); while (true) {}");
  });

  it("stops a flood of microtasks", async () => {
    await stops("console.log('started'); (function flood() { Promise.resolve().then(flood); })(); await new Promise(() => {})");
  });

  it("stops floods of microtasks wherever they are, in Node's own functions too", { timeout: 120_000 }, async () => {
    for (let i = 0; i < 16; i++) {
      await stops(i % 2 ? "console.log('started'); for (;;) await null" : "console.log('started'); (function flood() { Promise.resolve().then(flood); })(); await new Promise(() => {})", 5 + 7 * i);
    }
  });

  it("stops an endless loop in a timer that a cell waits for", async () => {
    await stops("console.log('started'); await new Promise(() => setTimeout(() => { while (true) {} }, 1))");
  });

  it("stops an endless loop in a timer that a finished cell left behind", async () => {
    const { reply } = await session.run("setTimeout(() => { while (true) {} }, 1); 'left'");
    assert.equal(reply.status, "ok");
    await new Promise((resolve) => setTimeout(resolve, 300));
    const next = session.value("kept");
    await session.client.interrupt();
    // The interrupt may hit the waiting cell as well: then it runs when asked again.
    assert.equal(await next.catch(() => session.value("kept")), "41");
  });

  it("stops waiting on shared memory", async () => {
    await stops("console.log('started'); Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0)");
  });

  it("stops a regular expression that backtracks", async () => {
    await stops("console.log('started'); /^(a+)+$/.test('a'.repeat(60) + 'b')");
  });

  it("ends an awaiting loop: it does not run on in the background", async () => {
    await session.run("let turns = 0");
    await stops("console.log('started'); for (;;) { await sleep(5); turns++; }");
    const first = await session.value("turns");
    await session.value("await sleep(200)");
    assert.equal(await session.value("turns"), first);
  });

  it("ends an awaiting loop that catches everything", async () => {
    await session.run("turns = 0");
    await stops("console.log('started'); for (;;) { try { await sleep(5); turns++; } catch {} }");
    const first = await session.value("turns");
    await session.value("await sleep(200)");
    assert.equal(await session.value("turns"), first);
  });

  it("ends a loop inside an async function of an earlier cell", async () => {
    await session.run("turns = 0; async function spin() { for (;;) { await sleep(5); turns++; } }");
    await stops("console.log('started'); await spin()");
    const first = await session.value("turns");
    await session.value("await sleep(200)");
    assert.equal(await session.value("turns"), first);
  });

  it("lets a generator clean up when `for await` is interrupted", async () => {
    await session.run("let cleaned = 0; async function* numbers() { try { for (let i = 0; ; i++) { await sleep(5); yield i; } } finally { cleaned++; } }");
    await stops("console.log('started'); for await (const n of numbers()) {}");
    await session.value("await sleep(200)");
    assert.equal(await session.value("cleaned"), "1");
  });

  it("reaches processes that a cell started", async () => {
    await stops("console.log('started'); require('node:child_process').execSync('sleep 100')", 300);
  });

  it("keeps what was declared before it", async () => {
    await stops("const before = 7; console.log('started'); await new Promise(() => {}); const behind = 8");
    assert.equal(await session.value("before"), "7");
    assert.equal((await session.run("behind")).reply.ename, "CompileError");
  });

  it("stops a value that takes long to show", async () => {
    for (let i = 0; i < 3; i++) await stops("console.log('started'); ({ [Symbol.for('nodejs.util.inspect.custom')]() { const end = Date.now() + 20_000; while (Date.now() < end); return 'done' } })", 100 + 200 * i);
    await stops("console.log('started'); ({ [Symbol.for('Jupyter.display')]: async () => { await null; for (;;); } })", 100);
  });

  it("is that of its own cell: one that ends by itself meanwhile leaves the next alone", async () => {
    for (let i = 0; i < 5; i++) {
      const { reply } = await session.interrupted("console.log('started'); const until = Date.now() + 30; while (Date.now() < until); 1", { delay: 20 + 5 * i });
      assert.ok(reply.status === "ok" || reply.ename === "KeyboardInterrupt", reply.ename);
      assert.equal(await session.value("kept"), "41");
    }
  });

  it("lets a cell that cleans up do so, and tells of what was thrown", async () => {
    const { reply, stream } = await session.interrupted("console.log('started'); try { await new Promise(() => {}) } finally { console.log('cleaned'); await sleep(1); console.log('twice') }");
    assert.equal(reply.ename, "KeyboardInterrupt");
    await session.value("await sleep(50)");
    assert.match(stream("stdout"), /started\n/);
  });

  it("does nothing where nothing runs", async () => {
    await session.client.interrupt();
    assert.equal(await session.value("kept"), "41");
  });

  it("gives the prompt back in native code, shows nothing of it afterwards, and keeps variables if it returns in time", async () => {
    const other = await Session.start();
    try {
      await other.run("const mine = 1");
      const stopped = await other.interrupted("console.log('started'); require('node:crypto').pbkdf2Sync('a', 'b', 1_500_000, 64, 'sha512').length", { delay: 100 });
      assert.equal(stopped.reply.ename, "KeyboardInterrupt");
      const shown = stopped.messages.length;
      const next = await other.run("mine");
      assert.equal(stopped.messages.length, shown, "nothing comes behind the end of a cell");
      assert.equal(stopped.text, undefined);
      // On a machine that is busy with something else, it may not return in time.
      if (!/all variables are gone/.test(next.stream("stderr"))) assert.equal(next.text, "1");
    } finally {
      await other.end();
    }
  });

  it("ends the process where native code does not return, and says so", { timeout: 120_000 }, async () => {
    const other = await Session.start();
    try {
      await other.run("const mine = 1");
      const stopped = await other.interrupted("console.log('started'); require('node:crypto').pbkdf2Sync('a', 'b', 2e9, 64, 'sha512')", { delay: 100 });
      assert.equal(stopped.reply.ename, "KeyboardInterrupt");
      assert.match((stopped.reply.traceback ?? []).join("\n"), /native code.*9 s its process is ended/s);
      const next = await other.run("1 + 1");
      assert.equal(next.text, "2");
      assert.match(next.stream("stderr"), /did not stop within 9 s .*all variables are gone/);
      assert.equal((await other.run("mine")).reply.ename, "CompileError");
    } finally {
      await other.end();
    }
  });

  it("comes as an abort to whoever listens to the cell's signal", async () => {
    await session.run("let aborted = ''");
    await stops(
      "const { signal } = (globalThis as any)[Symbol.for('sdtp.notebook')]; signal.addEventListener('abort', () => { aborted = signal.reason.name; }); console.log('started'); await new Promise(() => {})",
    );
    assert.equal(await session.value("aborted"), "'KeyboardInterrupt'");
  });
});

it("a signal while what is preloaded loads leaves it whole", { skip: process.platform === "win32" }, async () => {
  const session = await Session.start();
  try {
    // In the middle of loading, a signal, and time for it to end what runs.
    const hook = `
      const { default: Module } = await import('node:module');
      const { _extensions: ways } = Module as unknown as { _extensions: Record<string, (...all: unknown[]) => unknown> };
      const load = ways['.js']!;
      let files = 0;
      ways['.js'] = function (this: unknown, ...all: unknown[]) {
        if (++files === 1) { process.kill(process.pid, 'SIGINT'); for (const end = Date.now() + 500; Date.now() < end;); }
        return load.apply(this, all);
      };`;
    assert.equal((await session.run(hook)).reply.status, "ok");
    await session.run("dfd.DataFrame");
    assert.equal(await session.value("files > 0"), "true", "the signal came");
    assert.equal(await session.value("new dfd.DataFrame({ a: [1, 2] }).shape.join()"), "'2,1'");
  } finally {
    await session.end();
  }
});
