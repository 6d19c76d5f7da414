import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { Session } from "./session.js";

describe("standard input of a cell", () => {
  let session: Session;
  before(async () => {
    session = await Session.start();
  });
  after(() => session.end());

  /** Runs a cell and answers what it asks, in order. */
  const answered = async (code: string, ...answers: string[]) => {
    const asked: string[] = [];
    const ran = await session.run(code, {
      onInput: ({ prompt }) => {
        asked.push(prompt);
        return answers[asked.length - 1] ?? "one answer too many";
      },
    });
    return { ...ran, asked };
  };

  it("asks the questions of readline's promises, and no more", async () => {
    const { text, asked } = await answered("import readline from 'node:readline/promises';\nconst rl = readline.createInterface({ input: process.stdin, output: process.stdout });\nconst first = await rl.question('n? '), second = await rl.question('m? ');\nrl.close(); [first, second]", "one", "two");
    assert.equal(text, "[ 'one', 'two' ]");
    assert.deepEqual(asked, ["n? ", "m? "]);
  });

  it("asks the questions of readline's callbacks", async () => {
    const { text, asked } = await answered("await new Promise(done => { const r = require('readline').createInterface({ input: process.stdin }); r.question('n? ', (x: string) => { r.close(); done(x) }) })", "called");
    assert.equal(text, "'called'");
    assert.deepEqual(asked, ["n? "]);
  });

  it("asks for lines, with what was printed in front of them", async () => {
    const first = await answered("process.stdout.write('name: '); for await (const line of process.stdin) { console.log(String(line)); break }", "me");
    assert.deepEqual(first.asked, ["name: "]);
    assert.match(first.stream("stdout"), /me/);
    const lines = await answered("const reader = require('readline').createInterface({ input: process.stdin }); const all: string[] = []; for await (const line of reader) { all.push(line); if (all.length === 2) break } all", "a", "b");
    assert.equal(lines.text, "[ 'a', 'b' ]");
    const once = await answered("String(await new Promise(done => process.stdin.once('data', done)))", "c");
    assert.equal(once.text, "'c\\n'");
  });

  it("fails at once where the client cannot ask", async () => {
    for (const code of ["await rl2.question('n? ')", "require('readline').createInterface({ input: process.stdin }).question('n? ', () => {}); await new Promise(() => {})", "for await (const line of process.stdin) {}", "await new Promise(done => process.stdin.once('data', done))"]) {
      const { reply } = await session.run(`const rl2 = require('readline/promises').createInterface({ input: process.stdin });\n${code}`);
      assert.match(reply.evalue ?? "", /this client cannot ask/, code);
    }
    assert.equal(await session.value("require('fs').readFileSync(0, 'utf8')"), "''");
  });
});

describe("what a cell prints", () => {
  let session: Session;
  before(async () => {
    session = await Session.start();
  });
  after(() => session.end());

  it("comes whole and in order, however much", async () => {
    const ran = await session.run("for (let i = 0; i < 200000; i++) i % 1000 ? console.log(i) : console.error(i)");
    const lines = (name: "stdout" | "stderr") => ran.stream(name).trimEnd().split("\n").map(Number);
    assert.deepEqual(lines("stderr"), Array.from({ length: 200 }, (_, i) => i * 1000));
    assert.deepEqual(lines("stdout"), Array.from({ length: 200_000 }, (_, i) => i).filter((i) => i % 1000));
  });

  it("is seen while the cell goes on without printing more", async () => {
    let seen = "";
    const running = session.run("for (let i = 0; i < 5000; i++) console.log(i); for (;;);", { onOutput: ({ content }) => void (seen += String(content.text ?? "")) });
    const deadline = Date.now() + 30_000;
    while (!seen.includes("4999") && Date.now() < deadline) await new Promise((resolve) => setTimeout(resolve, 20));
    assert.ok(seen.includes("\n4999\n"));
    await session.client.interrupt();
    assert.equal((await running).reply.ename, "KeyboardInterrupt");
  });

  it("is seen where the process ends at once, and keeps its characters", async () => {
    const ran = await session.run("for (let i = 0; i < 3000; i++) console.log('😀 ü', i); process.exit(1)");
    assert.equal(ran.reply.ename, "ProcessExit");
    assert.equal(ran.stream("stdout").split("\n").at(-2), "😀 ü 2999");
    assert.doesNotMatch(ran.stream("stderr"), /debugger/);
    const aborted = await session.run("for (let i = 0; i < 3000; i++) console.log(i); process.abort()");
    assert.equal(aborted.stream("stdout").split("\n").at(-2), "2999");
  });

  it("ends in one sentence where memory runs out", async () => {
    const other = await Session.start({ env: { NODE_OPTIONS: "--max-old-space-size=200" } });
    try {
      const ran = await other.run("const hoard: number[][] = []; for (;;) hoard.push(new Array(100_000).fill(1))");
      assert.equal(ran.reply.ename, "OutOfMemory");
      assert.doesNotMatch(ran.stream("stderr"), /native stack|GCs|FATAL/i);
    } finally {
      await other.end();
    }
  });

  it("shows elements of a page, Blobs of images and bytes as what they are", async () => {
    assert.equal((await session.run("({ nodeType: 1, localName: 'svg', outerHTML: '<svg width=\"9\"></svg>' })")).data["image/svg+xml"], '<svg xmlns="http://www.w3.org/2000/svg" width="9"></svg>');
    assert.equal((await session.run("({ nodeType: 1, localName: 'p', outerHTML: '<p>x</p>' })")).data["text/html"], "<p>x</p>");
    const png = "const png = Uint8Array.from(Buffer.from('iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==', 'base64'));";
    const base64 = (data: unknown) => String((data as Record<string, unknown>)["image/png"]).slice(0, 11);
    assert.equal(base64((await session.run(`${png} new Blob([png], { type: 'image/png' })`)).data), "iVBORw0KGgo");
    for (const source of ["display.image(png)", "display.image(png.buffer)", "display.image(new Blob([png]))"]) {
      const ran = await session.run(source);
      assert.equal(base64(ran.contents("display_data")[0]?.data), "iVBORw0KGgo", source);
    }
    assert.deepEqual(Object.keys((await session.run("display({ 'text/x': 'a' }, { raw: true })")).contents("display_data")[0]?.data ?? {}), ["text/x"]);
  });
});
