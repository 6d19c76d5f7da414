import { userInfo } from "node:os";
import { Hono, type Context } from "hono";
import { bodyLimit } from "hono/body-limit";
import { HTTPException } from "hono/http-exception";
import { Assets } from "./assets.js";
import type { Root } from "./contents/place.js";
import { contentsRoutes } from "./contents/routes.js";
import type { Trust } from "./contents/trust.js";
import type { Turns } from "./contents/turns.js";
import { Events } from "./events.js";
import { guard, type GuardOptions } from "./guard.js";
import type { Keeper } from "./kernels/keeper.js";
import type { Kernels } from "./kernels/kernels.js";
import { kernelRoutes } from "./kernels/routes.js";
import type { Sessions } from "./kernels/sessions.js";
import type { Logos } from "./kernels/specs.js";
import { exportRoutes } from "./nbconvert.js";
import { page, refusedPage } from "./page.js";
import { pathAfter } from "./requests.js";
import { Refusal } from "./refusal.js";
import { stateRoutes, type StateFolders } from "./state/routes.js";
import { terminalRoutes } from "./terminals/routes.js";
import type { Terminals } from "./terminals/terminals.js";

export interface AppParts extends GuardOptions {
  readonly root: Root;
  readonly assets: Assets;
  readonly trust: Trust;
  readonly turns: Turns;
  readonly kernels: Kernels;
  readonly sessions: Sessions;
  readonly keeper: Keeper;
  readonly terminals: Terminals;
  readonly events: Events;
  readonly logos: Logos;
  readonly folders: StateFolders;
  readonly onError: (error: Error) => void;
  /** "Shut Down" in JupyterLab's menu. */
  readonly onShutdown: () => void;
}

/** Bytes of a request at most: a notebook with its pictures. Files are uploaded in pieces of a megabyte. */
const LARGEST = 256 * 2 ** 20;

/** The version of the REST interface that is spoken, Jupyter Server's. */
const API_VERSION = "2.17.0";

/** Every route that JupyterLab asks for. */
export function createApp(parts: AppParts): Hono {
  const { root, assets, trust, turns, kernels, sessions, keeper, terminals, events, logos, folders } = parts;
  const app = new Hono();
  const started = new Date();
  app.onError((error, c) => refused(c, error, parts.onError));
  app.notFound((c) => refused(c, new Refusal(404, `${c.req.method} ${c.req.path}: there is no such route`), parts.onError));
  app.use(guard(parts));
  app.use(bodyLimit({ maxSize: LARGEST, onError: () => { throw new Refusal(413, `the request is larger than ${LARGEST / 2 ** 20} MiB`); } }));

  contentsRoutes(app, root, trust, turns, {
    beforeRead: (path) => keeper.flush(path),
    saved: (path) => keeper.saved(path),
    moved: (from, to) => sessions.moved(from, to),
  });
  kernelRoutes(app, kernels, sessions, keeper, logos);
  terminalRoutes(app, terminals);
  stateRoutes(app, assets, folders);
  exportRoutes(app, root);
  events.routes(app);

  app.get("/api", (c) => c.json({ version: API_VERSION }));
  app.get("/api/", (c) => c.json({ version: API_VERSION }));
  app.get("/api/status", (c) => {
    const running = kernels.list();
    return c.json({
      started: started.toISOString(), kernels: running.length,
      last_activity: running.map((kernel) => kernel.last_activity).sort().at(-1) ?? started.toISOString(),
      connections: running.reduce((sum, { connections }) => sum + connections, 0),
    });
  });
  app.get("/api/me", (c) => {
    const { username } = userInfo();
    return c.json({ identity: { username, name: username, display_name: username, initials: username.slice(0, 1).toUpperCase(), avatar_url: null, color: null }, permissions: {} });
  });
  app.post("/api/shutdown", (c) => {
    setTimeout(parts.onShutdown, 50);
    return c.json({ message: "shutting down" });
  });

  app.get("/lab/api/licenses", (c) => c.json({ bundles: {} }));
  app.get("/lab/api/licenses/text", (c) => file(c, "licenses.txt", "no-cache"));
  app.get("/lab/api/themes/*", (c) => file(c, `themes/${pathAfter(c, "/lab/api/themes")}`, "no-cache"));
  // Their names change with their content.
  app.get("/static/lab/*", (c) => file(c, `static/${pathAfter(c, "/static/lab")}`, "public, max-age=31536000, immutable"));
  const file = (c: Context, name: string, cache: string) => {
    const response = assets.response(name, c.req.header("Accept-Encoding"), cache);
    if (!response) throw new Refusal(404, `${c.req.path}: there is no such file`);
    return response;
  };

  app.get("/", (c) => c.redirect("/lab"));
  app.get("/lab", show);
  app.get("/lab/*", show);
  app.get("/doc/*", show);
  function show(c: Context): Response {
    const path = pathAfter(c, "");
    const [, app = "lab", workspace = "default", tree = ""] = /^(lab|doc)(?:\/workspaces\/([^/]+))?(?:\/tree\/?(.*))?$/s.exec(path) ?? [];
    if (path.startsWith("lab/api/")) throw new Refusal(404, `${c.req.path}: there is no such route`);
    c.header("Cache-Control", "no-store");
    return c.html(page(assets, { folder: root.folder, terminals: terminals.offered, tree, workspace, single: app === "doc" }));
  }
  return app;
}

function refused(c: Context, error: Error, onError: (error: Error) => void): Response {
  const status = error instanceof Refusal ? error.status : error instanceof HTTPException ? error.status : 500;
  if (status === 500) onError(error);
  const isPage = c.req.method === "GET" && /\btext\/html\b/.test(c.req.header("Accept") ?? "");
  c.header("X-Content-Type-Options", "nosniff");
  if (isPage) return c.html(refusedPage(error.message), status as 403);
  return c.json({ message: error.message, reason: null }, status as 403);
}
