import { randomUUID } from "node:crypto";
import type { JsonObject } from "../../lib/jupyter/messages.js";
import { jsonSafe } from "../display/bundle.js";
import type { CommMessage, CommMessageType } from "../messages.js";
import type { Comm, Comms as Api } from "./api.js";
import { send } from "./channel.js";
import { currentRun } from "./output.js";

type OnMessage = (data: unknown, buffers: Uint8Array[]) => void;
type OnClose = (data: unknown) => void;
type Opened = (comm: Comm, data: unknown, buffers: Uint8Array[]) => void;

interface Open {
  comm: Comm;
  onMessage: OnMessage[];
  onClose: OnClose[];
}

/** The comms of this process. */
export class Comms implements Api {
  readonly #open = new Map<string, Open>();
  readonly #targets = new Map<string, Opened>();

  open(target: string, data: object = {}, metadata: object = {}, buffers: Uint8Array[] = []): Comm {
    const id = randomUUID();
    // What cannot be sent was not opened.
    emit("comm_open", { comm_id: id, target_name: target, data: data as JsonObject }, metadata, buffers);
    return this.#add(id, target).comm;
  }

  register(target: string, opened: Opened): void {
    this.#targets.set(target, opened);
  }

  /** A comm message of the client's. A comm to an unknown target is closed at once, as the protocol asks. */
  receive({ kind, content, buffers }: CommMessage): void {
    const id = String(content.comm_id);
    if (kind === "comm_open") {
      const opened = this.#targets.get(String(content.target_name));
      if (!opened) return emit("comm_close", { comm_id: id, data: {} });
      return opened(this.#add(id, String(content.target_name)).comm, content.data, buffers);
    }
    const open = this.#open.get(id);
    if (kind === "comm_msg") for (const listener of open?.onMessage ?? []) listener(content.data, buffers);
    if (kind === "comm_close") {
      this.#open.delete(id);
      for (const listener of open?.onClose ?? []) listener(content.data);
    }
  }

  #add(id: string, target: string): Open {
    const onMessage: OnMessage[] = [];
    const onClose: OnClose[] = [];
    const comm: Comm = {
      id,
      target,
      send: (data, metadata, buffers) => emit("comm_msg", { comm_id: id, data: data as JsonObject }, metadata, buffers),
      close: (data = {}) => {
        if (this.#open.delete(id)) emit("comm_close", { comm_id: id, data: data as JsonObject });
      },
      onMessage: (listener) => void onMessage.push(listener),
      onClose: (listener) => void onClose.push(listener),
    };
    const open = { comm, onMessage, onClose };
    this.#open.set(id, open);
    return open;
  }
}

function emit(kind: CommMessageType, content: JsonObject, metadata: object = {}, buffers: Uint8Array[] = []): void {
  send({ type: "comm", run: currentRun(), kind, content: jsonSafe(content) as JsonObject, metadata: jsonSafe(metadata) as JsonObject, buffers });
}
