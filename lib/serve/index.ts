import { serve as listen } from "@hono/node-server";
import type { AddressInfo } from "node:net";
import type { Model, PrefillSettings } from "../runtime/model.js";
import { createApp } from "./app.js";
import { Metrics } from "./metrics.js";
import { Service } from "./service.js";
import { Turns } from "./turns.js";

export interface ServeOptions {
  /** Default 8000; 0: any that is free. */
  readonly port?: number;
  /** Default localhost: nobody else on the network. */
  readonly host?: string;
  readonly apiKey?: string;
  /** Name under which the model is served; default: the model's own. */
  readonly name?: string;
  /** What is pruned where a request says nothing; default: nothing. */
  readonly pruning?: Pick<PrefillSettings, "preset" | "scorer" | "kvPolicy">;
  /** Requests whose caches are held at once; default 8. */
  readonly maxRunning?: number;
  /** Requests that wait for one of those to end; default 64. */
  readonly maxWaiting?: number;
  /** Seconds after which a request ends with an error; default 600. */
  readonly timeout?: number;
  readonly onError?: (error: Error) => void;
}

export interface Served {
  /** `http://host:port/v1`. */
  readonly url: string;
  /** Stops listening and ends what is open. */
  close(): Promise<void>;
}

/** Megabytes of a request at most: the ids of a prompt of a million tokens. */
const BODY_LIMIT = 16 * 2 ** 20;

/**
 * Serves a model by the API that evaluation suites, load generators and chat clients speak.
 * @throws where the port is taken, or a setting is nothing for this model
 * @example
 * const server = await serve(await sdtp.load("tiny", { worker: true }), { port: 8000, pruning: { preset: "keep07" } });
 */
export async function serve(model: Model, options: ServeOptions = {}): Promise<Served> {
  const { port = 8000, host = "127.0.0.1", apiKey, name = model.name, pruning = {}, maxRunning = 8, maxWaiting = 64, timeout = 600, onError } = options;
  // Unknown methods are told before anything is served.
  model.plan(1, pruning);
  const turns = new Turns({ running: maxRunning, waiting: maxWaiting });
  const service = new Service(model, turns, new Metrics(turns), pruning, name);
  const app = createApp(service, { timeout: timeout * 1e3, bodyLimit: BODY_LIMIT, ...(apiKey !== undefined && { apiKey }), ...(onError && { onError }) });
  const server = await new Promise<ReturnType<typeof listen>>((resolve, reject) => {
    const starting = listen({ fetch: app.fetch, port, hostname: host }, () => resolve(starting));
    starting.on("error", (error: NodeJS.ErrnoException) => reject(error.code === "EADDRINUSE" ? new Error(`port ${port}: is taken on ${host} (choose another with --port, or 0 for any that is free)`) : error));
  });
  const address = server.address() as AddressInfo;
  const shown = address.family === "IPv6" ? `[${address.address}]` : address.address;
  return {
    url: `http://${shown}:${address.port}/v1`,
    close: () => new Promise((resolve) => {
      server.close(() => resolve());
      if ("closeAllConnections" in server) server.closeAllConnections();
    }),
  };
}
