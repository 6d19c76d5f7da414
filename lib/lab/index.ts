import { randomBytes } from "node:crypto";
import { realpath, stat } from "node:fs/promises";
import { homedir } from "node:os";
import { join, resolve } from "node:path";
import { WebSocketServer } from "ws";
import { userDataDir } from "../jupyter/paths.js";
import { listen, type Listening } from "../listen.js";
import { createApp } from "./app.js";
import { Assets } from "./assets.js";
import { Root } from "./contents/place.js";
import { Trust } from "./contents/trust.js";
import { Turns } from "./contents/turns.js";
import { Events } from "./events.js";
import { PROTOCOL } from "./kernels/framing.js";
import { Keeper } from "./kernels/keeper.js";
import { Kernels } from "./kernels/kernels.js";
import { Sessions } from "./kernels/sessions.js";
import type { Logos } from "./kernels/specs.js";
import { digestName } from "./state/store.js";
import { loadPty } from "./terminals/pty.js";
import { Terminals } from "./terminals/terminals.js";

export interface LabOptions {
  /** Default 8888, or the next that is free; 0: any that is free. */
  readonly port?: number;
  /** Default localhost: nobody else on the network. */
  readonly host?: string;
  /** Default: a new random one. */
  readonly token?: string;
  /** Pictures of the package's own kernel. */
  readonly logos?: Logos;
  /** Told of what went wrong without anybody asking. */
  readonly onError?: (error: Error) => void;
}

export interface Lab {
  /** `http://localhost:8888/lab?token=…` */
  readonly url: string;
  readonly port: number;
  readonly token: string;
  /** What is not offered here, and why. */
  readonly missing: readonly string[];
  /** Resolves when the user chose "Shut Down" in JupyterLab. */
  readonly shutdown: Promise<void>;
  /** Writes what cells printed that have no tab, ends all kernels and terminals, stops listening. */
  close(): Promise<void>;
}

/** Ports that are tried, from the one that is asked for. */
const TRIES = 50;

/** Bytes of one message of a browser at most. */
const MESSAGE = 128 * 2 ** 20;

/**
 * JupyterLab over a folder, served to this machine's browsers.
 * @throws where the folder is none, the port is taken, or the token is too short
 */
export async function openLab(folder: string, options: LabOptions = {}): Promise<Lab> {
  const { port = 8888, host = "127.0.0.1", token = randomBytes(24).toString("hex"), logos = {}, onError = () => {} } = options;
  const real = await realpath(resolve(folder)).catch(() => undefined);
  if (real === undefined || !(await stat(real)).isDirectory()) throw new Error(`folder: ${folder} (there is no such folder)`);
  if (!/^[\x21-\x7e]{8,}$/.test(token)) throw new Error("--token: must be 8 characters or more, without spaces");
  const root = new Root(real);
  const data = join(userDataDir(), "sdtp-lab");
  const trust = new Trust(data);
  const turns = new Turns();
  const events = new Events();
  const keeper: Keeper = new Keeper(root, trust, turns, () => sessions, onError);
  const kernels = new Kernels(root, {
    progressed: (kernel, execution) => keeper.progressed(kernel, execution),
    left: (kernel, session) => keeper.left(kernel, session),
    died: (kernel) => onError(new Error(`kernel ${kernel.chosen.name}: ended by itself${kernel.kernel.log ? `\n${kernel.kernel.log.trimEnd()}` : ""}`)),
  });
  const sessions = new Sessions(kernels);
  const missing: string[] = [];
  const terminals = new Terminals(root, await loadPty().catch((error: Error) => void missing.push(error.message)));
  let stop = () => {};
  const shutdown = new Promise<void>((resolve) => (stop = resolve));
  const app = createApp({
    root, assets: await Assets.open(), trust, turns, kernels, sessions, keeper, terminals, events, logos, token, hosts: [host], onError, onShutdown: () => stop(),
    folders: { settings: settingsFolder(), workspaces: join(data, "workspaces", digestName(real)) },
  });
  const websockets = new WebSocketServer({
    noServer: true, maxPayload: MESSAGE, perMessageDeflate: false,
    handleProtocols: (offered) => (offered.has(PROTOCOL) ? PROTOCOL : false),
  });
  const server = await firstFree(port, (candidate) => listen({ fetch: app.fetch, port: candidate, hostname: host, websocket: { server: websockets } }));
  const actual = server.port;
  const name = host === "127.0.0.1" ? "localhost" : host;
  return {
    url: `http://${name}:${actual}/lab?token=${encodeURIComponent(token)}`, port: actual, token, missing, shutdown,
    close: async () => {
      // What the tabs have not saved yet they cannot save any more.
      for (const kernel of kernels.all()) for (const session of new Set(kernel.executions.all().map((each) => each.session))) keeper.left(kernel, session);
      await Promise.all([kernels.close(), terminals.close()]);
      await keeper.close();
      for (const socket of websockets.clients) socket.terminate();
      await server.close();
    },
  };
}

/** As Jupyter does: the next port where one is taken. */
async function firstFree(port: number, start: (port: number) => Promise<Listening>): Promise<Listening> {
  for (let n = 0; ; n++) {
    try {
      return await start(port === 0 ? 0 : port + n);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EADDRINUSE") throw error;
      if (n >= TRIES) throw new Error(`--port: ${port} (it and the ${TRIES} ports after it are taken; 0: any that is free)`);
    }
  }
}

/** JupyterLab's own folder of settings: a user's choices hold in both. */
function settingsFolder(): string {
  const config = process.env.JUPYTER_CONFIG_DIR || join(homedir(), ".jupyter");
  return process.env.JUPYTERLAB_SETTINGS_DIR || join(config, "lab", "user-settings");
}
