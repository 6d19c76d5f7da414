import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { request } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { WebSocket } from "ws";
import { Root } from "../../../lib/lab/contents/place.js";
import { History } from "../../../lib/lab/terminals/history.js";
import { loadPty } from "../../../lib/lab/terminals/pty.js";
import { Terminals } from "../../../lib/lab/terminals/terminals.js";
import { eventually, within } from "../../waits.js";
import { TestLab } from "./lab.js";

const why = await loadPty().then(() => false as const, (error: Error) => error.message);
const skip = why || (process.platform === "win32" && "types commands of a POSIX shell");

/** A tab that shows a terminal. */
class Shown {
  text = "";
  readonly #kinds: string[] = [];
  #changed = () => {};
  /** Resolves with the code and the reason. */
  readonly closed: Promise<[number, string]>;

  private constructor(readonly socket: WebSocket) {
    socket.on("message", (data, isBinary) => {
      assert.equal(isBinary, false);
      const [kind, text] = JSON.parse(String(data)) as [string, unknown];
      this.#kinds.push(kind);
      if (kind === "stdout") this.text += String(text);
      this.#changed();
    });
    this.closed = new Promise((resolve) => socket.once("close", (code, reason) => resolve([code, String(reason)])));
  }

  static async open(lab: TestLab, name: string): Promise<Shown> {
    const socket = new WebSocket(`${lab.origin.replace("http", "ws")}/terminals/websocket/${name}?token=${lab.lab.token}`);
    const shown = new Shown(socket);
    await within("a terminal's websocket", new Promise((resolve, reject) => socket.once("open", resolve).once("error", reject)));
    await shown.#until(() => shown.#kinds[0] === "setup");
    return shown;
  }

  send(...message: unknown[]): void {
    this.socket.send(JSON.stringify(message));
  }

  async until(pattern: RegExp): Promise<string> {
    await this.#until(() => pattern.test(this.text));
    return pattern.exec(this.text)?.[1] ?? "";
  }

  get saidThatItEnded(): boolean {
    return this.#kinds.includes("disconnect");
  }

