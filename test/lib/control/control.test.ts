import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import type { JsonObject, Message } from "../../../lib/jupyter/index.js";
import { PATIENCE, Session } from "../../kernel/session.js";

const CONTROL = "application/vnd.sdtp-notebook.control+json";
const VIEW = "application/vnd.jupyter.widget-view+json";

describe("controls in a kernel", { timeout: PATIENCE * 5 }, () => {
  let session: Session;
  const seen: Message[] = [];
  let changed = () => {};
  before(async () => {
    session = await Session.start();
    session.client.onMessage((channel, message) => {
      if (channel === "iopub") seen.push(message), changed();
    });
  });
  after(() => session.end());

  const until = async (is: (message: Message) => boolean, from = 0): Promise<Message> => {
    for (;;) {
      const found = seen.slice(from).find(is);
      if (found) return found;
      await new Promise<void>((resolve) => (changed = resolve));
    }
  };
  const data = ({ content }: Message) => content.data as JsonObject & { state: JsonObject; method?: string };
  /** Runs a cell that shows a control. */
  const show = async (code: string) => {
    const from = seen.length;
    const ran = await session.run(code);
    assert.equal(ran.reply.status, "ok", JSON.stringify(ran.reply));
    const opened = ran.messages.find(({ header, content }) => header.msg_type === "comm_open" && content.target_name === "jupyter.widget")!;
    const id = String(opened.content.comm_id);
    const isUpdate = (is: (state: JsonObject) => boolean) => (message: Message) => message.header.msg_type === "comm_msg" && message.content.comm_id === id && data(message).method === "update" && is(data(message).state);
    const choose = (values: object) => session.client.send("shell", "comm_msg", { comm_id: id, data: { method: "update", state: { values }, buffer_paths: [] } });
    const kept = ran.messages.filter(({ header, content }) => header.msg_type === "display_data" && (content.data as JsonObject)[CONTROL] !== undefined).at(-1)!;
    return { ran, opened, id, isUpdate, choose, kept, from };
  };
  const html = (state: JsonObject) => typeof state.html === "string" && state.busy === false;

  it("open a widget of the anywidget protocol, with a view that follows the values", async () => {
    const { ran, opened, id, isUpdate, choose, kept } = await show("sdtp.control({ keep: { min: 0.5, max: 1, step: 0.1 }, scorer: ['norm', 'learned'] }, ({ keep, scorer }) => `${scorer} keeps ${(100 * keep).toFixed()}`)");
    assert.deepEqual(opened.metadata, { version: "2.1.0" });
    const { state } = data(opened);
    assert.deepEqual([state._model_module, state._model_name, state._view_name], ["anywidget", "AnyModel", "AnyView"]);
    assert.match(String(state._esm), /export default/);
    assert.deepEqual(state.values, { keep: 0.5, scorer: "norm" });
    assert.deepEqual(ran.data[VIEW], { version_major: 2, version_minor: 0, model_id: id });
    assert.match(String((kept.content.data as JsonObject)["text/html"]), /keep: <b>0.5<\/b>.*norm keeps 50/s);
    assert.match(String((kept.content.data as JsonObject)["text/plain"]), /^keep = 0.5, scorer = norm\n'norm keeps 50'$/);

    const from = seen.length;
    await choose({ keep: 0.7, scorer: "learned" });
    const echo = await until((message) => message.header.msg_type === "comm_msg" && data(message).method === "echo_update", from);
    assert.deepEqual(data(echo).state, { values: { keep: 0.7, scorer: "learned" } });
    assert.equal((echo.parent_header as { msg_type?: string }).msg_type, "comm_msg");
    const drawn = data(await until(isUpdate(html), from)).state;
    assert.match(String(drawn.html), /learned keeps 70/);
    // Values that the client has are not told again: what was chosen meanwhile would be lost. Others are.
    assert.equal(Object.hasOwn(drawn, "values"), false);
    // What the notebook keeps follows.
    const last = await until(({ header, content }) => header.msg_type === "update_display_data" && (content.data as JsonObject)[CONTROL] !== undefined, from);
    assert.equal((last.content.transient as JsonObject).display_id, (kept.content.transient as JsonObject).display_id);
    assert.deepEqual(((last.content.data as JsonObject)[CONTROL] as JsonObject).values, { keep: 0.7, scorer: "learned" });
    const later = seen.length;
    await choose({ keep: 0.79, scorer: "norm" });
    assert.deepEqual(data(await until(isUpdate(html), later)).state.values, { keep: 0.8, scorer: "norm" });
  });

  it("tell a client that comes later what they show", async () => {
    const { id, isUpdate } = await show("sdtp.control({ n: 4 }, ({ n }) => 'n is ' + n)");
    let from = seen.length;
    await session.client.send("shell", "comm_msg", { comm_id: id, data: { method: "request_state" } });
    const answer = data(await until(isUpdate((state) => state._esm !== undefined), from));
    assert.match(String(answer.state.html), /n is 4/);
    from = seen.length;
    await session.client.send("shell", "comm_open", { comm_id: "all", target_name: "jupyter.widget.control", data: {} });
    await session.client.send("shell", "comm_msg", { comm_id: "all", data: { method: "request_states" } });
    const all = data(await until((message) => message.content.comm_id === "all", from));
    assert.equal(all.method, "update_states");
    const own = (all.states as JsonObject)[id] as { model_name: string; state: JsonObject };
    assert.equal(own.model_name, "AnyModel");
    assert.match(String(own.state.html), /n is 4/);
    assert.ok(Object.hasOwn((await session.client.commInfo("jupyter.widget", { timeout: PATIENCE })).comms, id));
  });

  it("drop what still computes for an earlier value, and show the latest alone", async () => {
    const { isUpdate, choose } = await show(`
      const drawn: string[] = [];
      const slow = sdtp.control({ n: 0 }, async ({ n }, { signal }) => {
        drawn.push('begun ' + n);
        signal.addEventListener('abort', () => drawn.push('dropped ' + n));
        if (n === 1) for (;;) await new Promise((next) => setTimeout(next, 5));
        return 'value ' + n;
      });
      slow`);
    const from = seen.length;
    await choose({ n: 1 });
    await until(isUpdate((state) => state.busy === true), from);
    await choose({ n: 2 });
    const shown = data(await until(isUpdate(html), from)).state;
    assert.match(String(shown.html), /value 2/);
    assert.equal(await session.value("drawn.join()"), "'begun 0,begun 1,dropped 1,begun 2'");
    assert.ok(!seen.some((message) => message.header.msg_type === "comm_msg" && /value 1/.test(String(data(message).state?.html))));
    // From a cell as well, which gets the last one's end.
    assert.equal(await session.value("void slow.set({ n: 1 }); await slow.set({ n: 5 }); slow.values.n + drawn.at(-1)!"), "'5begun 5'");
  });

  it("show what the view prints and displays, and its failure in place of nothing else", async () => {
    const { ran, isUpdate, choose, kept } = await show("sdtp.control({ n: 1 }, ({ n }) => { console.log('printed <' + n + '>'); display({ 'text/html': '<i>shown</i>' }, { raw: true }); if (n > 1) throw new RangeError('n is too large'); })");
    assert.equal(ran.stream("stdout"), "");
    assert.match(String((kept.content.data as JsonObject)["text/html"]), /printed &lt;1&gt;.*<i>shown<\/i>/s);
    let from = seen.length;
    await choose({ n: 2 });
    assert.equal(data(await until(isUpdate((state) => state.error !== undefined && state.error !== ""), from)).state.error, "RangeError: n is too large");
    from = seen.length;
    await choose({ n: 1 });
    assert.equal(data(await until(isUpdate(html), from)).state.error, "");
    from = seen.length;
    await choose({ n: "x" });
    const refused = data(await until(isUpdate((state) => state.error !== undefined), from)).state;
    assert.deepEqual([refused.error, refused.values], ['Error: control n: "x" (must be a number)', { n: 1 }]);
    const { reply } = await session.run("sdtp.control({ n: 1 }, () => { throw new RangeError('from the start') })");
    assert.deepEqual([reply.status, reply.ename, reply.evalue], ["error", "RangeError", "from the start"]);
    assert.equal((await session.run("sdtp.control({ n: { min: 2, max: 1 } }, () => 1)")).reply.evalue, "control n: min 2, max 1 (min must be below max)");
  });

  it("compute every state beforehand where that is asked for, and keep them with the notebook", async () => {
    const { isUpdate, choose, kept } = await show("let calls = 0; sdtp.control({ keep: { min: 0, max: 1, step: 0.5 }, on: true }, ({ keep, on }) => { calls++; return { keep, on }; }, { precompute: true })");
    const { states } = (kept.content.data as JsonObject)[CONTROL] as { states: Record<string, { data: JsonObject }[]> };
    assert.deepEqual(Object.keys(states), ["0,0", "0,1", "1,0", "1,1", "2,0", "2,1"]);
    assert.match(String(states["1,0"]![0]!.data["text/plain"]), /keep: 0.5, on: false/);
    const from = seen.length;
    await choose({ keep: 1 });
    assert.match(String(data(await until(isUpdate(html), from)).state.html), /keep: 1, on: true/);
    assert.equal(await session.value("calls"), "6");
  });

  it("values have the types of their controls", async () => {
    const { reply } = await session.run("sdtp.control({ keep: { min: 0, max: 1 }, scorer: ['norm', 'learned'], on: true }, ({ keep, scorer, on }) => { const a: number = keep; const b: 'norm' | 'learned' = scorer; const c: boolean = on; return [a, b, c].join(); })");
    assert.equal(reply.status, "ok", JSON.stringify(reply));
    const wrong = await session.run("sdtp.control({ scorer: ['norm', 'learned'] }, ({ scorer }) => scorer === 'random')");
    assert.equal(wrong.reply.ename, "CompileError");
  });
});
