import type { CommInfoReply, JsonObject } from "../../lib/jupyter/messages.js";
import type { CommMessageType } from "../messages.js";

/** Which comms are open, kept here so that comm_info_request is answered while a cell computes. */
export class OpenComms {
  readonly #targets = new Map<string, string>();

  note(kind: CommMessageType, content: JsonObject): void {
    const id = String(content.comm_id);
    if (kind === "comm_open") this.#targets.set(id, String(content.target_name));
    if (kind === "comm_close") this.#targets.delete(id);
  }

  info(target?: unknown): CommInfoReply["comms"] {
    const matching = [...this.#targets].filter(([, name]) => typeof target !== "string" || name === target);
    return Object.fromEntries(matching.map(([id, target_name]) => [id, { target_name }]));
  }

  clear(): void {
    this.#targets.clear();
  }
}
