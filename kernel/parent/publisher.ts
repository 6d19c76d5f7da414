import { randomUUID } from "node:crypto";
import type { Header, JsonObject, Message } from "../../lib/jupyter/messages.js";
import { createHeader } from "../../lib/jupyter/wire.js";
import type { FromChild } from "../messages.js";
import type { RequestChannel, Sockets } from "./sockets.js";
import { StreamBatches } from "./streams.js";

/** Requests whose late output (from timers and promises) still finds its cell. */
const REMEMBERED = 1000;

interface Origin {
  message: Message;
  /** Where the last value is shown as a result: its number. */
  executionCount?: number;
}

/** Sends replies and iopub messages, each with the header of the request that caused it. */
export class Publisher {
  readonly #sockets: Sockets;
  readonly #session = randomUUID();
  readonly #streams: StreamBatches;
  readonly #origins = new Map<number, Origin>();
  /** Runs that are not over. */
  readonly #held = new Set<number>();

  constructor(sockets: Sockets) {
    this.#sockets = sockets;
    this.#streams = new StreamBatches((run, name, text) => this.#publish("stream", { name, text }, this.origin(run)?.message));
  }

  setParent(run: number, message: Message): void {
    this.#origins.set(run, { message });
    if (this.#origins.size <= REMEMBERED) return;
    for (const old of this.#origins.keys()) {
      if (this.#held.has(old)) continue;
      this.#origins.delete(old);
      break;
    }
  }

  /** Keeps a run's parent however many come meanwhile: a cell may run while comms and subshells are busy. */
  hold(run: number): void {
    this.#held.add(run);
  }

  release(run: number): void {
    this.#held.delete(run);
  }

  setResult(run: number, executionCount: number | undefined): void {
    const origin = this.#origins.get(run);
    if (origin && executionCount !== undefined) origin.executionCount = executionCount;
  }

  /** Run 0 stands for output that no cell is known for: it goes to the last one. */
  origin(run: number): Origin | undefined {
    return this.#origins.get(run) ?? [...this.#origins.values()].at(-1);
  }

  status(state: "busy" | "idle" | "starting", message?: Message): void {
    this.publish("status", { execution_state: state }, message);
  }

  reply(channel: RequestChannel, request: Message, msgType: string, content: JsonObject, metadata: JsonObject = {}): void {
    this.#streams.flush();
    void this.#sockets.send(channel, { ...this.#message(msgType, content, request.header, request.identities), metadata });
  }

  publish(msgType: string, content: JsonObject, parent?: Message, extra: { metadata?: JsonObject; buffers?: Uint8Array[] } = {}): void {
    this.#streams.flush();
    this.#publish(msgType, content, parent, extra);
  }

  stream(parent: Message, name: "stdout" | "stderr", text: string): void {
    this.publish("stream", { name, text }, parent);
  }

  /** Says to a new subscriber that its subscription holds. */
  welcome(topic: Uint8Array): void {
    const subscription = Buffer.from(topic).toString("utf8");
    void this.#sockets.send("iopub", this.#message("iopub_welcome", { subscription }, {}, [topic]));
  }

  /** Asks the client that sent `request` for a line of text. */
  ask(request: Message, prompt: string, password: boolean): Header {
    this.#streams.flush();
    const message = this.#message("input_request", { prompt, password }, request.header, request.identities);
    void this.#sockets.send("stdin", message);
    return message.header;
  }

  /** Passes on what the execution process has to show. */
  output(message: FromChild): void {
    switch (message.type) {
      case "stream":
        return this.#streams.add(message.run, message.name, message.text);
      case "display": {
        const content = { ...message.bundle, transient: message.displayId ? { display_id: message.displayId } : {} };
        return this.publish(message.update ? "update_display_data" : "display_data", content, this.origin(message.run)?.message);
      }
      case "clear":
        return this.publish("clear_output", { wait: message.wait }, this.origin(message.run)?.message);
      case "result": {
        const origin = this.origin(message.run);
        if (origin?.executionCount === undefined) return;
        return this.publish("execute_result", { execution_count: origin.executionCount, ...message.bundle }, origin.message);
      }
      case "comm": {
        const { kind, content, metadata, buffers } = message;
        return this.publish(kind, content, this.origin(message.run)?.message, { metadata, buffers });
      }
    }
  }

  #publish(msgType: string, content: JsonObject, parent?: Message, extra: { metadata?: JsonObject; buffers?: Uint8Array[] } = {}): void {
    const message = this.#message(msgType, content, parent?.header ?? {}, [Buffer.from(msgType)]);
    void this.#sockets.send("iopub", { ...message, ...extra });
  }

  #message(msgType: string, content: JsonObject, parent: Header | Record<string, never>, identities: Uint8Array[]): Message {
    const header = createHeader(msgType, this.#session);
    return { header, parent_header: parent, metadata: {}, content, buffers: [], identities };
  }
}
