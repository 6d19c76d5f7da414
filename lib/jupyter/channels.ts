import { Request } from "zeromq";
import { endpoint, type ConnectionInfo } from "./connection.js";
import type { Channel, Message } from "./messages.js";
import { curveClient, Sockets, type Asking } from "./sockets.js";
import { decode, encode, Signer } from "./wire.js";

type Listener = (channel: Channel, message: Message) => void;

/** The channels of a client. Knows messages, not what they mean. */
export class Channels {
  readonly #sockets: Sockets;
  readonly #signer: Signer;
  readonly #connection: ConnectionInfo;
  /** Messages that were dropped because they were not signed by the kernel or not well-formed. */
  rejected = 0;

  constructor(connection: ConnectionInfo, listener: Listener) {
    this.#connection = connection;
    this.#signer = new Signer(connection.key, connection.signature_scheme);
    this.#sockets = new Sockets(connection, (channel, frames) => {
      let message: Message;
      try {
        message = decode(frames, this.#signer);
      } catch {
        this.rejected++;
        return;
      }
      listener(channel, message);
    });
  }

  send(channel: Asking, message: Message<unknown>): Promise<void> {
    return this.#sockets.send(channel, encode(message, this.#signer));
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

  close(): Promise<void> {
    return this.#sockets.close();
  }
}
