import { createHmac, getHashes, randomUUID, timingSafeEqual } from "node:crypto";
import type { Header, Json, JsonObject, Message } from "./messages.js";
import { PROTOCOL_VERSION } from "./messages.js";

const DELIMITER = Buffer.from("<IDS|MSG>");
const EMPTY = Buffer.alloc(0);

/** Why {@link decode} refused a message. */
export type RejectionReason = "no delimiter" | "too few frames" | "bad signature" | "duplicate signature" | "bad json" | "bad header";

/** A multipart message that is not a Jupyter message, or not one signed with our key. */
export class RejectedMessage extends Error {
  constructor(readonly reason: RejectionReason) {
    super(`message: ${reason}`);
  }
}

/**
 * Signs and checks messages with one connection's key.
 * @param scheme `signature_scheme` of the connection file: `hmac-` and a hash by Python's name or OpenSSL's.
 * @param key the shared key; empty means that messages are not signed.
 * @throws for a scheme that is not known.
 */
export class Signer {
  readonly #hash: string;
  readonly #key: string;

  constructor(key: string, scheme = "hmac-sha256") {
    const [kind, name = ""] = splitOnce(scheme, "-");
    const hash = opensslName(name.toLowerCase());
    if (key !== "" && (kind !== "hmac" || !getHashes().includes(hash))) {
      throw new Error(`signature_scheme: ${scheme} (must be hmac- and a hash, such as hmac-sha256)`);
    }
    this.#key = key;
    this.#hash = hash;
  }

  /** Hex digest over the four JSON frames, empty without a key. */
  sign(frames: Uint8Array[]): string {
    if (this.#key === "") return "";
    const hmac = createHmac(this.#hash, this.#key);
    for (const frame of frames) hmac.update(frame);
    return hmac.digest("hex");
  }

  /** True where `signature` (a frame off the wire) is ours; takes the same time wherever it differs. */
  verify(signature: Uint8Array, frames: Uint8Array[]): boolean {
    if (this.#key === "") return true;
    const expected = Buffer.from(this.sign(frames));
    return signature.length === expected.length && timingSafeEqual(signature, expected);
  }
}

/** A new header; `session` names this end of the connection. */
export function createHeader(msgType: string, session: string, username = "kernel"): Header {
  return {
    msg_id: randomUUID(),
    session,
    username,
    date: new Date().toISOString(),
    msg_type: msgType,
    version: PROTOCOL_VERSION,
  };
}

/** Frames of a message: identities, delimiter, signature, four JSON dictionaries, buffers. */
export function encode(message: Message<unknown>, signer: Signer): Uint8Array[] {
  const frames = [message.header, message.parent_header, message.metadata, message.content].map((part) =>
    Buffer.from(JSON.stringify(part ?? {})),
  );
  return [...message.identities, DELIMITER, Buffer.from(signer.sign(frames)), ...frames, ...message.buffers];
}

/**
 * The message in `frames`. Nothing of it is parsed before its signature was checked.
 * @throws RejectedMessage
 */
export function decode(frames: Uint8Array[], signer: Signer): Message {
  const delimiter = frames.findIndex((frame) => DELIMITER.equals(frame));
  if (delimiter < 0) throw new RejectedMessage("no delimiter");
  const [signature, header, parent, metadata, content, ...buffers] = frames.slice(delimiter + 1);
  if (!signature || !header || !parent || !metadata || !content) throw new RejectedMessage("too few frames");
  if (!signer.verify(signature, [header, parent, metadata, content])) throw new RejectedMessage("bad signature");
  return {
    header: asHeader(parseObject(header)),
    parent_header: parseObject(parent) as unknown as Header,
    metadata: parseObject(metadata),
    content: parseObject(content),
    buffers,
    identities: frames.slice(0, delimiter),
  };
}

/**
 * Refuses what was seen before, so that a recorded message cannot be replayed.
 * Remembers the last `capacity` signatures.
 */
export class ReplayGuard {
  readonly #seen = new Set<string>();
  constructor(readonly capacity = 65_536) {}

  /** @throws RejectedMessage for a signature seen before. */
  admit(frames: Uint8Array[]): void {
    const delimiter = frames.findIndex((frame) => DELIMITER.equals(frame));
    const signature = Buffer.from(frames[delimiter + 1] ?? EMPTY).toString("latin1");
    if (signature === "") return;
    if (this.#seen.has(signature)) throw new RejectedMessage("duplicate signature");
    this.#seen.add(signature);
    if (this.#seen.size > this.capacity) {
      for (const oldest of this.#seen) {
        this.#seen.delete(oldest);
        break;
      }
    }
  }
}

/** Clients written in Python take names of its hashlib: sha3_256, blake2b. */
function opensslName(name: string): string {
  const blake = { blake2b: "blake2b512", blake2s: "blake2s256" }[name];
  return blake ?? name.replace("_", "-");
}

function parseObject(frame: Uint8Array): JsonObject {
  let value: Json;
  try {
    value = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(frame)) as Json;
  } catch {
    throw new RejectedMessage("bad json");
  }
  if (value === null || typeof value !== "object" || Array.isArray(value)) throw new RejectedMessage("bad json");
  return value;
}

function asHeader(value: JsonObject): Header {
  if (typeof value.msg_id !== "string" || typeof value.msg_type !== "string") throw new RejectedMessage("bad header");
  return value as unknown as Header;
}

function splitOnce(text: string, separator: string): [string, string | undefined] {
  const at = text.indexOf(separator);
  return at < 0 ? [text, undefined] : [text.slice(0, at), text.slice(at + 1)];
}
