import { randomUUID } from "node:crypto";
import { Dealer, Request, Subscriber } from "zeromq";
import { endpoint, type ConnectionInfo } from "./connection.js";
import type { Channel, Message } from "./messages.js";
import { Outbox } from "./outbox.js";
import { decode, encode, Signer } from "./wire.js";

type Listener = (channel: Channel, message: Message) => void;

/** The five sockets of a client. Knows messages, not what they mean. */
export class Channels {
  readonly #shell: Dealer;
  readonly #control: Dealer;
  readonly #stdin: Dealer;
  readonly #iopub: Subscriber;
  readonly #signer: Signer;
  readonly #outboxes: Record<"shell" | "control" | "stdin", Outbox>;
  readonly #connection: ConnectionInfo;
  readonly #loops: Promise<void>[];
  #closed = false;
  /** Messages that were dropped because they were not signed by the kernel or not well-formed. */
  rejected = 0;

  constructor(connection: ConnectionInfo, listener: Listener) {
    this.#connection = connection;
    this.#signer = new Signer(connection.key, connection.signature_scheme);
    // The kernel asks for input on stdin with the identity that the request had on shell.
    const routingId = randomUUID();
    const curve = curveClient(connection);
    // linger 0: a kernel that is gone must not keep this process alive with messages for it.
    const common = { linger: 0, sendHighWaterMark: 0, receiveHighWaterMark: 0, ...curve };
    this.#shell = new Dealer({ ...common, routingId });
    this.#control = new Dealer({ ...common, routingId });
    this.#stdin = new Dealer({ ...common, routingId });
    this.#iopub = new Subscriber({ linger: 0, receiveHighWaterMark: 0, ...curve });
    this.#shell.connect(endpoint(connection, "shell"));
    this.#control.connect(endpoint(connection, "control"));
    this.#stdin.connect(endpoint(connection, "stdin"));
    this.#iopub.connect(endpoint(connection, "iopub"));
    this.#iopub.subscribe();
    this.#outboxes = {
      shell: new Outbox(this.#shell),
      control: new Outbox(this.#control),
      stdin: new Outbox(this.#stdin),
    };
    this.#loops = [
      this.#listen("shell", this.#shell, listener),
      this.#listen("control", this.#control, listener),
      this.#listen("stdin", this.#stdin, listener),
      this.#listen("iopub", this.#iopub, listener),
    ];
  }

  send(channel: "shell" | "control" | "stdin", message: Message<unknown>): Promise<void> {
    return this.#outboxes[channel].send(encode(message, this.#signer));
  }

  /**
   * Milliseconds until the kernel's heartbeat came back.
   * @throws where it did not within `timeout` milliseconds.
   */
  async heartbeat(timeout = 1000): Promise<number> {
    const socket = new Request({ linger: 0, receiveTimeout: timeout, ...curveClient(this.#connection) });
    try {
      socket.connect(endpoint(this.#connection, "hb"));
      const start = performance.now();
      await socket.send("ping");
      await socket.receive().catch(() => {
        throw new Error(`heartbeat: none within ${timeout} ms`);
      });
      return performance.now() - start;
    } finally {
      socket.close();
    }
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    for (const outbox of Object.values(this.#outboxes)) outbox.close();
    for (const socket of [this.#shell, this.#control, this.#stdin, this.#iopub]) socket.close();
    await Promise.all(this.#loops);
  }

  async #listen(channel: Channel, socket: AsyncIterable<Buffer[]>, listener: Listener): Promise<void> {
    try {
      for await (const frames of socket) {
        let message: Message;
        try {
          message = decode(frames, this.#signer);
        } catch {
          this.rejected++;
          continue;
        }
        listener(channel, message);
      }
    } catch (error) {
      if (!this.#closed) throw error;
    }
  }
}

/** Socket options of CurveZMQ's client end; any key pair will do for a client, the kernel's is at hand. */
function curveClient(connection: ConnectionInfo) {
  if (!connection.curve_publickey) return {};
  return {
    curveServerKey: connection.curve_publickey,
    curvePublicKey: connection.curve_publickey,
    curveSecretKey: connection.curve_secretkey ?? "",
  };
}
