import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import type { JsonObject, Message } from "../../lib/jupyter/index.js";
import { PATIENCE, Session } from "./session.js";

const wait = { timeout: PATIENCE };

describe("protocol", () => {
  let session: Session;
  before(async () => {
    session = await Session.start();
  });
  after(() => session.end());

  it("says what it is", async () => {
    const info = await session.client.kernelInfo(wait);
    assert.equal(info.status, "ok");
    assert.ok(Number(info.protocol_version) >= 5.4);
    assert.equal(info.language_info.name, "typescript");
    assert.equal(info.language_info.file_extension, ".ts");
    assert.equal(info.language_info.pygments_lexer, "typescript");
    // What JupyterLab 4 and Notebook 7 look their highlighting up by.
    assert.equal(info.language_info.codemirror_mode, "typescript");
    assert.match(info.language_info.version, /^6\./);
    assert.equal(info.debugger, true);
  });

  it("brackets a request with busy and idle, and gives each message its parent", async () => {
    const all: Message[] = [];
    await session.client.execute("console.log(1); 2", { ...wait, onOutput: (message) => all.push(message) });
    assert.deepEqual(
      all.map(({ header, content }) => (header.msg_type === "status" ? content.execution_state : header.msg_type)),
      ["busy", "execute_input", "stream", "execute_result", "idle"],
    );
    assert.equal(new Set(all.map((message) => message.parent_header.msg_id)).size, 1);
    assert.ok(all.every(({ header }) => header.version && header.session && !Number.isNaN(Date.parse(header.date))));
  });

  it("counts what is stored, and only that", async () => {
    const { reply: first } = await session.run("'a'");
    const { reply: second } = await session.run("'b'");
    assert.equal(second.execution_count, first.execution_count + 1);
    const unstored = await session.run("'c'", { store_history: false });
    assert.equal(unstored.reply.execution_count, second.execution_count);
    const silent = await session.run("console.log('heard'); 'd'", { silent: true });
    assert.deepEqual(silent.messages.map(({ header }) => header.msg_type), ["stream"]);
    assert.equal(silent.reply.execution_count, second.execution_count);
    assert.equal((await session.run("'e'")).reply.execution_count, second.execution_count + 1);
  });

  it("evaluates user_expressions", async () => {
    const { reply } = await session.run("const u = 20", { user_expressions: { good: "u + 1", bad: "nothing", thrown: "(() => { throw new Error('e') })()" } });
    const values = reply.user_expressions as Record<string, { status: string; data: JsonObject; ename: string }>;
    assert.equal(values.good?.data["text/plain"], "21");
    assert.equal(values.bad?.status, "error");
    assert.equal(values.bad?.ename, "CompileError");
    assert.equal(values.thrown?.ename, "Error");
  });

  it("aborts what was queued behind an error, and nothing that comes later", async () => {
    const failing = session.run("await new Promise(done => setTimeout(done, 50)); throw new Error('first')");
    const queued = [session.run("1"), session.run("2")];
    assert.equal((await failing).reply.status, "error");
    assert.deepEqual((await Promise.all(queued)).map(({ reply }) => [reply.status, reply.execution_count]), [["aborted", undefined], ["aborted", undefined]]);
    assert.equal(await session.value("3"), "3");
  });

  it("goes on behind an error where stop_on_error is false", async () => {
    const failing = session.run("throw new Error('first')", { stop_on_error: false });
    const queued = session.run("4");
    assert.equal((await failing).reply.status, "error");
    assert.equal((await queued).text, "4");
  });

  it("sends output while a cell runs, and joins what comes together", async () => {
    let seen = false;
    const ran = session.run("console.log('early'); await input('go')", {
      onOutput: ({ content }) => {
        if (content.text === "early\n") seen = true;
      },
      onInput: async () => {
        while (!seen) await new Promise((resolve) => setTimeout(resolve, 5));
        return "go";
      },
    });
    assert.equal((await ran).text, "'go'");
    const many = await session.run("for (let i = 0; i < 2000; i++) console.log(i); console.error('last')");
    assert.equal(many.stream("stdout").split("\n").length, 2001);
    assert.ok(many.contents("stream").length < 200, `${many.contents("stream").length} messages`);
    assert.equal(many.contents("stream").at(-1)?.name, "stderr");
  });

  it("sends output of a loop that never yields", async () => {
    let text = "";
    const ran = session.run("const until = Date.now() + 1500; console.log('now'); while (Date.now() < until) {} Date.now()", {
      onOutput: ({ header, content }) => {
        if (header.msg_type === "stream") text += `${content.text}${Date.now()}`;
      },
    });
    const ended = Number((await ran).text);
    assert.ok(Number(text.replace("now\n", "")) < ended - 500);
  });

  it("takes output that bypasses JavaScript", async () => {
    const ran = await session.run("require('node:child_process').execSync('echo from a process', { stdio: 'inherit' }); require('node:fs').writeSync(2, 'raw')");
    assert.match(ran.stream("stdout"), /from a process/);
    assert.match(ran.stream("stderr"), /raw/);
  });

  it("gives output of a timer to the cell that set it", async () => {
    const late: Message[] = [];
    const stop = session.client.onMessage((_, message) => {
      if (message.header.msg_type === "stream") late.push(message);
    });
    const first = await session.run("setTimeout(() => console.log('from the first'), 200); 1");
    await session.run("await new Promise(done => setTimeout(done, 400))");
    stop();
    assert.equal(late[0]?.content.text, "from the first\n");
    assert.equal(late[0]?.parent_header.msg_id, first.messages[0]?.parent_header.msg_id);
  });

  it("asks for input, for passwords too, and only where the client can", async () => {
    const asked: unknown[] = [];
    const onInput = (request: object) => {
      asked.push(request);
      return "Ünï";
    };
    assert.equal((await session.run("[await input('name? '), await input('secret', { password: true })]", { onInput })).text, "[ 'Ünï', 'Ünï' ]");
    assert.deepEqual(asked, [{ prompt: "name? ", password: false }, { prompt: "secret", password: true }]);
    assert.match((await session.run("await input('x')")).reply.evalue ?? "", /allow_stdin/);
  });

  it("completes members, variables and preloaded names, with kinds", async () => {
    await session.run("const wölf = { alpha: 1, beta: 2 }");
    const members = await session.client.complete("'🐺'; wölf.al", undefined, wait);
    assert.deepEqual(members.matches, ["alpha"]);
    assert.deepEqual([members.cursor_start, members.cursor_end], [10, 12]);
    assert.equal((members.metadata._jupyter_types_experimental as JsonObject[])[0]?.type, "property");
    assert.ok((await session.client.complete("wö", undefined, wait)).matches.includes("wölf"));
    assert.ok((await session.client.complete("disp", undefined, wait)).matches.includes("display"));
    assert.ok((await session.client.complete("df", undefined, wait)).matches.includes("dfd"));
    assert.ok((await session.client.complete("display.ht", undefined, wait)).matches.includes("html"));
  });

  it("inspects, in markdown and plain, more in detail", async () => {
    const brief = await session.client.inspect("display.html(", undefined, 0, wait);
    assert.equal(brief.found, true);
    assert.match(String(brief.data["text/plain"]), /html\(html: string\): DisplayHandle\n\nShows HTML\./);
    assert.match(String(brief.data["text/markdown"]), /^```typescript\n/);
    const detailed = await session.client.inspect("input", 2, 1, wait);
    assert.match(String(detailed.data["text/plain"]), /@throws/);
    assert.doesNotMatch(String((await session.client.inspect("input", 2, 0, wait)).data["text/plain"]), /@throws/);
    assert.equal((await session.client.inspect("  ", 1, 0, wait)).found, false);
  });

  it("tells complete, incomplete and invalid code", async () => {
    const status = async (code: string) => session.client.isComplete(code, wait);
    assert.deepEqual(await status("const a = 1"), { status: "complete" });
    assert.deepEqual(await status("for (const a of b) {"), { status: "incomplete", indent: "  " });
    assert.deepEqual(await status("  f(`a"), { status: "incomplete", indent: "  " });
    assert.deepEqual(await status("const = 1"), { status: "invalid" });
    assert.deepEqual(await status("await x; for await (const y of z) {}"), { status: "complete" });
  });

  it("remembers history: tail, range, search, with output", async () => {
    assert.match(String((await session.client.request("shell", "history_request", { hist_access_type: "all" }, wait)).content.evalue), /must be tail, range or search/);
    await session.run("'needle one'");
    const { reply } = await session.run("'needle two'");
    await session.run("'needle one'");
    const tail = (await session.client.history({ hist_access_type: "tail", n: 2 }, wait)).history;
    assert.deepEqual(tail.map((entry) => entry[2]), ["'needle two'", "'needle one'"]);
    const line = reply.execution_count;
    const range = (await session.client.history({ hist_access_type: "range", session: 0, start: line, stop: line + 1, output: true }, wait)).history;
    assert.deepEqual(range, [[1, line, ["'needle two'", "'needle two'"]]]);
    const found = (await session.client.history({ hist_access_type: "search", pattern: "*needle*", unique: true }, wait)).history;
    assert.equal(found.length, 2);
    assert.equal((await session.client.history({ hist_access_type: "search", pattern: "*needle*", n: 1 }, wait)).history.length, 1);
  });

  it("opens, uses and closes comms from both ends", async () => {
    const seen: Message[] = [];
    const stop = session.client.onMessage((channel, message) => {
      if (channel === "iopub" && message.header.msg_type.startsWith("comm_")) seen.push(message);
    });
    await session.run("comms.register('echo', (comm, data) => { comm.send({ opened: data }); comm.onMessage((d) => comm.send({ echo: d })); comm.onClose(() => console.log('closed')); })");
    await session.client.send("shell", "comm_open", { comm_id: "c1", target_name: "echo", data: 5 });
    await session.client.send("shell", "comm_msg", { comm_id: "c1", data: { x: 1 } });
    await session.run("const widget = comms.open('widget', { a: 1 })");
    assert.deepEqual(Object.values((await session.client.commInfo(undefined, wait)).comms).map((each) => each.target_name).sort(), ["echo", "widget"]);
    assert.deepEqual((await session.client.commInfo("echo", wait)).comms, { c1: { target_name: "echo" } });
    await session.client.send("shell", "comm_open", { comm_id: "c2", target_name: "unknown", data: {} });
    await session.client.send("shell", "comm_close", { comm_id: "c1", data: {} });
    await session.run("widget.close()");
    assert.deepEqual((await session.client.commInfo(undefined, wait)).comms, {});
    stop();
    assert.deepEqual(
      seen.map(({ header, content }) => [header.msg_type, content.data]),
      [
        ["comm_msg", { opened: 5 }],
        ["comm_msg", { echo: { x: 1 } }],
        ["comm_open", { a: 1 }],
        ["comm_close", {}],
        ["comm_close", {}],
      ],
    );
  });

  it("answers on control, heartbeat and completion while a cell computes", async () => {
    let begin = () => {};
    const started = new Promise<void>((resolve) => (begin = resolve));
    const computing = session.run("console.log('started'); while (true) {}", { onOutput: ({ header }) => header.msg_type === "stream" && begin() });
    await started;
    assert.ok((await session.client.heartbeat(PATIENCE)) > 0);
    assert.equal((await session.client.request("control", "kernel_info_request", {}, wait)).content.status, "ok");
    assert.ok((await session.client.complete("disp", undefined, wait)).matches.includes("display"));
    await session.client.interrupt(wait);
    assert.equal((await computing).reply.ename, "KeyboardInterrupt");
  });

  it("refuses a request that it does not know, with a reply", async () => {
    const reply = await session.client.request("control", "usage_request", {}, wait);
    assert.equal(reply.header.msg_type, "usage_reply");
    assert.equal(reply.content.status, "error");
    const bad = await session.client.request("shell", "complete_request", { code: 5 }, wait);
    assert.match(String(bad.content.evalue), /code: 5 \(must be a string\)/);
    assert.equal((await session.client.request("shell", "execute_request", {}, wait)).content.status, "error");
  });
});

describe("connection", () => {
  const answers = async (options: Parameters<typeof Session.start>[0]) => {
    const session = await Session.start(options);
    try {
      assert.equal(await session.value("1 + 1"), "2");
      assert.ok((await session.client.heartbeat(PATIENCE)) > 0);
    } finally {
      await session.end();
    }
  };

  it("may be encrypted with CurveZMQ", () => answers({ curve: true }));

  it("may be sockets in the file system", { skip: process.platform === "win32" }, () => answers({ transport: "ipc" }));
});
