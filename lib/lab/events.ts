import { upgradeWebSocket } from "@hono/node-server";
import type { Hono } from "hono";
import type { WSContext } from "hono/ws";

/** Events that tabs listen to: JSON objects over a websocket, as Jupyter's event system has them. */
export class Events {
  readonly #listeners = new Set<WSContext>();

  /** @param schema what kind of event it is, an URI */
  emit(schema: string, data: object): void {
    const text = JSON.stringify({ schema_id: schema, schema_version: "1", timestamp: new Date().toISOString(), ...data });
    for (const listener of this.#listeners) listener.send(text);
  }

  routes(app: Hono): void {
    app.get("/api/events/subscribe", upgradeWebSocket(() => ({
      onOpen: (_, socket) => void this.#listeners.add(socket),
      onClose: (_, socket) => void this.#listeners.delete(socket),
    })));
    // Events of tabs are for servers that gather them.
    app.post("/api/events", (c) => c.body(null, 204));
  }
}
