import { randomUUID } from "node:crypto";
import { Dealer, Subscriber } from "zeromq";
import { endpoint, type ConnectionInfo } from "./connection.js";
import type { Channel } from "./messages.js";
import { Outbox } from "./outbox.js";

export type Asking = "shell" | "control" | "stdin";

/** The sockets of a client, and the frames of messages as they are. Survive a kernel that starts again on the same ports. */
export class Sockets {
  readonly #sockets: { close(): void }[] = [];
  readonly #outboxes = new Map<Asking, Outbox>();
  readonly #loops: Promise<void>[] = [];
  #closed = false;

  /** @param channels those that are opened; default all but the heartbeat */
  constructor(connection: ConnectionInfo, listener: (channel: Channel, frames: Buffer[]) => void, channels: readonly (Asking | "iopub")[] = ["shell", "control", "stdin", "iopub"]) {
    // The kernel asks for input on stdin with the identity that the request had on shell.
    const routingId = randomUUID();
    const curve = curveClient(connection);
    for (const channel of channels) {
      // linger 0: a kernel that is gone must not keep this process alive with messages for it.
      const socket = channel === "iopub" ? new Subscriber({ linger: 0, receiveHighWaterMark: 0, ...curve }) : new Dealer({ linger: 0, sendHighWaterMark: 0, receiveHighWaterMark: 0, ...curve, routingId });
      socket.connect(endpoint(connection, channel));
      if (socket instanceof Subscriber) socket.subscribe();
      else this.#outboxes.set(channel as Asking, new Outbox(socket));
      this.#sockets.push(socket);
      this.#loops.push(this.#listen(channel, socket, listener));
    }
  }

  /** Queues a message; resolves when zeromq has taken it or the sockets are closed. */
  async send(channel: Asking, frames: Uint8Array[]): Promise<void> {
    await this.#outboxes.get(channel)?.send(frames);
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    for (const outbox of this.#outboxes.values()) outbox.close();
    for (const socket of this.#sockets) socket.close();
    await Promise.all(this.#loops);
  }

  async #listen(channel: Channel, socket: AsyncIterable<Buffer[]>, listener: (channel: Channel, frames: Buffer[]) => void): Promise<void> {
    try {
      for await (const frames of socket) listener(channel, frames);
    } catch (error) {
      if (!this.#closed) throw error;
    }
  }
}

/** Socket options of CurveZMQ's client end; any key pair will do for a client, the kernel's is at hand. */
export function curveClient(connection: ConnectionInfo) {
  if (!connection.curve_publickey) return {};
  return {
    curveServerKey: connection.curve_publickey,
    curvePublicKey: connection.curve_publickey,
    curveSecretKey: connection.curve_secretkey ?? "",
  };
}
