import assert from "node:assert/strict";
import { after, afterEach, before, beforeEach, describe, it } from "node:test";
import type { ExecuteOptions, Message } from "../../lib/jupyter/index.js";
import { PATIENCE, type Ran, Session } from "./session.js";

const wait = { timeout: PATIENCE };

describe("subshells", () => {
  let session: Session;
  let id: string;
  before(async () => {
    session = await Session.start();
  });
  beforeEach(async () => {
    id = await session.client.createSubshell(wait);
    // A cell that awaits `gate` goes on when a subshell calls `open()`.
    await session.run("let open: () => void = () => {}; let gate: Promise<void> = new Promise(r => { open = r })");
  });
  // A test that failed leaves nothing waiting for its gate.
  afterEach(() => session.client.interrupt(wait));
  after(() => session.end());

  const inSubshell = (code: string, options: ExecuteOptions = {}) => session.run(code, { subshell: id, ...options });

  /** Runs `code` in the notebook's own shell; resolves once it has printed "begun". */
  async function begin(code: string, options: ExecuteOptions = {}): Promise<{ ran: Promise<Ran> }> {
    let begun = () => {};
    const printed = new Promise<void>((resolve) => (begun = resolve));
    const ran = session.run(code, { ...options, onOutput: ({ header, content }) => void (header.msg_type === "stream" && String(content.text).includes("begun") && begun()) });
    await Promise.race([printed, ran]);
    return { ran };
  }

  it("are made, listed and deleted by messages on control, and told by kernel_info", async () => {
    assert.deepEqual((await session.client.kernelInfo(wait)).supported_features?.filter((each) => each === "kernel subshells"), ["kernel subshells"]);
    const second = await session.client.createSubshell(wait);
    assert.deepEqual((await session.client.subshells(wait)).slice(-2), [id, second]);
    await session.client.deleteSubshell(second, wait);
    assert.ok(!(await session.client.subshells(wait)).includes(second));
    await assert.rejects(session.client.deleteSubshell(second, wait), new RegExp(`subshell_id: "${second}" \\(must be one that create_subshell_request gave and that was not deleted\\)`));
    const { content } = await session.client.request("control", "delete_subshell_request", {}, wait);
    assert.deepEqual([content.status, content.ename], ["error", "Error"]);
  });

  it("refuse a message for one that is not there, and the kernel goes on", async () => {
    for (const [type, content] of [["execute_request", { code: "1" }], ["kernel_info_request", {}], ["complete_request", { code: "a", cursor_pos: 1 }]] as const) {
      const reply = await session.client.request("shell", type, content, { ...wait, subshell: "nowhere" });
      assert.equal(reply.header.msg_type, type.replace("request", "reply"));
      assert.match(String(reply.content.evalue), /^subshell_id: "nowhere" \(must be/);
    }
    assert.equal(await session.value("1 + 1"), "2");
  });

  it("run cells beside one that awaits, with outputs, results and states under their own requests", async () => {
    const statuses: string[] = [];
    const listen = session.client.onMessage((channel, { header, parent_header, content }) => {
      if (channel === "iopub" && header.msg_type === "status") statuses.push(`${parent_header.subshell_id === id ? "subshell" : "main"} ${content.execution_state}`);
    });
    const { ran } = await begin("console.log('begun'); await gate; console.log('behind the gate'); 'main'");
    const look = await inSubshell("console.log('in between'); setTimeout(() => console.log('later')); 1 + 1");
    assert.equal(look.reply.status, "ok");
    assert.equal(look.text, "2");
    assert.match(look.stream("stdout"), /^in between\n/);
    assert.ok(look.messages.every(({ parent_header }) => parent_header.subshell_id === id));
    await inSubshell("open()");
    const main = await ran;
    // Whoever takes the last status for the kernel's sees that it is still at work.
    const first = statuses.indexOf("subshell busy");
    assert.deepEqual(statuses.slice(first, first + 3), ["subshell busy", "subshell idle", "main busy"]);
    listen();
    assert.equal(main.text, "'main'");
    assert.equal(main.stream("stdout"), "begun\nbehind the gate\n");
    assert.ok(main.messages.every(({ parent_header }) => parent_header.subshell_id === undefined));
  });

  it("find the output of a cell that runs long, however much goes on beside it", async () => {
    const { ran } = await begin("console.log('begun'); await gate; console.log('still mine'); 5");
    for (let i = 0; i < 1100; i++) await session.client.send("shell", "comm_msg", { comm_id: "nobody", data: {} });
    await inSubshell("open()");
    const main = await ran;
    assert.equal(main.text, "5");
    assert.equal(main.stream("stdout"), "begun\nstill mine\n");
  });

  it("read and write variables, also those of the cell that runs", async () => {
    await session.run("let steps = 0");
    const { ran } = await begin("const rows: number[] = [1]; let stop = false; console.log('begun'); while (!stop) { steps++; await new Promise(r => setTimeout(r)); } const never = rows.length; steps > 0");
    assert.equal((await inSubshell("rows.push(2); rows")).text, "[ 1, 2 ]");
    assert.equal((await inSubshell("steps > 0")).text, "true");
    const early = await inSubshell("never");
    assert.match(String(early.reply.evalue), /Cannot access 'never' before initialization/);
    await inSubshell("stop = true; const mine = 'of the subshell'");
    assert.equal((await ran).text, "true");
    assert.equal(await session.value("[never, mine]"), "[ 2, 'of the subshell' ]");
  });

  it("leave names to older cells where the running cell ends before it reaches them", async () => {
    await session.run("const kept = 'older'");
    const { ran } = await begin("console.log('begun'); await gate; if (1 + 1 === 2) throw new Error('early'); const kept = 'newer'");
    assert.match(String((await inSubshell("kept")).reply.evalue), /before initialization/);
    await inSubshell("open()");
    assert.equal((await ran).reply.ename, "Error");
    for (let i = 0; i < 3; i++) assert.equal(await session.value("kept"), "'older'");
    assert.equal((await inSubshell("kept")).text, "'older'");
  });

  it("give a name that two declare at once to the one that began last", async () => {
    const { ran } = await begin("console.log('begun'); const twice = 'main'; await gate; twice");
    await inSubshell("const twice = 1; open()");
    assert.equal((await ran).text, "'main'");
    assert.equal(await session.value("twice + 1"), "2");
  });

  it("answer comms, completion, hover, is_complete and history while a cell awaits", async () => {
    await session.run("comms.register('echo', comm => comm.onMessage(data => comm.send({ heard: data })))");
    const { ran } = await begin("console.log('begun'); await gate");
    const heard = new Promise<Message>((resolve) => session.client.onMessage((channel, message) => void (channel === "iopub" && message.header.msg_type === "comm_msg" && resolve(message))));
    await session.client.send("shell", "comm_open", { comm_id: "c1", target_name: "echo", data: {} });
    await session.client.send("shell", "comm_msg", { comm_id: "c1", data: "hello" });
    assert.deepEqual((await heard).content.data, { heard: "hello" });
    const ask = async (type: string, content: object) => (await session.client.request("shell", type, content, { ...wait, subshell: id })).content;
    assert.ok(((await ask("complete_request", { code: "Math.ma", cursor_pos: 7 })).matches as string[]).includes("max"));
    assert.equal((await ask("inspect_request", { code: "Math.max", cursor_pos: 8, detail_level: 0 })).found, true);
    assert.equal((await ask("is_complete_request", { code: "{" })).status, "incomplete");
    await inSubshell("open()");
    const { history } = await ask("history_request", { hist_access_type: "tail", n: 5, output: false, raw: true });
    assert.deepEqual((history as unknown as [number, number, string][]).map(([, line, input]) => [line, input]), [[1, "open()"]]);
    await ran;
  });

  it("count for themselves, and tell positions in their own cells", async () => {
    const { reply } = await session.run("null");
    const first = await inSubshell("const thrower = () => { throw new Error('e') };");
    const second = await inSubshell("\n  thrower()");
    assert.deepEqual([first.reply.execution_count, second.reply.execution_count], [1, 2]);
    assert.match(second.reply.traceback!.join("\n"), new RegExp(`Cell \\[1\\] of subshell ${id.slice(0, 8)}:1:[^]*Cell \\[2\\] of subshell ${id.slice(0, 8)}:2:3`));
    assert.equal((await session.run("null")).reply.execution_count, reply.execution_count + 1);
  });

  it("run their own requests in order, and abort behind an error only their own", async () => {
    const { ran } = await begin("console.log('begun'); await gate; 'fine'");
    const replies = await Promise.all([inSubshell("await null; throw new Error('e')"), inSubshell("1"), inSubshell("2")]);
    assert.deepEqual(replies.map(({ reply }) => reply.status), ["error", "aborted", "aborted"]);
    assert.equal((await inSubshell("open(); 3")).text, "3");
    assert.equal((await ran).text, "'fine'");
  });

  it("ask for input each for itself", async () => {
    const [one, two] = await Promise.all([
      session.run("await input('one? ')", { onInput: async ({ prompt }) => (await new Promise((resolve) => setTimeout(resolve, 50)), `to ${prompt}`) }),
      inSubshell("await input('two? ')", { onInput: ({ prompt }) => `to ${prompt}` }),
    ]);
    assert.deepEqual([one.text, two.text], ["'to one? '", "'to two? '"]);
  });

  it("are interrupted with all that runs, and keep variables", async () => {
    const waiting = inSubshell("console.log('begun'); let inSub = 7; await new Promise(() => {})");
    const main = await session.interrupted("let inMain = 8; console.log('started'); await new Promise(() => {})");
    assert.deepEqual([main.reply.ename, (await waiting).reply.ename], ["KeyboardInterrupt", "KeyboardInterrupt"]);
    assert.equal(await session.value("[inSub, inMain]"), "[ 7, 8 ]");
    // One that computes holds everything up: the interrupt ends it as well.
    const { ran } = await begin("console.log('begun'); await gate");
    let started = () => {};
    const computes = new Promise<void>((resolve) => (started = resolve));
    const loop = inSubshell("console.log('computes'); for (;;) {}", { onOutput: ({ header }) => void (header.msg_type === "stream" && started()) });
    await computes;
    await session.client.interrupt(wait);
    assert.deepEqual([(await loop).reply.ename, (await ran).reply.ename], ["KeyboardInterrupt", "KeyboardInterrupt"]);
    assert.equal((await inSubshell("'on'")).text, "'on'");
  });

  it("are deleted with what they run and have queued, and nothing else is", async () => {
    const { ran } = await begin("console.log('begun'); await gate; 'main'");
    let begun = () => {};
    const printed = new Promise<void>((resolve) => (begun = resolve));
    const works = inSubshell("let left = 1; console.log('works'); await new Promise(() => {})", { onOutput: ({ header }) => void (header.msg_type === "stream" && begun()) });
    const queued = inSubshell("2");
    await printed;
    await session.client.deleteSubshell(id, wait);
    assert.equal((await works).reply.ename, "KeyboardInterrupt");
    assert.equal((await queued).reply.status, "aborted");
    id = await session.client.createSubshell(wait);
    await inSubshell("open()");
    assert.equal((await ran).text, "'main'");
    assert.equal(await session.value("left"), "1");
  });

  it("outlive the process that runs cells; whoever runs in it learns of its end", async () => {
    const { ran } = await begin("console.log('begun'); await gate");
    const end = await inSubshell("process.exit(3)");
    assert.deepEqual([end.reply.ename, (await ran).reply.ename], ["ProcessExit", "ProcessExit"]);
    assert.equal((await inSubshell("1 + 2")).text, "3");
    assert.ok((await session.client.subshells(wait)).includes(id));
  });

  it("wait for a cell that computes without awaiting, then answer", async () => {
    const order: string[] = [];
    const { ran } = await begin("console.log('begun'); { const end = Date.now() + 300; while (Date.now() < end); } 'computed'");
    const main = ran.then(({ text }) => void order.push(String(text)));
    // The language is the kernel process's, which answers at once; code has to wait for the thread.
    const completed = session.client.request("shell", "complete_request", { code: "Math.ma", cursor_pos: 7 }, { ...wait, subshell: id }).then(() => void order.push("completed"));
    const look = inSubshell("'look'").then(({ text }) => void order.push(String(text)));
    await Promise.all([main, completed, look]);
    assert.deepEqual(order.slice(-2).sort(), ["'computed'", "'look'"]);
  });
});

describe("a kernel that shuts down", () => {
  it("takes its subshells along, busy ones too", async () => {
    const session = await Session.start();
    const id = await session.client.createSubshell(wait);
    const running = session.run("console.log('begun'); await new Promise(() => {})", { subshell: id }).catch((error: Error) => error.name);
    await session.end();
    assert.ok(typeof (await running) === "string" || ((await running) as Ran).reply.status === "error");
  });
});
