// A run of the graph that decodes several sequences at once (see `batchGraph`), from caches in this thread's memory.
import { Tensor } from "onnxruntime-node";
import "./float16-tensors.js";
import type { KvDtype } from "../checkpoint/kv-dtype.js";
import { layerWindow } from "../checkpoint/sliding-window.js";
import type { ModelConfig } from "../checkpoint/types.js";
import { slotGroups } from "../decoder/decode-batch.js";
import type { HostCache } from "./host-cache.js";
import { LayerCache } from "./layer-cache.js";
import type { LoadedGraph, Outputs } from "./session.js";
import { int64 } from "./int64.js";

/** One sequence's part of a run: its cache, and the positions of its new tokens. */
export interface BatchPart<Cache> {
  readonly cache: Cache;
  readonly positions: readonly number[];
}

/** Sequences that a graph has room for. */
export interface BatchRoom {
  readonly slots: number;
  readonly kvDtype: KvDtype;
}

/**
 * Runs new tokens of several sequences and takes over their keys and values.
 * @param parts at most as many as there are slots; all but the first of one token
 * @param others `ids`, `positions`, rotary rows and `wanted`
 */
export async function stepTogether(graph: LoadedGraph, others: Readonly<Record<string, Tensor>>, config: ModelConfig, parts: readonly BatchPart<HostCache>[], room: BatchRoom): Promise<Outputs> {
  const feeds = { ...others, ...batchFeeds(config, parts, room) };
  const results = await graph.run(Object.fromEntries(graph.inputNames.map((name) => [name, feeds[name]!])), graph.outputNames);
  const count = parts.reduce((sum, { positions }) => sum + positions.length, 0);
  let row = 0;
  for (const { cache, positions } of parts) {
    const rows = Int32Array.from(positions, (_, i) => row + i);
    cache.layers.forEach((layer, index) => {
      const kv = { key: results[`key.${index}`]!.data as Float32Array, value: results[`value.${index}`]!.data as Float32Array };
      layer.append(kv, count, positions, rows.length === count ? null : rows);
    });
    row += positions.length;
  }
  return results;
}

function batchFeeds(config: ModelConfig, parts: readonly BatchPart<HostCache>[], { slots, kvDtype }: BatchRoom): Record<string, Tensor> {
  const [first, ...rest] = parts as [BatchPart<HostCache>, ...BatchPart<HostCache>[]];
  const count = first.positions.length;
  const range = (length: number) => int64(Array.from({ length }, (_, i) => i));
  const feeds: Record<string, Tensor> = { ...first.cache.feeds(config, first.positions), order: range(count + rest.length), "rows.first": range(count) };
  for (const group of slotGroups(slots)) {
    feeds[`active.${group.name}`] = new Tensor("bool", Uint8Array.of(group.slots[0]! <= rest.length ? 1 : 0), [1]);
    feeds[`rows.${group.name}`] = int64(group.slots.map((slot) => (slot <= rest.length ? count + slot - 1 : 0)));
  }
  const idle = idleLayer(config, kvDtype);
  for (let slot = 1; slot < slots; slot++) {
    const part = rest[slot - 1];
    for (let layer = 0; layer < config.layers; layer++) {
      const held = part ? (part.cache.layer(layer) as LayerCache) : idle;
      Object.assign(feeds, held.namedFeeds(`${layer}@${slot}`, [part?.positions[0] ?? 0], part ? layerWindow(config, layer) : null, false));
    }
  }
  return feeds;
}


const idleLayers = new Map<string, LayerCache>();

/** What slots without a sequence are fed: nobody looks at what comes of it. */
function idleLayer({ kvHeads, headDim }: ModelConfig, kvDtype: KvDtype): LayerCache {
  const key = `${kvHeads} ${headDim} ${kvDtype}`;
  let layer = idleLayers.get(key);
  if (!layer) idleLayers.set(key, (layer = new LayerCache(kvHeads, headDim, 1, kvDtype)));
  return layer;
}
