import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { WebSocket } from "ws";
import { eventually as awaits, within } from "../../waits.js";
import { Tab, TestLab } from "./lab.js";

interface Session {
  id: string;
  path: string;
  kernel: { id: string; execution_state: string };
}

describe("the lab's kernels", () => {
  let lab: TestLab;
  let session: Session;
  const cell = (id: string) => ({ cell_type: "code", id, metadata: {}, source: `// ${id}`, execution_count: null, outputs: [] as object[] });
  const store = (name: string, ...ids: string[]) => writeFileSync(join(lab.folder, name), JSON.stringify({ nbformat: 4, nbformat_minor: 5, metadata: {}, cells: ids.map(cell) }));
  type Stored = { cells: { id: string; execution_count: number | null; outputs: { output_type: string; text?: string[]; ename?: string; data?: Record<string, string[]> }[] }[] };
  const stored = (name: string) => JSON.parse(readFileSync(join(lab.folder, name), "utf8")) as Stored;
  const open = async (path: string) => {
    const { status, body } = await lab.json<Session>("POST", "/api/sessions", { path, name: path, type: "notebook", kernel: { name: "sdtp" } });
    assert.equal(status, 201, JSON.stringify(body));
    return body;
  };
  const eventually = (is: () => Promise<boolean> | boolean) => awaits(String(is), is, { seen: () => readFileSync(join(lab.folder, "work.ipynb"), "utf8") });
  /** What is in the file when a tab opens the notebook. */
  const seen = async (path: string, id: string) => {
    assert.equal((await lab.json("GET", `/api/contents/${path}`)).status, 200);
    return stored(path).cells.find((each) => each.id === id);
  };

  before(async () => {
    lab = await TestLab.open();
    store("work.ipynb", "one", "two", "three");
    session = await open("work.ipynb");
  });
  after(() => lab.close());

  it("one notebook has one session, whoever asks", async () => {
    assert.equal((await open("work.ipynb")).id, session.id);
    const [a, b] = await Promise.all([open("twice.ipynb"), open("twice.ipynb")]);
    assert.equal(a.kernel.id, b.kernel.id);
    assert.equal((await lab.json("DELETE", `/api/sessions/${a.id}`)).status, 204);
    assert.equal((await lab.json<Session[]>("GET", "/api/sessions")).body.length, 1);
    assert.equal((await lab.json<unknown[]>("GET", "/api/kernels")).body.length, 1);
  });

  it("two tabs share a kernel: both see what either runs", async () => {
    const [a, b] = [await Tab.open(lab, session.kernel.id), await Tab.open(lab, session.kernel.id)];
    const first = a.run("let shared = 41; console.log('from a')", "one");
    await Promise.all([a.idle(first), b.idle(first)]);
    assert.equal(b.text(first), "from a\n");
    const second = b.run("console.log(shared + 1)", "two");
    await a.idle(second);
    assert.equal(a.text(second), "42\n");
    assert.equal((await lab.json<Session>("GET", `/api/sessions/${session.id}`)).body.kernel.execution_state, "idle");
    await Promise.all([a.close(), b.close()]);
  });

  it("a cell goes on without its tab, and its outputs are in the notebook", async () => {
    const tab = await Tab.open(lab, session.kernel.id);
    const quick = tab.run("console.log('quick')", "one");
    await tab.idle(quick);
    const long = tab.run("console.log('begun'); await new Promise((end) => (globalThis.end = end)); console.log('ended'); 6 * 7", "two");
    const next = tab.run("console.log('after it')", "three");
    await tab.printed(long, "begun");
    await tab.close();
    // Opened again in the middle: what it printed is there.
    await eventually(async () => (await seen("work.ipynb", "two"))?.outputs[0]?.text?.[0] === "begun\n");
    assert.deepEqual((await seen("work.ipynb", "one"))?.outputs[0]?.text, ["quick\n"]);
    const again = await Tab.open(lab, session.kernel.id);
    const running = (await lab.json<{ running: { cell_id: string; done: boolean; msg_id: string; outputs: { text: string[] }[] }[] }>("POST", "/lab/api/running", { path: "work.ipynb", session: again.session })).body.running;
    assert.deepEqual(running.map((each) => [each.cell_id, each.done]), [["one", true], ["two", false], ["three", false]].slice(-running.length));
    assert.deepEqual(running.find((each) => each.msg_id === long)?.outputs, [{ output_type: "stream", name: "stdout", text: "begun\n" }]);
    await again.close();
    // Another client lets the cell end while no tab looks.
    const control = await Tab.open(lab, session.kernel.id);
    await lab.json("POST", `/api/kernels/${session.kernel.id}/interrupt`);
    await control.idle(next);
    await control.close();
    await eventually(async () => (await seen("work.ipynb", "two"))?.outputs.some((output) => output.ename === "KeyboardInterrupt") === true);
    const cells = stored("work.ipynb").cells;
    assert.equal(cells[1]?.outputs[0]?.text?.[0], "begun\n");
    assert.equal(cells[1]?.execution_count !== null, true);
  });

  it("a tab that opens a notebook whose cell prints gets every line once, and what changes displays", async () => {
    const tab = await Tab.open(lab, session.kernel.id);
    const go = join(lab.folder, "go");
    const sent = tab.run(`const bar = display('0', { displayId: 'bar', raw: false }); for (let n = 0; n === 0 || !require("node:fs").existsSync(${JSON.stringify(go)});) { for (let k = 0; k < 20; k++) console.log(n++); await new Promise((next) => setTimeout(next, 5)); }`, "two");
    await tab.printed(sent, "\n19\n");
    const other = await Tab.open(lab, session.kernel.id);
    const { mark, running } = (await lab.json<{ mark: string; running: { msg_id: string; outputs: { text: string }[]; displays: object }[] }>("POST", "/lab/api/running", { path: "work.ipynb", session: other.session })).body;
    writeFileSync(go, "");
    await other.idle(sent);
    const at = other.received.findIndex(({ header }) => header.msg_id === mark);
    assert.ok(at >= 0);
    const own = running.find((each) => each.msg_id === sent);
    const rest = other.received.slice(at).filter(({ header, parent_header: parent }) => header.msg_type === "stream" && parent.msg_id === sent).map(({ content }) => content.text);
    const lines = [own?.outputs[1]?.text, ...rest].join("").split("\n");
    assert.ok(lines.length > 20);
    assert.deepEqual(lines, [...lines.keys()].map((n) => (n === lines.length - 1 ? "" : String(n))));
    assert.deepEqual(own?.displays, { bar: [0] });
    // What it is asked again, or started itself, it shows already.
    assert.deepEqual((await lab.json<{ running: { msg_id: string }[] }>("POST", "/lab/api/running", { path: "work.ipynb", session: tab.session })).body.running.filter((each) => each.msg_id === sent), []);
    await Promise.all([tab.close(), other.close()]);
  });

  it("a cell that ends as its tab goes has its outputs in the notebook", async () => {
    const tab = await Tab.open(lab, session.kernel.id);
    const sent = tab.run("console.log('just in time')", "three");
    await tab.idle(sent);
    await tab.close();
    await eventually(async () => (await seen("work.ipynb", "three"))?.outputs[0]?.text?.[0] === "just in time\n");
  });

  it("a tab that comes back under its session gets what it missed", async () => {
    const id = crypto.randomUUID();
    const tab = await Tab.open(lab, session.kernel.id, id);
    const sent = tab.run("await new Promise((end) => setTimeout(end, 1000)); console.log('late')", "one");
    await tab.until(({ header, parent_header: parent }) => header.msg_type === "execute_input" && parent.msg_id === sent);
    const other = await Tab.open(lab, session.kernel.id);
    await tab.close();
    await other.idle(sent);
    const back = await Tab.open(lab, session.kernel.id, id);
    await back.idle(sent);
    assert.equal(back.text(sent), "late\n");
    await back.until(({ channel, header }) => channel === "shell" && header.msg_type === "execute_reply");
    await Promise.all([back.close(), other.close()]);
  });

  it("restarts, interrupts, and says so of a kernel that died", async () => {
    const tab = await Tab.open(lab, session.kernel.id);
    const loop = tab.run("console.log('loops'); while (true) {}", "one");
    await tab.printed(loop, "loops");
    assert.equal((await lab.json("POST", `/api/kernels/${session.kernel.id}/interrupt`)).status, 204);
    await tab.idle(loop);
    assert.equal((await lab.json("POST", `/api/kernels/${session.kernel.id}/restart`)).status, 200);
    const gone = tab.run("console.log(typeof shared)", "one");
    await tab.idle(gone);
    const died = tab.run("console.log(process.ppid); await new Promise(() => {})", "two");
    await tab.until(() => /^\d+\n/.test(tab.text(died)));
    process.kill(Number(tab.text(died)), "SIGKILL");
    await tab.until(({ header, content }) => header.msg_type === "status" && content.execution_state === "restarting");
    await tab.until(({ header, content, parent_header: parent }) => header.msg_type === "status" && parent.msg_id === undefined && content.execution_state === "idle");
    const works = tab.run("console.log('again')", "one");
    await tab.printed(works, "again");
    await tab.close();
  });

  it("refuses websockets without the protocol and messages that are none", async () => {
    const address = `${lab.origin.replace("http", "ws")}/api/kernels/${session.kernel.id}/channels?token=${lab.lab.token}`;
    const refused = await within("a refusal", new Promise<string>((resolve) => new WebSocket(address).on("error", (error) => resolve(error.message))));
    assert.match(refused, /400/);
    const tab = await Tab.open(lab, session.kernel.id);
    const closed = new Promise<[number, string]>((resolve) => tab.socket.once("close", (code, reason) => resolve([code, String(reason)])));
    tab.socket.send(Buffer.from("nonsense"));
    assert.deepEqual(await within("the end of the connection", closed), [1007, "message: has no offsets of four parts"]);
    assert.equal((await lab.json("GET", "/api/status")).status, 200);
  });

  it("a notebook that is renamed keeps its kernel, and its cells' outputs find it", async () => {
    store("before.ipynb", "one");
    const { id, kernel } = await open("before.ipynb");
    const tab = await Tab.open(lab, kernel.id);
    const sent = tab.run("console.log('begun'); await new Promise((end) => setTimeout(end, 400)); console.log('ended')", "one");
    await tab.printed(sent, "begun");
    await lab.json("PATCH", "/api/contents/before.ipynb", { path: "after.ipynb" });
    assert.equal((await lab.json<Session>("GET", `/api/sessions/${id}`)).body.path, "after.ipynb");
    await tab.close();
    await eventually(async () => (await seen("after.ipynb", "one"))?.outputs[0]?.text?.at(-1) === "ended\n");
    await lab.json("DELETE", `/api/sessions/${id}`);
  });

  it("a lab that closes writes what still runs", async () => {
    const other = await TestLab.open();
    writeFileSync(join(other.folder, "n.ipynb"), JSON.stringify({ nbformat: 4, nbformat_minor: 5, metadata: {}, cells: [cell("one")] }));
    const { status, body } = await other.json<Session>("POST", "/api/sessions", { path: "n.ipynb", name: "n", type: "notebook", kernel: { name: "sdtp" } });
    assert.equal(status, 201, JSON.stringify(body));
    const tab = await Tab.open(other, body.kernel.id);
    const sent = tab.run("console.log('begun'); await new Promise(() => {})", "one");
    await tab.printed(sent, "begun");
    await other.lab.close();
    const { cells } = JSON.parse(readFileSync(join(other.folder, "n.ipynb"), "utf8")) as Stored;
    assert.deepEqual(cells[0]?.outputs.map((output) => output.text?.[0] ?? output.ename), ["begun\n", "KernelDied"]);
  });
});
