import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { PATIENCE, root, Session } from "./session.js";

describe("execution process", () => {
  let session: Session;
  before(async () => {
    session = await Session.start({ env: { NODE_OPTIONS: "--max-old-space-size=256" } });
  });
  after(() => session.end());

  const loses = async (code: string, ename: string, evalue: RegExp) => {
    await session.run("const mine = 1");
    const ran = await session.run(code);
    assert.equal(ran.reply.status, "error");
    assert.equal(ran.reply.ename, ename);
    assert.match(ran.reply.evalue ?? "", evalue);
    assert.match(ran.stream("stderr"), /all variables are gone/);
    assert.equal((await session.run("mine")).reply.ename, "CompileError");
    assert.equal(await session.value("1 + 1"), "2");
    return ran;
  };

  it("a cell that exits takes only the process, and its last output is seen", async () => {
    const ran = await loses("console.log('last words'); process.exit(3)", "ProcessExit", /exit code 3/);
    assert.equal(ran.stream("stdout"), "last words\n");
  });

  it("a crash in native code", async () => {
    await loses("process.kill(process.pid, 'SIGSEGV'); await new Promise(() => {})", "ProcessCrashed", /SIGSEGV/);
    await loses("process.abort()", "ProcessCrashed", /SIGABRT/);
  });

  it("a kill from outside", async () => {
    await loses("process.kill(process.pid, 'SIGKILL'); await new Promise(() => {})", "ProcessKilled", /SIGKILL/);
  });

  it("a write into the pipe to the kernel", async () => {
    await loses("require('node:fs').writeSync(3, 'no message'); await new Promise(() => {})", "ProcessKilled", /wrote to its file descriptor 3/);
  });

  it("running out of memory", async () => {
    await loses("const hoard: number[][] = []; for (;;) hoard.push(new Array(100_000).fill(1))", "OutOfMemory", /out of JavaScript heap/);
  });

  it("a cell cannot cut itself off from the kernel", async () => {
    assert.equal(await session.value("const kept = 1; process.removeAllListeners(); process.removeAllListeners('SIGINT'); process.disconnect?.(); typeof process.send"), "'undefined'");
    const stopped = await session.interrupted("console.log('started'); await new Promise(() => {})");
    assert.equal(stopped.reply.ename, "KeyboardInterrupt");
    assert.equal(await session.value("kept"), "1");
  });

  it("an end between two cells is noticed", async () => {
    await session.run("const mine = 1; setTimeout(() => process.exit(1), 50)");
    await new Promise((resolve) => setTimeout(resolve, 1000));
    assert.equal((await session.run("mine")).reply.ename, "CompileError");
    assert.equal(await session.value("2 + 2"), "4");
  });

  it("a restart forgets everything and keeps the ports", async () => {
    await session.run("const before = 1");
    await session.kernel.restart({ timeout: PATIENCE });
    const ran = await session.run("before");
    assert.equal(ran.reply.ename, "CompileError");
    assert.equal(ran.reply.execution_count, 1);
  });

  it("ends with the kernel, and so does what a cell started", async () => {
    const other = await Session.start();
    const pids = await other.value("const { spawn } = require('node:child_process'); `${process.pid} ${spawn('sleep', ['1000']).pid}`");
    const [child, sleeper] = (pids ?? "").replaceAll("'", "").split(" ").map(Number);
    await other.end();
    await new Promise((resolve) => setTimeout(resolve, 300));
    for (const pid of [child, sleeper]) assert.equal(isAlive(pid as number), false);
  });

  it("ends where the kernel is killed while a cell computes", async () => {
    const other = await Session.start();
    const pid = Number(await other.value("process.pid"));
    const running = other.run("while (true) {}").catch((error: Error) => error.name);
    await new Promise((resolve) => setTimeout(resolve, 500));
    await other.kernel.kill();
    assert.equal(await running, "KernelDied");
    await new Promise((resolve) => setTimeout(resolve, 500));
    assert.equal(isAlive(pid), false);
  });

  it("an interrupt while it starts does not end it", async () => {
    const other = await Session.start();
    try {
      // A process that has just started anew, and cells that wait for it.
      const killed = other.run("process.kill(process.pid, 'SIGKILL'); await new Promise(() => {})");
      assert.equal((await killed).reply.ename, "ProcessKilled");
      for (let i = 0; i < 20; i++) await other.client.interrupt({ timeout: PATIENCE });
      assert.equal(await other.value("1 + 1"), "2");
      await other.run("process.exit(0)");
      const waiting = other.run("1 + 1", { stop_on_error: false });
      await other.client.interrupt({ timeout: PATIENCE });
      const { reply, text } = await waiting;
      assert.ok(text === "2" || reply.ename === "KeyboardInterrupt", reply.ename);
      assert.equal(await other.value("2 + 2"), "4");
    } finally {
      await other.end();
    }
  });

  it("one that cannot start is said, and the next cell tries again", async () => {
    const folder = mkdtempSync(join(tmpdir(), "sdtp-required-"));
    const required = join(folder, "required.cjs");
    writeFileSync(required, "");
    const other = await Session.start({ env: { NODE_OPTIONS: `--require ${required}` } });
    try {
      assert.equal(await other.value("1"), "1", "the first process has read the file");
      writeFileSync(required, "throw new Error('not today')");
      assert.equal((await other.run("process.exit(0)")).reply.ename, "ProcessExit");
      const { reply } = await other.run("1");
      assert.equal(reply.ename, "ProcessNotStarted");
      assert.match((reply.traceback ?? []).join("\n"), /ended while it started \(exit code 1\)[^]*Error: not today/);
      writeFileSync(required, "");
      assert.equal(await other.value("2"), "2");
    } finally {
      await other.end();
      rmSync(folder, { recursive: true });
    }
  });

  it("a compiler that ends is said, and another knows what was declared", async () => {
    const folder = mkdtempSync(join(tmpdir(), "sdtp-required-"));
    const required = join(folder, "required.cjs");
    // Ends the thread that compiles a cell which asks for it.
    const script = "const { parentPort: port } = require('node:worker_threads'); const on = port?.on; if (port) port.on = (event, listener) => on.call(port, event, (message) => String(message?.args?.[0]).includes('end it') ? process.exit(9) : listener(message));";
    writeFileSync(required, script);
    // A cache folder without the compiler's snapshot, which would make it a process.
    const other = await Session.start({ env: { NODE_OPTIONS: `--require ${required}`, SDTP_CACHE: folder } });
    try {
      await other.run("interface Point { x: number }\nconst point: Point = { x: 5 };\ntypeof sdtp");
      const ran = await other.run("1 // end it");
      assert.equal(ran.reply.ename, "CompilerEnded");
      assert.match(String(ran.contents("error")[0]?.evalue), /the compiler ended \(exit code 9\); variables are kept/);
      assert.equal(await other.value("const next: Point = point; [next.x, typeof sdtp.load]"), "[ 5, 'function' ]");
      assert.equal((await other.client.request("shell", "complete_request", { code: "end it", cursor_pos: 6 }, { timeout: PATIENCE })).content.ename, "CompilerEnded");
      assert.deepEqual((await other.client.complete("point.", undefined, { timeout: PATIENCE })).matches, ["x"]);
    } finally {
      await other.end();
      rmSync(folder, { recursive: true });
    }
  });

  it("two notebooks do not disturb each other", async () => {
    const other = await Session.start();
    try {
      await session.run("const shared = 'mine'");
      await other.run("const shared = 'yours'");
      const stuck = session.run("while (true) {}");
      assert.equal(await other.value("shared"), "'yours'");
      await session.client.interrupt({ timeout: PATIENCE });
      assert.equal((await stuck).reply.ename, "KeyboardInterrupt");
      assert.equal(await session.value("shared"), "'mine'");
    } finally {
      await other.end();
    }
  });

  it("an inference that is interrupted gives the prompt back, keeps variables, and the next one works", async () => {
    const other = await Session.start({ env: { SDTP_PRELOAD: "display" } });
    try {
      assert.equal((await other.run("display(1)")).reply.status, "ok");
      for (const name of ["sdtp", "dfd"]) assert.equal((await other.run(name)).reply.ename, "CompileError", name);
      await other.run(longModel);
      assert.equal(await other.value("await infer(1)"), "256");
      const waits: number[] = [];
      // Once more where the machine was busy with something else.
      while (waits.length < 3 && !waits.some((ms) => ms < 1000)) {
        const stopped = await other.interrupted("console.log('started'); await infer(60)", { delay: 200 });
        assert.equal(stopped.reply.ename, "KeyboardInterrupt");
        waits.push(stopped.ms);
        assert.equal(await other.value("await infer(1)"), "256");
      }
      assert.ok(waits.some((ms) => ms < 1000), `${waits.join(", ")} ms`);
    } finally {
      await other.end();
    }
  });
});

