import { writeSync } from "node:fs";
import { serialize } from "node:v8";
import { FRAME_HEAD, FRAME_MARK, OUTPUT_FD, type FromChild } from "../messages.js";

/** Writes a message to the parent whole, waiting where the pipe is full. */
export function writeFrame(message: FromChild): void {
  const body = serialize(message);
  const frame = Buffer.allocUnsafe(FRAME_HEAD + body.length);
  frame.writeUInt32LE(FRAME_MARK);
  frame.writeUInt32LE(body.length, 4);
  frame.set(body, FRAME_HEAD);
  for (let sent = 0; sent < frame.length; ) {
    try {
      sent += writeSync(OUTPUT_FD, frame, sent);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EAGAIN") throw error;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1);
    }
  }
}
