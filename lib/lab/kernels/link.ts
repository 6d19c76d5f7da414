import type { ConnectionInfo } from "../../jupyter/connection.js";
import type { Channel } from "../../jupyter/messages.js";
import { Sockets, type Asking } from "../../jupyter/sockets.js";
import type { Signer } from "../../jupyter/wire.js";
import { Allowance } from "./allowance.js";
import { pack, unpack } from "./framing.js";

/** The websocket of a tab. */
export interface Wire {
  send(bytes: Buffer): void;
  close(code: number, reason: string): void;
  /** Bytes that the browser has not taken yet. */
  readonly buffered: number;
}

/** Bytes that wait for a tab at most: while it is away, and while it does not keep up. */
const AWAY = 64 * 2 ** 20;
const BEHIND = 128 * 2 ** 20;

/** Bytes of streams that a tab is sent at once, and in a second from then on. */
const BURST = 2 ** 21;
const RATE = 2 ** 16;

const DELIMITER = Buffer.from("<IDS|MSG>");
const ASKING: readonly string[] = ["shell", "control", "stdin"];

/** What follows the signature: header, parent header, metadata, content, buffers. */
export function partsAfterSignature(frames: readonly Buffer[]): Buffer[] {
  return frames.slice(frames.findIndex((frame) => DELIMITER.equals(frame)) + 2);
}

/**
 * A tab's way to a kernel. It stays when the connection breaks: a tab that comes back under the same session gets what it missed.
 */
export class Link {
  readonly #sockets: Sockets;
  #wire: Wire | undefined;
  #missed: Buffer[] = [];
  #missedBytes = 0;
  #dropping = false;
  readonly #streams = new Allowance(BURST, RATE);

  constructor(
    readonly session: string,
    connection: ConnectionInfo,
    readonly signer: Signer,
    /** Told of each message of the tab. */
    readonly onSent: (channel: Asking, parts: readonly Buffer[]) => void,
  ) {
    this.#sockets = new Sockets(connection, (channel, frames) => this.deliver(channel, partsAfterSignature(frames)), ["shell", "control", "stdin"]);
  }

  get attached(): boolean {
    return this.#wire !== undefined;
  }

  /** The tab is there; another connection of the same tab ends. */
  attach(wire: Wire): void {
    this.#wire?.close(1000, "another connection has this session");
    this.#wire = wire;
    for (const bytes of this.#missed) wire.send(bytes);
    [this.#missed, this.#missedBytes] = [[], 0];
  }

  /** @returns false where another connection has taken its place */
  detach(wire: Wire): boolean {
    if (this.#wire !== wire) return false;
    this.#wire = undefined;
    return true;
  }

  /** A message for the tab. @param kind of an output; what floods is left out, and that is said once in its place */
  deliver(channel: Channel, parts: readonly Buffer[], kind?: "stream" | "display"): void {
    if (kind !== undefined && this.#floods(parts, kind)) {
      if (!this.#dropping) this.#send(pack("iopub", note(parts)));
      this.#dropping = true;
      return;
    }
    if (kind !== undefined) this.#dropping = false;
    this.#send(pack(channel, parts));
  }

  #floods(parts: readonly Buffer[], kind: "stream" | "display"): boolean {
    const buffered = this.#wire?.buffered ?? 0;
    if (buffered > (this.#dropping ? BEHIND / 2 : BEHIND)) return true;
    return kind === "stream" && !this.#streams.take(parts.reduce((sum, part) => sum + part.length, 0));
  }

  #send(bytes: Buffer): void {
    if (this.#wire) return this.#wire.send(bytes);
    this.#missedBytes += bytes.length;
    if (this.#missedBytes <= AWAY) this.#missed.push(bytes);
  }

  /** A message of the tab. @throws Error where it is none */
  async receive(bytes: Buffer): Promise<void> {
    const { channel, parts } = unpack(bytes);
    if (!ASKING.includes(channel)) throw new Error(`message: channel ${JSON.stringify(channel)} (must be ${ASKING.join(", ")})`);
    this.onSent(channel as Asking, parts);
    await this.#sockets.send(channel as Asking, [DELIMITER, Buffer.from(this.signer.sign(parts.slice(0, 4))), ...parts]);
  }

  async close(reason: string): Promise<void> {
    this.#wire?.close(1001, reason);
    this.#wire = undefined;
    await this.#sockets.close();
  }
}

/** Says in the cell that outputs are missing. */
function note([header, parent]: readonly Buffer[]): Buffer[] {
  const told = { ...(JSON.parse(String(header)) as object), msg_type: "stream", msg_id: crypto.randomUUID() };
  const text = "\n(the cell writes faster than a browser can show: some of its output is left out)\n";
  return [told, JSON.parse(String(parent)) as object, {}, { name: "stderr", text }].map((part) => Buffer.from(JSON.stringify(part)));
}
