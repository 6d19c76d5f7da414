import { upgradeWebSocket } from "@hono/node-server";
import type { Hono } from "hono";
import type { WebSocket } from "ws";
import { body } from "../requests.js";
import type { Screen } from "./terminal.js";
import type { TerminalAsked, Terminals } from "./terminals.js";

/**
 * Terminals, as Jupyter Server has them: JSON lists over a websocket.
 * https://jupyter-server-terminals.readthedocs.io, https://terminado.readthedocs.io/en/latest/websocket.html
 */
export function terminalRoutes(app: Hono, terminals: Terminals): void {
  app.get("/api/terminals", (c) => c.json(terminals.list()));
  app.post("/api/terminals", async (c) => c.json(await terminals.open(await body<TerminalAsked>(c))));
  app.get("/api/terminals/:name", (c) => c.json(terminals.get(c.req.param("name")).model));
  app.delete("/api/terminals/:name", async (c) => {
    await terminals.end(c.req.param("name"));
    return c.body(null, 204);
  });
  app.get("/terminals/websocket/:name", async (c, next) => {
    terminals.get(c.req.param("name"));
    await next();
  }, upgradeWebSocket((c) => {
    const terminal = terminals.get(c.req.param("name") ?? "");
    let screen: Screen | undefined;
    return {
      onOpen: (_, { raw }) => {
        const socket = raw as WebSocket;
        screen = {
          send: (text) => socket.send(text),
          close: (code, reason) => socket.close(code, reason),
          get buffered() { return socket.bufferedAmount; },
        };
        terminal.attach(screen);
      },
      onMessage: ({ data }, { close }) => {
        try {
          if (typeof data !== "string") throw new Error("message: must be text");
          if (screen) terminal.receive(screen, data);
        } catch (error) {
          close(1007, (error as Error).message.slice(0, 120));
        }
      },
      onClose: () => screen && terminal.detach(screen),
    };
  }));
}
