import { Router, XPublisher } from "zeromq";
import { endpoint, type ConnectionInfo } from "../../lib/jupyter/connection.js";
import type { Message } from "../../lib/jupyter/messages.js";
import { Outbox } from "../../lib/jupyter/outbox.js";
import { decode, encode, RejectedMessage, ReplayGuard, Signer } from "../../lib/jupyter/wire.js";

export type RequestChannel = "shell" | "control" | "stdin";

/** The kernel's ends of the five sockets. What is malformed or not signed is dropped and counted. */
export class Sockets {
  readonly #connection: ConnectionInfo;
  readonly #signer: Signer;
  readonly #replays = new ReplayGuard();
  readonly #routers: Record<RequestChannel | "hb", Router>;
  readonly #iopub: XPublisher;
  readonly #outboxes: Record<RequestChannel | "iopub", Outbox>;
  /** How many messages were dropped, by reason. */
  readonly rejected = new Map<string, number>();

  constructor(connection: ConnectionInfo) {
    this.#connection = connection;
    this.#signer = new Signer(connection.key, connection.signature_scheme);
    const curve = connection.curve_secretkey ? { curveServer: true, curveSecretKey: connection.curve_secretkey } : {};
    // No high-water marks: a slow client must neither lose output nor stall the kernel.
    const options = { linger: 1000, sendHighWaterMark: 0, receiveHighWaterMark: 0, ...curve };
    this.#routers = {
      shell: new Router({ ...options, handover: true }),
      control: new Router({ ...options, handover: true }),
      stdin: new Router({ ...options, handover: true }),
      hb: new Router(options),
    };
    this.#iopub = new XPublisher({ ...options, verbosity: "allSubs" });
    this.#outboxes = {
      shell: new Outbox(this.#routers.shell),
      control: new Outbox(this.#routers.control),
      stdin: new Outbox(this.#routers.stdin),
      iopub: new Outbox(this.#iopub),
    };
  }

  /** Binds all sockets. @throws where a port is taken. */
  async bind(): Promise<void> {
    for (const channel of ["shell", "control", "stdin", "hb"] as const) {
      await this.#routers[channel].bind(endpoint(this.#connection, channel));
    }
    await this.#iopub.bind(endpoint(this.#connection, "iopub"));
  }

  /**
   * Starts to receive.
   * @param receive a signed, well-formed message
   * @param subscribed a client has subscribed to `topic` on iopub
   */
  listen(receive: (channel: RequestChannel, message: Message) => void, subscribed: (topic: Uint8Array) => void): void {
    void this.#echo();
    void this.#subscriptions(subscribed);
    for (const channel of ["shell", "control", "stdin"] as const) void this.#requests(channel, receive);
  }

  send(channel: RequestChannel | "iopub", message: Message<unknown>): Promise<void> {
    return this.#outboxes[channel].send(encode(message, this.#signer));
  }

  async close(): Promise<void> {
    await Promise.all(Object.values(this.#outboxes).map((outbox) => outbox.flush()));
    for (const socket of [...Object.values(this.#routers), this.#iopub]) socket.close();
  }

  async #requests(channel: RequestChannel, receive: (channel: RequestChannel, message: Message) => void): Promise<void> {
    await forEachMessage(this.#routers[channel], (frames) => {
      let message: Message;
      try {
        message = decode(frames, this.#signer);
        this.#replays.admit(frames);
      } catch (error) {
        const reason = error instanceof RejectedMessage ? error.reason : "unreadable";
        this.rejected.set(reason, (this.rejected.get(reason) ?? 0) + 1);
        return;
      }
      receive(channel, message);
    });
  }

  async #echo(): Promise<void> {
    const outbox = new Outbox(this.#routers.hb);
    await forEachMessage(this.#routers.hb, (frames) => outbox.send(frames));
  }

  async #subscriptions(subscribed: (topic: Uint8Array) => void): Promise<void> {
    // 1 and a topic subscribes, 0 and a topic ends it, anything else is no subscription.
    await forEachMessage(this.#iopub, ([frame]) => {
      if (frame?.[0] === 1) subscribed(frame.subarray(1));
    });
  }
}

async function forEachMessage(socket: AsyncIterable<Buffer[]> & { closed: boolean }, handle: (frames: Buffer[]) => unknown): Promise<void> {
  try {
    for await (const frames of socket) handle(frames);
  } catch (error) {
    if (!socket.closed) throw error;
  }
}
