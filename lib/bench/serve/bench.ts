import { setMaxListeners } from "node:events";
import { openCheckpoint } from "../../checkpoint/open.js";
import { environment, measuredEnvironment } from "../environment.js";
import { loadSince } from "../load.js";
import { type Asking, type Backend, baseOf, bodyOf, endpoints, servedModels } from "./connection.js";
import { figures, type Goodput } from "./figures.js";
import { type Sample, target } from "./client.js";
import { memoryFigures, MemoryWatch } from "./memory.js";
import { startServer, type OwnServer } from "./own-server.js";
import { processUse } from "./process.js";
import { promptsOf } from "./prompts.js";
import { sendAll } from "./send.js";
import { serverMetrics } from "./server-metrics.js";
import { isBegun, type Begun, type ServeBenchResult, type Settings } from "./result.js";
import { planned, type Workload } from "./workload.js";

export interface ServeBenchOptions {
  readonly workload: Workload;
  /** Options of `sdtp serve`, the model first, for a server of one's own; or the address of one that runs. */
  readonly server: readonly string[] | { readonly baseUrl: string; /** Its process, whose memory and time are read (Linux). */ readonly pid?: number };
  readonly backend?: Backend;
  /** Default: that of the backend. */
  readonly endpoint?: string;
  /** What the server calls the model; default: the first that it names. */
  readonly model?: string;
  /** A model whose tokenizer counts the tokens of prompts, which are sent as ids then; default: that of one's own server, else words are counted. */
  readonly tokenizer?: string;
  readonly apiKey?: string;
  /** Requests on their way at once at most; default: no limit. */
  readonly maxConcurrency?: number | null;
  /** Seconds after which a request that nothing ended is lost; default 600. */
  readonly timeout?: number;
  readonly ignoreEos?: boolean;
  readonly temperature?: number | null;
  readonly extraBody?: Readonly<Record<string, unknown>>;
  /** Requests that are sent before, and do not count. */
  readonly numWarmups?: number;
  /** Seconds to wait for a server that does not answer yet; default 0. */
  readonly readyTimeout?: number;
  /** From 0 to 100; default 50, 90, 99. */
  readonly percentiles?: readonly number[];
  readonly goodput?: Goodput | null;
  /** An unfinished measurement with the same settings, which goes on. */
  readonly begun?: Begun | null;
  readonly signal?: AbortSignal;
  readonly onProgress?: (share: number, label: string) => void;
  /** Told how each request ended. */
  readonly onEnd?: (sample: Sample) => void;
  /** Told what there is so far, twice a minute and where the signal stops it: to keep it. */
  readonly onPart?: (result: ServeBenchResult) => Promise<void>;
}

const KEEPING = 30_000;

/** What decides the load and how it is asked; an unfinished measurement goes on with the same ones only. */
export function settingsOf(options: ServeBenchOptions): Settings {
  const { workload, server, backend = "openai", model, tokenizer, maxConcurrency = null, timeout = 600, ignoreEos = true, temperature = 0, extraBody = {}, endpoint = endpoints[backend] } = options;
  return {
    ...workload, backend, endpoint, max_concurrency: maxConcurrency, timeout, ignore_eos: ignoreEos, temperature, extra_body: extraBody,
    server: isOwn(server) ? [...server] : null, base_url: isOwn(server) ? null : baseOf(server.baseUrl), model: model ?? null, tokenizer: tokenizer ?? (isOwn(server) ? server[0]! : null),
  };
}

const isOwn = (server: ServeBenchOptions["server"]): server is readonly string[] => Array.isArray(server);

/**
 * Puts a server under load, and tells how each request ended, latencies, throughput, goodput and memory.
 * @throws where a setting is wrong, the server does not answer or ends; AbortError on `signal`, after `onPart`
 */
