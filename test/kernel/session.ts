import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Kernel, type ExecuteOptions, type ExecuteReply, type JsonObject, type LaunchOptions, type Message } from "../../lib/jupyter/index.js";

/** Generous: the machine may be busy. Failing fast is not what these tests are about. */
export const PATIENCE = 120_000;

export const root = join(import.meta.dirname, "..", "..", "..");

export const spec = {
  argv: [process.execPath, join(root, "dist", "kernel", "main.js"), "{connection_file}"],
  interrupt_mode: "message" as const,
};

export interface Ran {
  reply: ExecuteReply;
  /** Everything on iopub that the cell caused, without status messages. */
  messages: Message[];
  /** Contents of messages of one type. */
  contents(type: string): JsonObject[];
  /** Joined text of a stream. */
  stream(name: "stdout" | "stderr"): string;
  /** text/plain of the result. */
  text: string | undefined;
  /** The result's MIME bundle. */
  data: JsonObject;
}

/** A kernel in a folder of its own, for tests. */
export class Session {
  private constructor(
    readonly kernel: Kernel,
    readonly folder: string,
  ) {}

  /** @param files texts by name, in the notebook's folder before the kernel starts */
  static async start(options: Partial<LaunchOptions> = {}, files: Record<string, string> = {}): Promise<Session> {
    const folder = mkdtempSync(join(tmpdir(), "sdtp-notebook-"));
    for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text);
    const env = { SDTP_HISTORY: "none", ...options.env };
    return new Session(await Kernel.start({ spec, cwd: folder, ...options, env }, { timeout: PATIENCE }), folder);
  }

  get client() {
    return this.kernel.client;
  }

  async run(code: string, options: ExecuteOptions = {}): Promise<Ran> {
    const messages: Message[] = [];
    const onOutput = (message: Message) => {
      if (message.header.msg_type !== "status") messages.push(message);
      options.onOutput?.(message);
    };
    const reply = await this.client.execute(code, { timeout: PATIENCE, ...options, onOutput });
    const contents = (type: string) => messages.filter((each) => each.header.msg_type === type).map((each) => each.content);
    const data = (contents("execute_result")[0]?.data ?? {}) as JsonObject;
    return {
      reply,
      messages,
      contents,
      stream: (name) => contents("stream").filter((each) => each.name === name).map((each) => each.text).join(""),
      text: data["text/plain"] as string | undefined,
      data,
    };
  }

  /** text/plain of what `code` evaluates to. @throws where it fails. */
  async value(code: string): Promise<string | undefined> {
    const { reply, text } = await this.run(code);
    if (reply.status !== "ok") throw new Error(`cell: ${code} (${reply.ename}: ${reply.evalue})`);
    return text;
  }

  /** Runs `code`, interrupts it once it has printed `started` (or after `delay` ms), and returns how it ended and how long that took. */
  async interrupted(code: string, { delay = 0, started = "started" } = {}): Promise<Ran & { ms: number }> {
    let begin = () => {};
    const running = new Promise<void>((resolve) => (begin = resolve));
    const ran = this.run(code, {
      onOutput: (message) => {
        if (message.header.msg_type === "stream" && String(message.content.text).includes(started)) begin();
      },
    });
    // A cell that ends before it has begun would otherwise be waited for without end.
    await Promise.race([running, ran]);
    await new Promise((resolve) => setTimeout(resolve, delay));
    const start = performance.now();
    await this.client.interrupt({ timeout: PATIENCE });
    return { ...(await ran), ms: performance.now() - start };
  }

  async end(): Promise<void> {
    await this.kernel.shutdown();
    rmSync(this.folder, { recursive: true, force: true });
  }
}
