import type { ConnectionInfo } from "../../lib/jupyter/connection.js";
import type { JsonObject, Message } from "../../lib/jupyter/messages.js";
import type { CommMessageType, FromChild } from "../messages.js";
import { OpenComms } from "./comms.js";
import type { Compiler } from "./compiler.js";
import { Debugger } from "./debug/debugger.js";
import { Executor } from "./execute.js";
import { Execution } from "./execution.js";
import { History } from "./history.js";
import { kernelInfo } from "./info.js";
import { Publisher } from "./publisher.js";
import { Sessions } from "./sessions.js";
import { Shell, Shells, unknownSubshell } from "./shells.js";
import { Sockets, type RequestChannel } from "./sockets.js";

/** Milliseconds that shutdown messages get to leave. */
const LINGER = 100;

/** The kernel: answers requests on the five channels. */
export class KernelServer {
  readonly #connection: ConnectionInfo;
  readonly #sockets: Sockets;
  readonly #publisher: Publisher;
  readonly #compiler: Compiler;
  readonly #closing: () => void;
  readonly #execution: Execution;
  readonly #executor: Executor;
  readonly #shells: Shells;
  readonly #debugger: Debugger;
  /** The last debug_request: what the debugger does by itself is of its making. */
  #debugging: Message | undefined;
  readonly #comms = new OpenComms();
  /** Questions to clients by the id of input_request, with the execution process's number for each. */
  readonly #questions = new Map<string, number>();
  #shuttingDown = false;