export async function benchServe(options: ServeBenchOptions): Promise<ServeBenchResult> {
  const { workload, percentiles = [50, 90, 99], goodput = null, begun = null, apiKey, numWarmups = 0, readyTimeout = 0, onProgress, onPart, onEnd } = options;
  const requests = planned(workload);
  const settings = settingsOf(options);
  if (begun && !isBegun(begun, settings)) throw new Error("begun: another measurement (its settings are others)");
  const checkpoint = settings.tokenizer === null ? null : await openCheckpoint(settings.tokenizer);
  const prompts = await promptsOf(checkpoint, workload.random_prefix_len, settings.backend === "openai-chat");
  const headers: Record<string, string> = apiKey === undefined ? {} : { Authorization: `Bearer ${apiKey}` };
  const stopped = options.signal ?? new AbortController().signal;
  let own: OwnServer | null = null;
  if (isOwn(options.server)) {
    onProgress?.(0, "starting the server");
    own = await startServer(options.server, apiKey, stopped);
  }
  try {
    const signal = AbortSignal.any(own ? [stopped, own.died] : [stopped]);
    // Every request on its way listens.
    setMaxListeners(0, signal);
    const base = own ? own.base : settings.base_url!;
    const models = await servedModels(base, headers, readyTimeout, signal);
    const model = options.model ?? models[0]?.id;
    if (model === undefined) throw new Error(`base url: ${base} (names no model: give --served-model-name)`);
    const asking: Asking = { backend: settings.backend, model, ignoreEos: settings.ignore_eos, temperature: settings.temperature, extraBody: settings.extra_body };
    const longest = models.find(({ id }) => id === model)?.longest ?? UNKNOWN_LENGTH;
    const to = target(`${base}${settings.endpoint}`, headers, settings.timeout);
    const body = (request: (typeof requests)[number]) => bodyOf(request, asking, prompts, longest);
    // Other prompts than those that count: a server may keep what it has computed.
    const warmups = requests.filter(({ kind }) => kind === "ordinary").slice(0, numWarmups).map((request) => ({ ...request, sendAt: 0, place: (request.place + 0.5) % 1 }));
    if (warmups.length > 0) await sendAll(warmups, { to, body, maxConcurrency: settings.max_concurrency, offset: 0, signal });
    signal.throwIfAborted();

    const known = new Set(begun?.requests.map(({ index }) => index));
    const left = requests.filter(({ index }) => !known.has(index));
    const first = left[0]?.sendAt ?? 0;
    const before = begun?.stretches ?? [];
    const offset = before.reduce((sum, { seconds }) => sum + seconds, 0);
    const pid = own?.pid ?? (isOwn(options.server) ? undefined : options.server.pid);
    const use = () => (pid === undefined ? null : processUse(pid));
    const [load, countBefore, useBefore, began] = [loadSince(), await serverMetrics(base, headers), use(), performance.now()];
    const now = () => (performance.now() - began) / 1e3;
    const memory = new MemoryWatch(() => offset + now(), async () => use()?.resident ?? (await serverMetrics(base, headers))?.resident ?? null);
    // Who calls ONNX Runtime is known of a server of our own alone.
    const where = own ? await measuredEnvironment() : environment();
    const samples = [...(begun?.requests ?? [])];
    let sent = 0;
    const started = new Date().toISOString();
    let counts: ServeBenchResult["server_counts"] = null;
    const result = (complete: boolean): ServeBenchResult => {
      const cpu = use();
      const stretch = { time: started, seconds: now(), sent, processors_busy_with_others: cpu && useBefore ? load(cpu.cpuSeconds - useBefore.cpuSeconds) : null };
      const [times, bytes] = [[...(begun?.memory?.times ?? []), ...memory.times], [...(begun?.memory?.resident_bytes ?? []), ...memory.resident_bytes]];
      const all = [...samples].sort((a, b) => a.index - b.index);
      const stretches = [...before, stretch];
      return {
        schema_version: 1, complete, settings, model_id: model, goodput, percentiles, environment: where, stretches,
        figures: figures(all, stretches.reduce((sum, { seconds }) => sum + seconds, 0), percentiles, goodput),
        server_counts: counts,
        memory: bytes.length === 0 ? null : { figures: memoryFigures({ times, resident_bytes: bytes }), times, resident_bytes: bytes },
        requests: all,
      };
    };
    const keeping = setInterval(() => void onPart?.(result(false)).catch(() => {}), KEEPING);
    try {
      const ended = await sendAll(left.map((request) => ({ ...request, sendAt: request.sendAt - first })), {
        to, body, maxConcurrency: settings.max_concurrency, offset, signal,
        onSent: () => sent++,
        onEnd: (sample, running) => {
          samples.push(sample);
          onEnd?.(sample);
          onProgress?.(samples.length / requests.length, `${samples.length} of ${requests.length} requests ended, ${running} on their way`);
        },
      });
      clearInterval(keeping);
      memory.stop();
      if (!ended) {
        await onPart?.(result(false));
        signal.throwIfAborted();
      }
      const done = result(true);
      counts = countBefore && (await countsAfter(base, headers, countBefore.ended, sent, stopped));
      return { ...done, server_counts: counts };
    } finally {
      clearInterval(keeping);
      memory.stop();
    }
  } finally {
    await own?.close();
  }
}

/** Tokens that are too many for a model of which nothing is known. */
const UNKNOWN_LENGTH = 131_072;

/** What the server has counted, once it has noticed that clients went away; null where it counts nothing. */
async function countsAfter(base: string, headers: Readonly<Record<string, string>>, before: number | null, sent: number, signal: AbortSignal): Promise<ServeBenchResult["server_counts"]> {
  for (let tries = 0; ; tries++) {
    const found = await serverMetrics(base, headers);
    if (found === null || found.ended === null) return null;
    const quiet = found.running === 0 && found.waiting === 0 && found.ended - (before ?? 0) >= sent;
    if (quiet || tries === NOTICING || signal.aborted) return { sent, ended: found.ended - (before ?? 0), running: found.running, waiting: found.waiting, kv_cache_bytes: found.kvCacheBytes };
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
}

/** Times that a server is asked before what still runs there is told. */
const NOTICING = 50;
