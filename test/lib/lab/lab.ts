import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { WebSocket } from "ws";
import { openLab, type Lab } from "../../../lib/lab/index.js";
import { pack, PROTOCOL, unpack } from "../../../lib/lab/kernels/framing.js";
import { createHeader } from "../../../lib/jupyter/wire.js";
import type { JsonObject } from "../../../lib/jupyter/messages.js";
import { PATIENCE, within } from "../../waits.js";

export const TOKEN = "a token of tests";

/** A lab over an empty folder, with a user's folders of its own. */
export class TestLab {
  private constructor(readonly lab: Lab, readonly folder: string, readonly home: string, readonly errors: Error[]) {}

  static async open(): Promise<TestLab> {
    const home = mkdtempSync(join(tmpdir(), "sdtp-lab-home-"));
    const folder = mkdtempSync(join(tmpdir(), "sdtp-lab-"));
    Object.assign(process.env, { JUPYTER_DATA_DIR: join(home, "data"), JUPYTERLAB_SETTINGS_DIR: join(home, "settings"), SDTP_HISTORY: "none" });
    const errors: Error[] = [];
    const lab = await openLab(folder, { port: 0, token: TOKEN.replaceAll(" ", "-"), onError: (error) => void errors.push(error) });
    return new TestLab(lab, folder, home, errors);
  }

  get origin(): string {
    return `http://localhost:${this.lab.port}`;
  }

  fetch(path: string, init: RequestInit = {}): Promise<Response> {
    return fetch(this.origin + path, { signal: AbortSignal.timeout(PATIENCE), ...init, headers: { Authorization: `token ${this.lab.token}`, ...init.headers } });
  }

  /** @param body sent as JSON */
  async json<T = JsonObject>(method: string, path: string, body?: unknown): Promise<{ status: number; body: T }> {
    const response = await this.fetch(path, { method, ...(body !== undefined && { body: JSON.stringify(body) }) });
    const text = await response.text();
    return { status: response.status, body: (text === "" ? undefined : JSON.parse(text)) as T };
  }

  async close(): Promise<void> {
    await within("the lab's end", this.lab.close());
    for (const folder of [this.folder, this.home]) rmSync(folder, { recursive: true, force: true });
  }
}

interface Received {
  channel: string;
  header: { msg_type: string; msg_id: string };
  parent_header: { msg_id?: string };
  content: JsonObject;
}

/** A tab's connection to a kernel. */
export class Tab {
  readonly received: Received[] = [];
  #changed = () => {};

  private constructor(readonly socket: WebSocket, readonly session: string) {
    socket.on("message", (data: Buffer) => {
      const { channel, parts } = unpack(data);
      const [header, parent_header, , content] = parts.map((part) => JSON.parse(String(part)) as JsonObject);
      this.received.push({ channel, header, parent_header, content } as unknown as Received);
      this.#changed();
    });
  }

  static async open(lab: TestLab, kernel: string, session: string = crypto.randomUUID()): Promise<Tab> {
    const socket = new WebSocket(`${lab.origin.replace("http", "ws")}/api/kernels/${kernel}/channels?session_id=${session}&token=${lab.lab.token}`, PROTOCOL);
    // What it missed comes at once.
    const tab = new Tab(socket, session);
    await within("a tab's websocket", new Promise((resolve, reject) => socket.once("open", resolve).once("error", reject)));
    return tab;
  }

  /** Sends an execute request of a notebook's cell. @returns its id */
  run(code: string, cellId: string): string {
    const header = createHeader("execute_request", this.session);
    const content = { code, silent: false, store_history: true, user_expressions: {}, allow_stdin: false, stop_on_error: true };
    this.socket.send(pack("shell", [header, {}, { cellId }, content].map((part) => Buffer.from(JSON.stringify(part)))));
    return header.msg_id;
  }

  /** Resolves with the first message that `is` accepts, of those that came and those that come. */
  async until(is: (message: Received) => boolean): Promise<Received> {
    const seen = () => this.received.slice(-8).map(({ header, content }) => [header.msg_type, JSON.stringify(content).slice(0, 100)]);
    for (;;) {
      const found = this.received.find(is);
      if (found) return found;
      await within(`a message that is ${String(is)}`, new Promise<void>((resolve) => (this.#changed = resolve)), { seen });
    }
  }

  idle(id: string): Promise<Received> {
    return this.until(({ header, parent_header: parent, content }) => header.msg_type === "status" && parent.msg_id === id && content.execution_state === "idle");
  }

  printed(id: string, text: string): Promise<unknown> {
    return this.until(() => this.text(id).includes(text));
  }

  text(id: string): string {
    return this.received.filter(({ header, parent_header: parent }) => header.msg_type === "stream" && parent.msg_id === id).map(({ content }) => String(content.text)).join("");
  }

  async close(): Promise<void> {
    const closed = new Promise((resolve) => this.socket.once("close", resolve));
    this.socket.close();
    await within("the websocket's end", closed);
  }
}