  /**
   * @param historyFolder where inputs are kept for later sessions; undefined: nowhere
   * @param closing called when the kernel begins to shut down
   */
  constructor(connection: ConnectionInfo, { compiler, historyFolder, closing }: { compiler: Compiler; historyFolder: string | undefined; closing: () => void }) {
    this.#connection = connection;
    this.#sockets = new Sockets(connection);
    this.#publisher = new Publisher(this.#sockets);
    this.#compiler = compiler;
    this.#closing = closing;
    this.#execution = new Execution(
      (message) => this.#fromChild(message),
      () => this.#childEnded(),
    );
    this.#debugger = new Debugger({
      inspect: (call, ends) => this.#execution.inspect(call, ends),
      letGo: (run) => this.#execution.send({ type: "go", run }),
      event: (content) => this.#publisher.publish("debug_event", content, this.#debugging),
      // A compiler that ends meanwhile knows nothing: then it is shown.
      isCaught: (...place) => this.#compiler.call("isCaught", ...place).catch(() => false),
    });
    this.#shells = new Shells(new Shell(undefined, new History(new Sessions(historyFolder))));
    this.#executor = new Executor(this.#compiler, this.#execution, this.#publisher, this.#shells, this.#debugger);
  }

  /** Binds the sockets and answers from now on. @throws where a port is taken. */
  async start(): Promise<void> {
    await this.#sockets.bind();
    this.#sockets.listen(
      (channel, message) => void this.#receive(channel, message),
      (topic) => this.#publisher.welcome(topic),
    );
    this.#publisher.status("starting");
  }

  interrupt(): void {
    this.#executor.interrupt(this.#debugger.interrupted());
  }

  /** Ends the execution process, then this one. */
  async shutdown(): Promise<void> {
    if (this.#shuttingDown) return;
    this.#shuttingDown = true;
    this.#closing();
    this.#compiler.close();
    await this.#execution.close();
    await this.#sockets.close();
    setTimeout(() => process.exit(0), LINGER);
  }

  async #receive(channel: RequestChannel, message: Message): Promise<void> {
    try {
      if (channel === "stdin") this.#answered(message);
      else await this.#request(channel, message);
    } catch (error) {
      process.stderr.write(`${message.header.msg_type}: ${(error as Error).stack ?? String(error)}\n`);
    }
  }

  async #request(channel: "shell" | "control", message: Message): Promise<void> {
    const { msg_type } = message.header;
    const shell = channel === "shell" ? this.#shells.find(message) : this.#shells.main;
    if (shell && channel === "shell" && msg_type === "execute_request") return this.#executor.enqueue(shell, message);
    this.#publisher.status("busy", message);
    try {
      if (!shell) throw unknownSubshell(message.header.subshell_id);
      const content = await this.#handle(msg_type, message, shell);
      if (content) {
        this.#publisher.reply(channel, message, msg_type.replace(/_request$/, "_reply"), content);
        if (msg_type === "shutdown_request") this.#publisher.publish("shutdown_reply", content, message);
      }
    } catch (error) {
      if (msg_type.endsWith("_request")) {
        const { name: ename, message: evalue } = error as Error;
        const content = { status: "error", ename, evalue, traceback: [`${ename}: ${evalue}`] };
        this.#publisher.reply(channel, message, msg_type.replace(/_request$/, "_reply"), content);
      } else if (!shell) {
        process.stderr.write(`${msg_type}: ${(error as Error).message}\n`);
      }
    }
    this.#publisher.status("idle", message);
    this.#executor.repeatBusy();
    if (msg_type === "shutdown_request") await this.shutdown();
  }

  /** The content of the reply; undefined where there is none. @throws for a request that cannot be met. */
  async #handle(msgType: string, message: Message, shell: Shell): Promise<JsonObject | undefined> {
    const { content } = message;
    switch (msgType) {
      case "kernel_info_request":
        return kernelInfo();
      case "complete_request": {
        const found = await this.#compiler.call("complete", text(content, "code"), number(content, "cursor_pos"));
        const { matches, start, end, kinds } = found;
        const types = matches.map((match, i) => ({ text: match, type: kinds[i] ?? "", start, end }));
        return { status: "ok", matches, cursor_start: start, cursor_end: end, metadata: { _jupyter_types_experimental: types } };
      }
      case "inspect_request": {
        const detail = content.detail_level === 1 ? 1 : 0;
        const found = await this.#compiler.call("inspect", text(content, "code"), number(content, "cursor_pos"), detail);
        const data = found ? { "text/markdown": found.markdown, "text/plain": found.plain } : {};
        return { status: "ok", found: found !== undefined, data, metadata: {} };
      }
      case "is_complete_request":
        return { ...(await this.#compiler.call("isComplete", text(content, "code"))) };
      case "sdtp_check_request": {
        const { cells, remark } = await this.#compiler.call("check", texts(content, "cells"));
        return { status: "ok", cells: cells as unknown as JsonObject[], ...(remark !== undefined && { remark }) };
      }
      case "history_request":
        return { status: "ok", history: shell.history.query(content) as unknown as JsonObject[string] };
      case "comm_info_request":
        return { status: "ok", comms: this.#comms.info(content.target_name) };
      case "connect_request": {
        const { shell_port, iopub_port, stdin_port, hb_port, control_port } = this.#connection;
        return { status: "ok", shell_port, iopub_port, stdin_port, hb_port, control_port };
      }
      case "debug_request":
        this.#debugging = message;
        return this.#debugger.answer(content);
      case "create_subshell_request":
        return { status: "ok", subshell_id: this.#shells.create().id as string };
      case "delete_subshell_request":
        this.#executor.deleteSubshell(content.subshell_id);
        return { status: "ok" };
      case "list_subshell_request":
        return { status: "ok", subshell_id: this.#shells.ids() };
      case "interrupt_request":
        this.interrupt();
        return { status: "ok" };
      case "shutdown_request":
        return { status: "ok", restart: content.restart === true };
      case "comm_open":
      case "comm_msg":
      case "comm_close":
        this.#fromClient(msgType, message);
        return undefined;
      default:
        throw new Error(`request: ${msgType} (not supported by this kernel)`);
    }
  }

  #fromClient(kind: CommMessageType, message: Message): void {
    const { content, metadata, buffers } = message;
    this.#comms.note(kind, content);
    const run = this.#executor.newRun(message);
    this.#execution.send({ type: "comm", run, kind, content, metadata, buffers });
  }

  /** What a cell made may be anything: where it cannot be sent, that is said, and the kernel goes on. */
  #fromChild(message: FromChild): void {
    try {
      this.#pass(message);
    } catch (error) {
      const run = "run" in message ? message.run : 0;
      this.#publisher.output({ type: "stream", run, name: "stderr", text: `${message.type}: cannot be sent (${(error as Error).message})\n` });
    }
  }

  #pass(message: FromChild): void {
    if (message.type === "input") return this.#ask(message.run, message.id, message.prompt, message.password);
    if (message.type === "inspector" || message.type === "inspector-event" || message.type === "held") return this.#debugger.received(message);
    if (message.type === "comm") this.#comms.note(message.kind, message.content);
    if (message.type === "result") {
      const origin = this.#publisher.origin(message.run);
      const plain = message.bundle.data["text/plain"];
      if (origin?.executionCount !== undefined && typeof plain === "string") this.#shells.find(origin.message)?.history.setOutput(origin.executionCount, plain);
    }
    this.#publisher.output(message);
  }

  #ask(run: number, id: number, prompt: string, password: boolean): void {
    const request = this.#publisher.origin(run)?.message;
    if (!request || request.content.allow_stdin === false) {
      return this.#execution.send({ type: "input", id, error: "input: this client cannot ask (allow_stdin is false)" });
    }
    this.#questions.set(this.#publisher.ask(request, prompt, password).msg_id, id);
  }

  #answered(message: Message): void {
    if (message.header.msg_type !== "input_reply") return;
    // Clients may leave the parent out; then it answers the latest question.
    const asked = String(message.parent_header.msg_id ?? "");
    const key = this.#questions.has(asked) ? asked : [...this.#questions.keys()].at(-1);
    if (key === undefined) return;
    const id = this.#questions.get(key) as number;
    this.#questions.delete(key);
    this.#execution.send({ type: "input", id, value: String(message.content.value ?? "") });
  }

  #childEnded(): void {
    this.#comms.clear();
    this.#questions.clear();
    this.#executor.lost();
    this.#debugger.lost();
  }
}

function text(content: JsonObject, field: string): string {
  const value = content[field];
  if (typeof value !== "string") throw new Error(`${field}: ${JSON.stringify(value)} (must be a string)`);
  return value;
}

function texts(content: JsonObject, field: string): string[] {
  const value = content[field];
  if (!Array.isArray(value) || !value.every((each) => typeof each === "string")) throw new Error(`${field}: ${JSON.stringify(value)} (must be a list of strings)`);
  return value as string[];
}

function number(content: JsonObject, field: string): number {
  const value = content[field];
  if (typeof value !== "number") throw new Error(`${field}: ${JSON.stringify(value)} (must be a number)`);
  return value;
}
