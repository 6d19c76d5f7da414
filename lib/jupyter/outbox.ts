import type { MessageLike, Writable } from "zeromq";

/**
 * Sends multipart messages in order. A zeromq socket refuses a second send while one waits, so each
 * waits for the one before it; in the usual case nothing waits.
 */
export class Outbox {
  #tail: Promise<void> = Promise.resolve();
  #closed = false;

  constructor(readonly socket: Writable<MessageLike | MessageLike[]>) {}

  /** Queues a message; resolves when zeromq has taken it or the socket is closed. */
  send(frames: Uint8Array[]): Promise<void> {
    this.#tail = this.#tail.then(async () => {
      if (this.#closed) return;
      try {
        await this.socket.send(frames);
      } catch {
        // A peer that has gone is no reason to stop: its messages are dropped, as PUB and ROUTER do.
      }
    });
    return this.#tail;
  }

  /** Resolves when everything queued so far was taken by zeromq. */
  flush(): Promise<void> {
    return this.#tail;
  }

  close(): void {
    this.#closed = true;
  }
}
