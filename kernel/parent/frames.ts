import { deserialize } from "node:v8";
import { FRAME_HEAD, FRAME_MARK, type FromChild } from "../messages.js";

/**
 * Takes messages out of a stream of bytes: a mark and a little-endian length in four bytes each, then the message.
 * @throws in the returned function, for what is no message
 */
export function frameReader(receive: (message: FromChild) => void): (chunk: Buffer) => void {
  let chunks: Buffer[] = [];
  let length = 0;
  return (chunk) => {
    chunks.push(chunk);
    length += chunk.length;
    while (length >= FRAME_HEAD) {
      const first = chunks[0] as Buffer;
      const head = first.length >= FRAME_HEAD ? first : Buffer.concat(chunks);
      if (head.readUInt32LE(0) !== FRAME_MARK) throw new Error("frame: no mark");
      const size = FRAME_HEAD + head.readUInt32LE(4);
      if (length < size) return;
      const all = chunks.length === 1 ? first : Buffer.concat(chunks);
      const rest = all.subarray(size);
      chunks = rest.length > 0 ? [rest] : [];
      length = rest.length;
      receive(deserialize(all.subarray(FRAME_HEAD, size)) as FromChild);
    }
  };
}
