// The thread that runs graphs: it holds what is loaded, and the caches. Started by client.ts.
import { parentPort, workerData } from "node:worker_threads";
import { stepTogether } from "../batch.js";
import { HostCache } from "../host-cache.js";
import type { HostLayer } from "../kv-cache.js";
import type { StoredHead } from "../kv-store.js";
import { openSession, type LoadedGraph, type Outputs } from "../session.js";
import { BUSY, ENDING, received, sent, stays, type Answers, type Handle, type Message, type ReadLayers, type Reply, type Request } from "./protocol.js";

const graphs = new Map<Handle, LoadedGraph>();
const keptOutputs = new Map<Handle, Outputs>();
const caches = new Map<Handle, HostCache>();

const state = workerData as Int32Array<SharedArrayBuffer>;
let last: Promise<void> = Promise.resolve();

/** Ends each run that was asked for, by the number of its request. */
const stops = new Map<number, AbortController>();

parentPort!.on("message", (message: Message) => {
  if ("stop" in message) {
    stops.get(message.stop)?.abort(new Error("run: it was stopped"));
    return;
  }
  const { id, request } = message;
  // From now on, not from its turn on: it may be stopped before that comes.
  if (request.op === "run") stops.set(id, new AbortController());
  last = last.then(async () => {
    Atomics.store(state, BUSY, 1);
    try {
      if (Atomics.load(state, ENDING)) return;
      const result = await answer(request, stops.get(id)?.signal);
      reply({ id, result }, request.op === "read" ? [] : buffersOf(result));
    } catch (error) {
      reply({ id, error: error instanceof Error ? error : new Error(String(error)) });
    } finally {
      stops.delete(id);
      Atomics.store(state, BUSY, 0);
      Atomics.notify(state, BUSY);
    }
  });
});

async function answer(request: Request, signal?: AbortSignal): Promise<Answers[keyof Answers]> {
  switch (request.op) {
    case "load": {
      const { model, threads, folder } = request;
      const session = await openSession(model, { threads, folder });
      graphs.set(request.graph, session);
      return { inputNames: session.inputNames, outputNames: session.outputNames };
    }
    case "run": {
      const results = await held(graphs, request.graph).run(received(request.feeds), request.wanted, { signal });
      const [here, there] = parted(results);
      keptOutputs.set(request.kept, here);
      return sent(there);
    }
    case "cache": {
      const { kept, cache, config, present, evictedTo, reserve, kvDtype } = request;
      const made = HostCache.fromPrefill(config, held(keptOutputs, kept), present, evictedTo, reserve, kvDtype);
      keptOutputs.delete(kept);
      caches.set(cache, made);
      return made.layers.map(({ bytes, length }) => (length > 0 ? bytes / length : 0));
    }
    case "step": {
      const { graph, cache, feeds, config, positions } = request;
      return sent(parted(await held(caches, cache).step(held(graphs, graph), received(feeds), config, positions))[1]);
    }
    case "look": {
      const { graph, cache, feeds, config, positions } = request;
      return sent(await held(caches, cache).look(held(graphs, graph), received(feeds), config, positions));
    }
    case "keep":
      caches.set(request.kept, await held(caches, request.cache).keeping(request.held, request.reserve));
      return null;
    case "together": {
      const { graph, parts, feeds, config, room } = request;
      const own = parts.map(({ cache, positions }) => ({ cache: held(caches, cache), positions }));
      return sent(parted(await stepTogether(held(graphs, graph), received(feeds), config, own, room))[1]);
    }
    case "clone":
      caches.set(request.copy, held(caches, request.cache).clone(request.options));
      return null;
    case "read":
      return held(caches, request.cache).layers.map((layer) => ({ key: joined(layer, "key"), value: joined(layer, "value") })) satisfies ReadLayers;
    case "free":
      await graphs.get(request.handle)?.release();
      for (const each of [graphs, keptOutputs, caches]) each.delete(request.handle);
      return null;
  }
}

function held<T>(all: ReadonlyMap<Handle, T>, handle: Handle): T {
  const one = all.get(handle);
  if (one === undefined) throw new Error("worker: what was asked for is gone (it was disposed of or released)");
  return one;
}

/** What stays here, and what is handed over. */
function parted(results: Outputs): [Outputs, Outputs] {
  const part = (here: boolean) => Object.fromEntries(Object.entries(results).filter(([name]) => stays(name) === here));
  return [part(true), part(false)];
}

/** Keys or values of all heads one after the other. */
function joined(layer: HostLayer, part: "key" | "value"): StoredHead {
  const heads = Array.from({ length: layer.kvHeads }, (_, head) => layer.stored(part, head));
  const { elements, scales } = heads[0]!;
  const sum = (lengths: number[]) => lengths.reduce((a, b) => a + b, 0);
  const all = new (elements.constructor as Float32ArrayConstructor)(sum(heads.map((head) => head.elements.length)));
  const allScales = scales && new Float32Array(sum(heads.map((head) => head.scales!.length)));
  let [at, scaleAt] = [0, 0];
  for (const head of heads) {
    all.set(head.elements as Float32Array, at);
    if (head.scales) allScales!.set(head.scales, scaleAt);
    at += head.elements.length;
    scaleAt += head.scales?.length ?? 0;
  }
  return { elements: all as StoredHead["elements"], scales: allScales };
}

/** Arrays of outputs are this thread's alone: they change hands without being copied. */
function buffersOf(result: Answers[keyof Answers]): ArrayBuffer[] {
  if (result === null || Array.isArray(result)) return [];
  const buffers = Object.values(result as object).flatMap((each: { data?: { buffer?: unknown } } | null) => (each?.data?.buffer instanceof ArrayBuffer ? [each.data.buffer] : []));
  return [...new Set(buffers)];
}

function reply(message: Reply, buffers: ArrayBuffer[] = []): void {
  parentPort!.postMessage(message, buffers);
}
