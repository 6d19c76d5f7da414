import { listen } from "../listen.js";
import type { Model, PrefillSettings } from "../runtime/model.js";
import { createApp } from "./app.js";
import { Metrics } from "./metrics.js";
import { PrefixCache } from "./prefix-cache.js";
import { Prompts } from "./prompts.js";
import { Service } from "./service.js";
import { Steps } from "./steps.js";
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
  /** Tokens at the end of every prompt that are not pruned but appended to what is kept of those before, where a request says nothing; default: the method decides by itself. */
  readonly tailTokens?: number;
  /** Tokens that are pruned as one at most, in one run of the model that all others wait for; longer ones are refused. Default: as many as the model takes. */
  readonly maxPrunedTokens?: number;
  /** Tokens of a prompt without pruning that one run of the model takes, beside those that others wait for; default 512. */
  readonly maxBatchedTokens?: number;
  /** Bytes of caches that are kept for prompts that begin alike; 0: none. Default 512 MiB. */
  readonly prefixCacheBytes?: number;
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

/** Sequences that one run of the model takes at most: more would have it load longer than they save. */
const MOST_TOGETHER = 8;

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
  const { tailTokens, maxPrunedTokens, maxBatchedTokens = 512, prefixCacheBytes = 2 ** 29 } = options;
  // Unknown methods are told before anything is served.
  model.plan(1, pruning);
  const turns = new Turns({ running: maxRunning, waiting: maxWaiting });
  const slots = Math.min(maxRunning, MOST_TOGETHER);
  // The first request is not to wait for it, and no other graph decodes then.
  if (model.together) await model.warmTogether(slots);
  const rounds = model.computeDtype !== "fp32" || model.kvDtype !== "fp32";
  const prefixes = new PrefixCache(prefixCacheBytes, rounds ? maxBatchedTokens : null);
  const metrics = new Metrics(turns, prefixes);
  const steps = new Steps(model, { slots, pieceTokens: maxBatchedTokens, onStep: ({ sequences, tokens }) => (metrics.sequences.observe(sequences), metrics.iterationTokens.observe(tokens)) });
  const prompts = new Prompts(model, steps, prefixes, maxBatchedTokens);
  const service = new Service(model, turns, steps, prompts, metrics, { ...pruning, ...(tailTokens !== undefined && { tailTokens }), ...(maxPrunedTokens !== undefined && { maxPrunedTokens }) }, name);
  const app = createApp(service, { timeout: timeout * 1e3, bodyLimit: BODY_LIMIT, ...(apiKey !== undefined && { apiKey }), ...(onError && { onError }) });
  const server = await listen({ fetch: app.fetch, port, hostname: host }).catch((error: NodeJS.ErrnoException) => {
    throw error.code === "EADDRINUSE" ? new Error(`port ${port}: is taken on ${host} (choose another with --port, or 0 for any that is free)`) : error;
  });
  const shown = server.family === "IPv6" ? `[${server.address}]` : server.address;
  return {
    url: `http://${shown}:${server.port}/v1`,
    close: () => {
      prefixes.clear();
      return server.close();
    },
  };
}
