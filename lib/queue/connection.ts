import { readFileSync } from "node:fs";
import type { Redis, RedisOptions } from "ioredis";
import { pause } from "./pause.js";

/** Seconds without an answer after which a connection counts as cut and is made again: a network that drops everything says nothing. */
const SILENT_SECONDS = 15;

/** Where a queue is, as `redis://[user:password@]host[:port][/database]`, `rediss://…` with TLS, or `unix:/path`. */
export interface QueueAddress {
  readonly options: RedisOptions;
  /** Without user and password: what may be shown. */
  readonly shown: string;
}

/**
 * An address from a URL and the environment: `SDTP_QUEUE_PASSWORD` and `SDTP_QUEUE_USER` where the URL has none (a URL is seen by
 * every user of a machine in the list of processes), `SDTP_QUEUE_CA`, a file with the certificate authority of a server that
 * public ones did not sign, `SDTP_QUEUE_CERT` and `SDTP_QUEUE_KEY`, files with this client's own.
 * @throws on what is no such URL; the message has no password
 */
export function queueAddress(url: string, env: NodeJS.ProcessEnv = process.env): QueueAddress {
  if (url.startsWith("unix:")) {
    const path = url.slice(5).replace(/^\/\/(?=\/)/, "");
    if (!path.startsWith("/")) throw wrong(url);
    return { options: { path, ...login("", "", env) }, shown: `unix:${path}` };
  }
  let parsed: URL;
  try {
    parsed = new URL(url);
  } catch {
    throw wrong(url);
  }
  const { protocol, hostname, port, pathname, username, password, search, hash } = parsed;
  if ((protocol !== "redis:" && protocol !== "rediss:") || hostname === "" || search !== "" || hash !== "" || !/^\/?\d{0,5}$/.test(pathname)) throw wrong(url);
  const db = pathname.length > 1 ? Number(pathname.slice(1)) : 0;
  const host = hostname.replace(/^\[|\]$/g, "");
  const tls = protocol === "rediss:" ? certificates(env) : undefined;
  return {
    options: { host, port: port === "" ? 6379 : Number(port), db, ...login(decodeURIComponent(username), decodeURIComponent(password), env), ...(tls && { tls: { servername: host, ...tls } }) },
    shown: `${protocol}//${hostname}:${port || 6379}${db > 0 ? `/${db}` : ""}`,
  };
}

function login(user: string, password: string, env: NodeJS.ProcessEnv): Pick<RedisOptions, "username" | "password"> {
  const [name, secret] = [user || env["SDTP_QUEUE_USER"], password || env["SDTP_QUEUE_PASSWORD"]];
  return { ...(name && { username: name }), ...(secret && { password: secret }) };
}

function certificates(env: NodeJS.ProcessEnv): Record<string, Buffer> {
  return Object.fromEntries((["ca", "cert", "key"] as const).flatMap((part) => {
    const [variable, file] = [`SDTP_QUEUE_${part.toUpperCase()}`, env[`SDTP_QUEUE_${part.toUpperCase()}`]];
    if (!file) return [];
    try {
      return [[part, readFileSync(file)]];
    } catch (error) {
      throw new Error(`${variable}: ${file} (cannot be read: ${(error as NodeJS.ErrnoException).code ?? error})`);
    }
  }));
}

function wrong(url: string): Error {
  return new Error(`queue: ${withoutSecrets(url)} (must be redis://HOST[:PORT][/DATABASE], rediss:// with TLS, or unix:/path/to/socket; a password goes before the host, redis://:PASSWORD@HOST, or into SDTP_QUEUE_PASSWORD)`);
}

/** A URL as it may be shown: nothing before the host. */
export function withoutSecrets(url: string): string {
  return url.replace(/^([a-z]*:?\/\/)?.*@/i, "$1");
}

export interface Connection {
  readonly redis: Redis;
  readonly shown: string;
  close(): Promise<void>;
}

export interface ConnectOptions {
  /** Told once when the connection is lost, and once when it is back. */
  readonly onState?: (message: string) => void;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Connects, and stays connected: what is asked while the server is away waits for it.
 * @throws where the first connection cannot be had: not there, wrong password, no TLS
 */
export async function connect(url: string, { onState, signal }: ConnectOptions = {}): Promise<Connection> {
  const { options, shown } = queueAddress(url);
  const { Redis: Client } = await import("ioredis");
  let [up, closing, last] = [false, false, ""];
  const redis = new Client({
    ...options, lazyConnect: true, maxRetriesPerRequest: null, connectTimeout: 1e3 * SILENT_SECONDS, socketTimeout: 1e3 * SILENT_SECONDS, keepAlive: 1e4,
    // The first time there is somebody to be told; from then on it is waited for.
    retryStrategy: (times) => (up ? Math.min(100 * 2 ** Math.min(times, 6), 3000) : null),
    // A server that has just started answers so, one whose disk is full too, and a standby that takes over: the command is put again.
    reconnectOnError: (error) => (/^READONLY|^LOADING/.test(error.message) ? 2 : false),
  });
  redis.on("error", (error: Error) => (last = error.message));
  redis.on("close", () => up && !closing && onState?.(`queue: ${shown} is away (${last || "the connection was closed"}); waiting for it`));
  redis.on("ready", () => {
    if (up) onState?.(`queue: ${shown} is back`);
    last = "";
  });
  const abort = () => redis.disconnect();
  signal?.addEventListener("abort", abort, { once: true });
  try {
    await redis.connect();
    await redis.ping();
    up = true;
  } catch (error) {
    redis.disconnect();
    signal?.throwIfAborted();
    throw new Error(`queue: ${shown} (${reason(last || (error as Error).message)})`);
  } finally {
    signal?.removeEventListener("abort", abort);
  }
  const close = async () => {
    closing = true;
    await Promise.race([redis.quit().catch(() => {}), pause(1000)]);
    redis.disconnect();
  };
  return { redis, shown, close };
}

function reason(message: string): string {
  if (/ECONNREFUSED|ENOENT/.test(message)) return "no server answers there: start Redis or Valkey, or give another --queue";
  if (/protected mode/.test(message)) return "the server lets in its own machine alone: start it with a password, redis-server --requirepass PASSWORD, and --bind where others reach it";
  if (/ENOTFOUND|EAI_AGAIN/.test(message)) return "no such host";
  if (/WRONGPASS|NOAUTH|AUTH/.test(message)) return `${message.replace(/\.$/, "")}: a password goes into the URL, redis://:PASSWORD@HOST, or into SDTP_QUEUE_PASSWORD`;
  if (/certificate|self.signed|wrong version number|ssl|tls/i.test(message)) return `TLS: ${message}; SDTP_QUEUE_CA names a file with the server's certificate authority`;
  if (/ETIMEDOUT/.test(message)) return `no answer in ${SILENT_SECONDS} s: no server, or one that speaks TLS where the URL does not, or the other way round (rediss:// is with TLS)`;
  if (/EPIPE|ECONNRESET|Connection is closed/.test(message)) return `the server ended the connection (${message}): it lets in its own machine alone, unless it has a password or --protected-mode no; or it speaks TLS, rediss://`;
  return message || "no answer";
}
