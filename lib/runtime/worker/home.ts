import { unlessAborted } from "../../ambient-signal.js";
import type { KvDtype } from "../../checkpoint/kv-dtype.js";
import { hostHome, type AttentionKind, type Home } from "../home.js";
import { serialized } from "../serialized-graph.js";
import type { LoadedGraph } from "../session.js";
import type { ModelConfig } from "../../checkpoint/types.js";
import type { BatchPart } from "../batch.js";
import { WorkerCache, type WorkerModel } from "./cache.js";
import { WorkerThread } from "./client.js";
import { received, sent, type Handle } from "./protocol.js";

/** The CPU in a thread of its own: graphs run there and caches live there, so that this thread's event loop stays free. */
export function workerHome(attention: AttentionKind = "fused", kvDtype: KvDtype = "fp32"): Home {
  const thread = new WorkerThread();
  /** Number of a graph there; of the keys and values that a run left there. */
  const handles = new WeakMap<object, Handle>();
  const host = hostHome(attention, kvDtype);
  const modelOf = (config: ModelConfig): WorkerModel => ({ thread, graphHandle: (graph) => handles.get(graph)!, config, kvDtype });
  return {
    ...host,
    // Caches are filled there by whole prompts.
    inPieces: null,
    together: { ...host.together!, step: (graph, feeds, config, parts, slots) => WorkerCache.together(modelOf(config), graph, feeds, parts as BatchPart<WorkerCache>[], { slots, kvDtype }) },
    async load(g, { threads, folder }) {
      const graph = thread.handle();
      const { inputNames, outputNames } = await thread.ask({ op: "load", graph, model: await serialized(g), threads, folder });
      const loaded: LoadedGraph = {
        inputNames,
        outputNames,
        run(feeds, wanted = outputNames, { signal } = {}) {
          const run = async () => {
            const kept = thread.handle();
            const results = received(await thread.ask({ op: "run", graph, feeds: sent(feeds), wanted, kept }, signal));
            handles.set(results, kept);
            thread.tie(results, kept);
            return results;
          };
          return unlessAborted(run(), signal);
        },
        release: async () => void (await thread.free(graph)),
      };
      handles.set(loaded, graph);
      return loaded;
    },
    release: (graph) => graph.release(),
    async cache(config, _graph, results, present, evictedTo, reserve) {
      const cache = thread.handle();
      const tokenBytes = await thread.ask({ op: "cache", kept: handles.get(results)!, cache, config, present, evictedTo, reserve, kvDtype });
      const positions = present.map((all) => evictedTo ?? all);
      return new WorkerCache(modelOf(config), cache, positions, tokenBytes);
    },
  };
}
