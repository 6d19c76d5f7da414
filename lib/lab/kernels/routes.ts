import { upgradeWebSocket } from "@hono/node-server";
import type { Hono } from "hono";
import type { WebSocket } from "ws";
import { body } from "../requests.js";
import { Refusal } from "../refusal.js";
import { PROTOCOL } from "./framing.js";
import type { Keeper } from "./keeper.js";
import type { Kernels } from "./kernels.js";
import type { Wire } from "./link.js";
import type { SessionAsked, Sessions } from "./sessions.js";
import { kernelspecs, resource, type Logos } from "./specs.js";
import { getMimeType } from "hono/utils/mime";

/** Kernels and sessions. https://jupyter-server.readthedocs.io/en/latest/developers/rest-api.html */
export function kernelRoutes(app: Hono, kernels: Kernels, sessions: Sessions, keeper: Keeper, logos: Logos): void {
  app.get("/api/kernelspecs", (c) => c.json(kernelspecs(logos)));
  app.get("/kernelspecs/:name/:file", async (c) => {
    const { name, file } = c.req.param();
    const content = await resource(logos, name, file);
    return new Response(content as BodyInit, { headers: { "Content-Type": getMimeType(file) ?? "application/octet-stream", "Cache-Control": "max-age=3600" } });
  });

  app.get("/api/kernels", (c) => c.json(kernels.list()));
  app.post("/api/kernels", async (c) => {
    const { name, path } = await body<{ name?: string; path?: string }>(c);
    return c.json((await kernels.start(name, path)).model, 201);
  });
  app.get("/api/kernels/:id", (c) => c.json(kernels.get(c.req.param("id")).model));
  app.delete("/api/kernels/:id", async (c) => {
    const kernel = kernels.get(c.req.param("id"));
    await kernels.end(kernel.id);
    await keeper.flush();
    sessions.withoutKernel(kernel);
    return c.body(null, 204);
  });
  app.post("/api/kernels/:id/interrupt", async (c) => {
    await kernels.get(c.req.param("id")).interrupt();
    return c.body(null, 204);
  });
  app.post("/api/kernels/:id/restart", async (c) => {
    const kernel = kernels.get(c.req.param("id"));
    await kernel.restart().catch((error: Error) => { throw new Refusal(500, `kernel ${kernel.chosen.name}: did not start again (${error.message})`); });
    return c.json(kernel.model);
  });
  app.get("/api/kernels/:id/channels", async (c, next) => {
    kernels.get(c.req.param("id"));
    const offered = (c.req.header("Sec-WebSocket-Protocol") ?? "").split(",").map((each) => each.trim());
    if (!offered.includes(PROTOCOL)) throw new Refusal(400, `Sec-WebSocket-Protocol: ${offered.join(", ") || "none"} (must offer ${PROTOCOL})`);
    await next();
  }, upgradeWebSocket((c) => {
    const kernel = kernels.get(c.req.param("id") ?? "");
    const session = c.req.query("session_id") || crypto.randomUUID();
    let connected: ReturnType<typeof kernel.connect> | undefined;
    return {
      onOpen: (_, { raw }) => {
        const socket = raw as WebSocket;
        const wire: Wire = {
          send: (bytes) => socket.send(bytes),
          close: (code, reason) => socket.close(code, reason),
          get buffered() { return socket.bufferedAmount; },
        };
        connected = kernel.connect(session, wire);
        keeper.returned(kernel, session);
      },
      onMessage: ({ data }, { close }) => {
        const received = data instanceof ArrayBuffer ? connected?.receive(Buffer.from(data)) : Promise.reject(new Error("message: must be binary"));
        received?.catch((error: Error) => close(1007, error.message.slice(0, 120)));
      },
      onClose: () => connected?.closed(),
    };
  }));

  app.get("/api/sessions", (c) => c.json(sessions.list()));
  app.post("/api/sessions", async (c) => c.json(await sessions.open(await body<SessionAsked>(c)), 201));
  app.get("/api/sessions/:id", (c) => c.json(sessions.get(c.req.param("id"))));
  app.patch("/api/sessions/:id", async (c) => c.json(await sessions.change(c.req.param("id"), await body<SessionAsked>(c))));
  app.delete("/api/sessions/:id", async (c) => {
    await sessions.end(c.req.param("id"), () => keeper.flush());
    return c.body(null, 204);
  });

  // A route of our own: what runs in a notebook that a tab opens, and behind which message the tab has the rest from the kernel.
  app.post("/lab/api/running", async (c) => {
    const { path = "", session = "" } = await body<{ path?: string; session?: string }>(c);
    const running = keeper.adopt(path, session).map((execution) => ({
      msg_id: execution.msgId, cell_id: execution.cellId, done: execution.done,
      execution_count: execution.cell.execution_count, outputs: execution.cell.outputs, displays: execution.displays(),
    }));
    const marks = sessions.kernelsOf(path).map((kernel) => kernel.mark(session));
    return c.json({ mark: marks.find((mark) => mark !== undefined) ?? null, running });
  });
}