  async #until(is: () => boolean): Promise<void> {
    while (!is()) await within(String(is), new Promise<void>((resolve) => (this.#changed = resolve)), { seen: () => this.text.slice(-500) });
  }

  async close(): Promise<void> {
    this.socket.close();
    await within("the websocket's end", this.closed);
  }
}

const isThere = (pid: number): boolean => {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
};
const gone = (pid: number) => eventually(`the end of process ${pid}`, () => !isThere(pid));

describe("terminals", { skip }, () => {
  let lab: TestLab;
  const before_ = { SHELL: process.env.SHELL, ENV: process.env.ENV };
  before(async () => {
    Object.assign(process.env, { SHELL: "/bin/sh", ENV: "" });
    lab = await TestLab.open();
  });
  after(async () => {
    await lab.close();
    for (const [name, value] of Object.entries(before_)) value === undefined ? delete process.env[name] : (process.env[name] = value);
  });
  const start = async (asked?: object) => (await lab.json<{ name: string }>("POST", "/api/terminals", asked)).body.name;

  it("are offered to the page, named by numbers or as asked, and listed", async () => {
    assert.deepEqual(lab.lab.missing, []);
    assert.match(await (await lab.fetch("/lab")).text(), /"terminalsAvailable":true/);
    const { status, body } = await lab.json<{ name: string; last_activity: string }>("POST", "/api/terminals");
    assert.deepEqual([status, body.name], [200, "1"]);
    assert.ok(Date.parse(body.last_activity) > 0);
    assert.equal(await start({ name: "build" }), "build");
    assert.equal(await start({ name: "build" }), "build");
    assert.deepEqual((await lab.json<{ name: string }[]>("GET", "/api/terminals")).body.map(({ name }) => name), ["1", "build"]);
    assert.equal((await lab.json("GET", "/api/terminals/build")).body.name, "build");
    for (const name of ["1", "build"]) assert.equal((await lab.json("DELETE", `/api/terminals/${name}`)).status, 204);
    assert.equal((await lab.json("GET", "/api/terminals/build")).status, 404);
    assert.equal((await lab.json("DELETE", "/api/terminals/build")).status, 404);
  });

  it("run the user's shell in a folder of the lab, as wide as the narrowest tab", async () => {
    mkdirSync(join(lab.folder, "deep er"));
    const name = await start({ cwd: "deep er" });
    const shown = await Shown.open(lab, name);
    shown.send("set_size", 33, 77, 600, 800);
    shown.send("stdin", "stty size; echo at=$PWD= $TERM\r");
    await shown.until(/33 77[\s\S]*at=.*\/deep er= xterm-256color/);
    const other = await Shown.open(lab, name);
    other.send("set_size", 50, 60, 600, 800);
    other.send("stdin", "stty size\r");
    await other.until(/33 60/);
    await other.close();
    shown.send("stdin", "echo ü $((6 * 7)); until [ \"$(stty size)\" = '33 77' ]; do :; done; echo wide aga''in\r");
    await shown.until(/ü 42[\s\S]*wide again/);
    shown.send("stdin", "exit\r");
    assert.deepEqual(await shown.closed, [1000, "the shell has ended"]);
    assert.equal(shown.saidThatItEnded, true);
    assert.equal((await lab.json("GET", `/api/terminals/${name}`)).status, 404);
  });

  it("go on without a tab, which gets what was printed meanwhile but no question a second time", async () => {
    const name = await start();
    const shown = await Shown.open(lab, name);
    shown.send("stdin", "printf '\\033[c\\033[6n'; sleep 0.2; echo la''ter\r");
    await shown.until(/\x1b\[c/);
    await shown.close();
    const again = await Shown.open(lab, name);
    await again.until(/later/);
    assert.match(again.text, /^\x1bc/);
    assert.doesNotMatch(again.text, /\x1b\[c|\x1b\[6n/);
    await again.close();
    await lab.json("DELETE", `/api/terminals/${name}`);
  });

  it("stop a program that floods when they are told to", async () => {
    const name = await start();
    const shown = await Shown.open(lab, name);
    shown.send("stdin", "yes\r");
    await shown.until(/(y\r\n){1000}/);
    shown.send("stdin", "\x03");
    shown.send("stdin", "echo do''ne\r");
    await shown.until(/done\r\n/);
    await shown.close();
    await lab.json("DELETE", `/api/terminals/${name}`);
  });

  it("end with all that runs in them: shells, what they run in the background, what hears nothing", async () => {
    const name = await start();
    const shown = await Shown.open(lab, name);
    shown.send("stdin", "sleep 1000 & echo back=$!= shell=$$=\r");
    const pids = [Number(await shown.until(/back=(\d+)=/)), Number(await shown.until(/shell=(\d+)=/))];
    assert.ok(pids.every(isThere));
    assert.equal((await lab.json("DELETE", `/api/terminals/${name}`)).status, 204);
    await Promise.all(pids.map(gone));
    assert.equal((await shown.closed)[0], 1000);
    const deaf = await start();
    const second = await Shown.open(lab, deaf);
    second.send("stdin", "trap '' HUP; echo deaf=$$=\r");
    const pid = Number(await second.until(/deaf=(\d+)=/));
    await lab.json("DELETE", `/api/terminals/${deaf}`);
    await gone(pid);
  });

  it("refuse what is no message, no size, no name and no folder of the lab", async () => {
    const outside = mkdtempSync(join(tmpdir(), "sdtp-outside-"));
    symlinkSync(outside, join(lab.folder, "out"));
    writeFileSync(join(lab.folder, "file.txt"), "");
    for (const [asked, status, message] of [
      [{ name: "../x" }, 400, /name: "..\/x" \(must be letters/], [{ name: 5 }, 400, /name: 5/], [{ name: "" }, 400, /name: ""/], [{ cwd: 5 }, 400, /cwd: 5/],
      [{ cwd: "../.." }, 400, /cannot be in a path/], [{ cwd: "out" }, 403, /leads out/], [{ cwd: ".git" }, 404, /hidden/], [{ cwd: "nowhere" }, 404, /no such folder/], [{ cwd: "file.txt" }, 404, /no such folder/],
    ] as const) {
      const answer = await lab.json("POST", "/api/terminals", asked);
      assert.equal(answer.status, status, JSON.stringify(asked));
      assert.match(String(answer.body.message), message);
    }
    rmSync(outside, { recursive: true });
    const name = await start();
    for (const [message, reason] of [["{", /JSON list/], ['{"a":1}', /JSON list/], ["[]", /must be stdin/], ['["stdin", 5]', /must be text/], ['["set_size", 0, 80]', /rows and columns/], ['["set_size", 1e9, 80]', /rows and columns/], [Buffer.from("x"), /must be text/]] as const) {
      const shown = await Shown.open(lab, name);
      shown.socket.send(message);
      const [code, said] = await shown.closed;
      assert.equal(code, 1007, String(message));
      assert.match(said, reason);
    }
    const large = await Shown.open(lab, name);
    large.send("stdin", "x".repeat(9 * 2 ** 20));
    assert.match((await large.closed)[1], /at most/);
    assert.equal((await lab.json("GET", `/api/terminals/${name}`)).status, 200);
    assert.deepEqual(lab.errors, []);
  });

  it("open to nobody without the token, under another name, or from another site's page", async () => {
    const name = await start();
    const cookie = ((await fetch(`${lab.origin}/lab?token=${lab.lab.token}`)).headers.get("Set-Cookie") ?? "").split(";")[0] ?? "";
    const status = (headers: Record<string, string>, method = "GET", path = `/terminals/websocket/${name}`) => new Promise<number>((resolve, reject) => {
      const upgrade = method === "GET" ? { Upgrade: "websocket", Connection: "Upgrade", "Sec-WebSocket-Version": "13", "Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAA==" } : {};
      const sent = request({ host: "127.0.0.1", port: lab.lab.port, path, method, headers: { Host: `localhost:${lab.lab.port}`, ...upgrade, ...headers } });
      sent.on("response", (response) => (resolve(response.statusCode ?? 0), sent.destroy()));
      sent.on("upgrade", (_, socket) => (resolve(101), socket.destroy()));
      sent.on("error", reject).end();
    });
    const local = `http://localhost:${lab.lab.port}`;
    assert.equal(await status({ Cookie: cookie, Origin: local }), 101);
    assert.equal(await status({}), 403);
    assert.equal(await status({ Authorization: "token wrong" }), 403);
    assert.equal(await status({ Cookie: cookie, Origin: "http://evil.example" }), 403);
    assert.equal(await status({ Cookie: cookie, Host: `evil.example:${lab.lab.port}`, Origin: `http://evil.example:${lab.lab.port}` }), 403);
    assert.equal(await status({ Cookie: cookie, Origin: local }, "GET", "/terminals/websocket/none"), 404);
    assert.equal(await status({ Cookie: cookie }, "POST", "/api/terminals"), 403);
    assert.equal(await status({ Cookie: cookie, Origin: "http://localhost:1" }, "POST", "/api/terminals"), 403);
    assert.equal(await status({ Cookie: cookie, Origin: "null" }, "DELETE", `/api/terminals/${name}`), 403);
  });

  it("end with the lab", async () => {
    const name = await start();
    const shown = await Shown.open(lab, name);
    shown.send("stdin", "echo shell=$$=\r");
    const pid = Number(await shown.until(/shell=(\d+)=/));
    await lab.lab.close();
    await gone(pid);
    await shown.closed;
    lab = await TestLab.open();
  });
});

it("a lab without pseudoterminals says what is missing, and refuses terminals", async () => {
  await assert.rejects(loadPty("@lydell/there-is-none"), { message: "terminals: none (the optional package @lydell/there-is-none is not installed)" });
  const terminals = new Terminals(new Root(tmpdir()), undefined);
  assert.equal(terminals.offered, false);
  await assert.rejects(terminals.open({}), { status: 501 });
});

it("what a terminal printed is kept from the start of a sequence on, with the screen that it was left on", () => {
  const history = new History();
  assert.equal(String(history), "");
  history.add("one\r\n");
  assert.equal(String(history), "\x1bcone\r\n");
  history.add(`\x1b[?1049h${"line\x1b[31m".repeat(200_000)}`);
  const kept = String(history);
  assert.match(kept.slice(0, 30), /^\x1bc\x1b\[\?1049h\x1b\[31mline/);
  assert.ok(kept.length < 2 ** 20 + 100 && kept.endsWith("line\x1b[31m"));
  history.add("\x1b[?1049l\x1b]11;?\x07\x1b]10;?\x1b\\\x1bP+q544e\x1b\\\x1b[>0q\x1b[?2026$p\x1b[14tend");
  assert.ok(String(history).endsWith("line\x1b[31m\x1b[?1049lend"));
});
