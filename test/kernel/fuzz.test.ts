import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { after, describe, it } from "node:test";
import { Dealer, XSubscriber } from "zeromq";
import { createHeader, encode, endpoint, Signer, type Message } from "../../lib/jupyter/index.js";
import { PATIENCE, Session } from "./session.js";

/** Frames sent to each socket. */
const FRAMES = 10_000;

/** A small generator with a seed, so that a failure can be repeated. */
function random(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state ^ (state >>> 15), state | 1) + 0x6d2b79f5) | 0;
    return ((state ^ (state >>> 14)) >>> 0) / 2 ** 32;
  };
}

describe("fuzz", () => {
  it(`${FRAMES} random and mutated frames on every socket do not stop the kernel`, { timeout: 300_000 }, async () => {
    const session = await Session.start();
    after(() => session.end());
    const { connection } = session.kernel;
    const next = random(42);
    const integer = (below: number) => Math.floor(next() * below);
    const bytes = () => Buffer.from(Array.from({ length: integer(40) }, () => integer(256)));
    const signers = [new Signer(connection.key), new Signer("wrong")];
    const types = ["kernel_info_request", "complete_request", "inspect_request", "is_complete_request", "history_request", "comm_info_request", "comm_msg", "comm_open", "input_reply", "nonsense", "interrupt_request"];
    const odd = [null, 0, -1, 1e300, "", "\u0000", [], {}, { a: [[]] }, true, "x".repeat(2000)];
    const any = () => odd[integer(odd.length)] as never;

    /** A message that is nearly right. */
    const mutated = (): Uint8Array[] => {
      const content = { code: any(), cursor_pos: any(), n: any(), hist_access_type: any(), comm_id: any(), target_name: any(), data: any(), value: any() };
      const message: Message<unknown> = {
        header: createHeader(types[integer(types.length)] as string, randomUUID()),
        parent_header: next() < 0.1 ? any() : {},
        metadata: {},
        content: next() < 0.1 ? any() : content,
        buffers: next() < 0.1 ? [bytes()] : [],
        identities: next() < 0.1 ? [bytes()] : [],
      };
      const frames = encode(message, signers[next() < 0.7 ? 0 : 1] as Signer);
      const at = integer(frames.length);
      switch (integer(8)) {
        case 0:
          frames.splice(at, 1);
          break;
        case 1:
          frames.splice(at, 0, bytes());
          break;
        case 2:
          frames[at] = bytes();
          break;
        case 3: {
          const frame = Buffer.from(frames[at] as Uint8Array);
          if (frame.length > 0) frame[integer(frame.length)] = integer(256);
          frames[at] = frame;
          break;
        }
        case 4:
          frames.length = at;
          break;
      }
      return frames.length > 0 ? frames : [Buffer.alloc(0)];
    };

    for (const channel of ["shell", "control", "stdin", "hb", "iopub"] as const) {
      const options = { linger: 2000, sendHighWaterMark: 0, receiveHighWaterMark: 0 };
      const socket = channel === "iopub" ? new XSubscriber(options) : new Dealer(options);
      socket.connect(endpoint(connection, channel));
      for (let sent = 0; sent < FRAMES; ) {
        const frames = next() < 0.4 ? Array.from({ length: 1 + integer(7) }, bytes) : mutated();
        sent += frames.length;
        await socket.send(frames);
        if (sent % 500 < frames.length) await new Promise((resolve) => setImmediate(resolve));
      }
      // Every request before it was handled, or dropped, when this one is answered.
      const info = await session.client.kernelInfo({ timeout: PATIENCE });
      assert.equal(info.status, "ok", channel);
      assert.ok((await session.client.heartbeat(PATIENCE)) > 0);
      socket.close();
    }
    // Among the mutated messages are valid interrupts, some of which met the process that runs cells while it started.
    assert.equal(await session.value("1 + 1"), "2");
    assert.equal(session.kernel.log, "");
  });
});
