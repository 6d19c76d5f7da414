import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import type { JsonObject, Message } from "../../lib/jupyter/index.js";
import { Session } from "./session.js";

describe("comms and what runs beside cells", () => {
  let session: Session;
  before(async () => {
    session = await Session.start();
  });
  after(() => session.end());

  /** Messages on iopub from now on. */
  const gather = () => {
    const seen: Message[] = [];
    let changed = () => {};
    const stop = session.client.onMessage((channel, message) => {
      if (channel === "iopub") seen.push(message), changed();
    });
    const until = async (is: (message: Message) => boolean): Promise<Message> => {
      for (;;) {
        const found = seen.find(is);
        if (found) return found;
        await new Promise<void>((resolve) => (changed = resolve));
      }
    };
    return { seen, stop, until };
  };
  const data = (message: Message) => message.content.data as JsonObject;
  const isComm = (kind: string, is: (data: JsonObject) => boolean) => (message: Message) => message.header.msg_type === kind && is(data(message));

  it("carry bytes both ways, from the opening on, whoever opens", async () => {
    const { stop, until } = gather();
    await session.run("comms.register('bytes', (comm, data, buffers) => { comm.send({ opened: buffers.map((b) => [...b]) }); comm.onMessage((_, more) => comm.send({ got: more.length }, { meta: 1 }, more)); })");
    await session.client.send("shell", "comm_open", { comm_id: "b1", target_name: "bytes", data: {} }, { buffers: [Buffer.from([1, 2])] });
    assert.deepEqual(data(await until(isComm("comm_msg", ({ opened }) => opened !== undefined))).opened, [[1, 2]]);
    await session.client.send("shell", "comm_msg", { comm_id: "b1", data: {} }, { buffers: [Buffer.from([3]), Buffer.from([4, 5])] });
    const answer = await until(isComm("comm_msg", ({ got }) => got === 2));
    assert.deepEqual(answer.buffers.map((each) => [...each]), [[3], [4, 5]]);
    assert.deepEqual(answer.metadata, { meta: 1 });
    await session.run("comms.open('own', { a: 1 }, { version: '2.1.0' }, [new Uint8Array([7, 8])])");
    const opened = await until(isComm("comm_open", ({ a }) => a === 1));
    assert.deepEqual([opened.metadata, [...opened.buffers[0]!]], [{ version: "2.1.0" }, [7, 8]]);
    stop();
  });

  it("what cannot be sent opens no comm", async () => {
    const { reply } = await session.run("const ring: { c?: object } = {}; ring.c = ring; comms.open('ring', ring)");
    assert.equal(reply.ename, "TypeError");
    assert.deepEqual((await session.client.commInfo("ring", { timeout: 60_000 })).comms, {});
  });

  it("are answered while a cell waits, and after one that computes", async () => {
    const { seen, stop, until } = gather();
    await session.run("comms.register('echo', (comm) => comm.onMessage((d) => comm.send({ echo: d.n })))");
    await session.client.send("shell", "comm_open", { comm_id: "e1", target_name: "echo", data: {} });
    const waiting = session.run("const wait = new Promise<void>((end) => comms.register('end', () => end())); console.log('waits'); await wait; 'ended'");
    await until(({ header, content }) => header.msg_type === "stream" && String(content.text).includes("waits"));
    await session.client.send("shell", "comm_msg", { comm_id: "e1", data: { n: 1 } });
    await until(isComm("comm_msg", ({ echo }) => echo === 1));
    assert.ok(!seen.some(({ header }) => header.msg_type === "execute_result"));
    await session.client.send("shell", "comm_open", { comm_id: "e2", target_name: "end", data: {} });
    assert.equal((await waiting).text, "'ended'");
    const computing = session.run("const end = Date.now() + 300; while (Date.now() < end) {}");
    await session.client.send("shell", "comm_msg", { comm_id: "e1", data: { n: 2 } });
    await until(isComm("comm_msg", ({ echo }) => echo === 2));
    await computing;
    stop();
  });

  const HOST = "(globalThis as any)[Symbol.for('sdtp.notebook')]";

  it("a task keeps what it shows to itself, and is ended where it awaits once it is dropped", async () => {
    const { stream, text, reply } = await session.run(`
      const shown: any[] = [];
      const host = ${HOST};
      const task = host.task(async (signal: AbortSignal) => {
        console.log("inside"); display("a value"); clearOutput();
        await new Promise((next) => setTimeout(next, 1));
        return signal.aborted ? "aborted" : host.beside;
      }, (output: any) => shown.push(output.type));
      const first = await task.done;
      let after = "";
      const dropped = host.task(async () => { for (;;) { await new Promise((next) => setTimeout(next, 1)); after += "."; } }, () => {});
      await new Promise((next) => setTimeout(next, 20));
      dropped.drop(new Error("not wanted any more"));
      const why = await dropped.done.catch((error: Error) => error.message);
      const length = after.length;
      await new Promise((next) => setTimeout(next, 50));
      JSON.stringify([first, shown, why, after.length - length <= 1, host.beside])`);
    assert.equal(reply.status, "ok", JSON.stringify(reply));
    assert.equal(stream("stdout"), "");
    assert.equal(text, `'${JSON.stringify([true, ["stream", "display", "clear"], "not wanted any more", true, false])}'`);
  });

  it("an interrupt ends tasks, also one that computes, while no cell runs", async () => {
    const { stop, until } = gather();
    for (const [kind, work] of [["waits", "await new Promise(() => {})"], ["computes", "for (;;) {}"]]) {
      await session.run(`comms.register('${kind}', (comm) => { comm.send({ begun: '${kind}' }); void ${HOST}.task(async () => { ${work} }, () => {}).done.catch((error: Error) => comm.send({ ended: '${kind}', name: error.name })); })`);
      await session.client.send("shell", "comm_open", { comm_id: kind!, target_name: kind!, data: {} });
      await until(isComm("comm_msg", ({ begun }) => begun === kind));
      await session.client.interrupt({ timeout: 60_000 });
      assert.equal(data(await until(isComm("comm_msg", ({ ended }) => ended === kind))).name, "KeyboardInterrupt");
    }
    assert.equal(await session.value("1 + 1"), "2");
    stop();
  });
});
