import { deserialize } from "node:v8";
import type { FromChild } from "../messages.js";

/** Takes messages out of a stream of bytes: a little-endian length in four bytes, then the message. */
export function frameReader(receive: (message: FromChild) => void): (chunk: Buffer) => void {
  let chunks: Buffer[] = [];
  let length = 0;
  return (chunk) => {
    chunks.push(chunk);
    length += chunk.length;
    while (length >= 4) {
      const first = chunks[0] as Buffer;
      const head = first.length >= 4 ? first : Buffer.concat(chunks);
      const size = head.readUInt32LE(0);
      if (length < 4 + size) return;
      const all = chunks.length === 1 ? first : Buffer.concat(chunks);
      const rest = all.subarray(4 + size);
      chunks = rest.length > 0 ? [rest] : [];
      length = rest.length;
      receive(deserialize(all.subarray(4, 4 + size)) as FromChild);
    }
  };
}
