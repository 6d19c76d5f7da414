import type { Channel } from "../../jupyter/messages.js";

/** Name of the protocol: https://jupyter-server.readthedocs.io/en/latest/developers/websocket-protocols.html */
export const PROTOCOL = "v1.kernel.websocket.jupyter.org";

/** One binary message: the number of offsets and the offsets (64 bits each, little-endian), the channel's name, the message's parts. */
export function pack(channel: Channel, parts: readonly Uint8Array[]): Buffer {
  const name = Buffer.from(channel);
  const count = parts.length + 2;
  const head = Buffer.alloc(8 * (count + 1));
  head.writeBigUInt64LE(BigInt(count), 0);
  let offset = head.length;
  for (const [i, part] of [name, ...parts].entries()) {
    head.writeBigUInt64LE(BigInt(offset), 8 * (i + 1));
    offset += part.length;
  }
  head.writeBigUInt64LE(BigInt(offset), 8 * count);
  return Buffer.concat([head, name, ...parts]);
}

/**
 * The channel and the parts of a message: header, parent header, metadata, content, buffers.
 * @throws Error for bytes that are no such message
 */
export function unpack(bytes: Buffer): { channel: string; parts: Buffer[] } {
  const count = bytes.length < 8 ? 0 : Number(bytes.readBigUInt64LE(0));
  if (count < 6 || bytes.length < 8 * (count + 1)) throw new Error("message: has no offsets of four parts");
  const offsets = Array.from({ length: count }, (_, i) => Number(bytes.readBigUInt64LE(8 * (i + 1))));
  if (offsets.some((offset, i) => offset < (offsets[i - 1] ?? 8 * (count + 1)) || offset > bytes.length)) throw new Error("message: its offsets are not in order");
  const [channel, ...parts] = offsets.slice(0, -1).map((offset, i) => bytes.subarray(offset, offsets[i + 1]));
  return { channel: String(channel), parts };
}