/** A process that ended but that nobody has waited for counts as gone. */
function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return !(process.platform === "linux" && / Z /.test(readFileSync(`/proc/${pid}/stat`, "utf8")));
  } catch {
    return false;
  }
}

/** A Loop that multiplies matrices as often as asked, in one native call. */
const longModel = `
import * as ort from "onnxruntime-node";
import * as onnx from "onnx-buf";
import { create, toBinary } from "${root}/node_modules/@bufbuild/protobuf/dist/cjs/index.js";
const value = (name: string, elemType: number, dims: number[]) => create(onnx.ValueInfoProtoSchema, { name, type: create(onnx.TypeProtoSchema, { value: { case: "tensorType", value: create(onnx.TypeProto_TensorSchema, { elemType, shape: create(onnx.TensorShapeProtoSchema, { dim: dims.map(d => create(onnx.TensorShapeProto_DimensionSchema, { value: { case: "dimValue", value: BigInt(d) } })) }) }) } }) });
const node = (opType: string, input: string[], output: string[], attribute: any[] = []) => create(onnx.NodeProtoSchema, { opType, input, output, attribute });
const S = 1024;
const body = create(onnx.GraphProtoSchema, { name: "body", input: [value("i", 7, []), value("go", 9, []), value("x", 1, [S, S])], output: [value("going", 9, []), value("y", 1, [S, S])], node: [node("Identity", ["go"], ["going"]), node("MatMul", ["x", "m"], ["y"])] });
const graph = create(onnx.GraphProtoSchema, { name: "g", input: [value("n", 7, []), value("m", 1, [S, S])], output: [value("z", 1, [S, S])], node: [node("Loop", ["n", "", "m"], ["z"], [create(onnx.AttributeProtoSchema, { name: "body", type: 5, g: body })])] });
const bytes = toBinary(onnx.ModelProtoSchema, create(onnx.ModelProtoSchema, { irVersion: 8n, opsetImport: [create(onnx.OperatorSetIdProtoSchema, { domain: "", version: 17n })], graph }));
const loop = await ort.InferenceSession.create(bytes);
const infer = async (times: number) => { const m = new ort.Tensor("float32", new Float32Array(S * S), [S, S]); return (await loop.run({ n: new ort.Tensor("int64", [BigInt(times)], []), m })).z.dims[0] / 4; };
`;
