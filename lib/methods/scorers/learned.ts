import { createHash } from "node:crypto";
import { readFloats, readSafetensorsHeader } from "../../checkpoint/safetensors.js";
import { logDistance, moduleLogits } from "../module.js";
import type { Scorer } from "../scorer.js";

/** One pruning module: `Linear(d, m) -> GELU -> Linear(m, 1)`, weights stored `[out, in]`. See `ModuleParameters`. */
export interface PruningModule {
  readonly hiddenSize: number;
  readonly innerSize: number;
  readonly weight0: Float32Array;
  readonly bias0: Float32Array;
  readonly weight2: Float32Array;
  readonly bias2: Float32Array;
  /** `[m]`; null in a module that takes the hidden state alone. */
  readonly distance: Float32Array | null;
}

/** Trained modules by the block they stand after. */
export interface Pruner {
  /** SHA-256 over the modules (hex): tells pruners apart in cache keys. */
  readonly id: string;
  readonly modules: ReadonlyMap<number, PruningModule>;
  readonly metadata: Readonly<Record<string, string>>;
}

/** Where a pruner's tensors come from. */
interface Source {
  readonly names: Iterable<string>;
  readonly metadata: Readonly<Record<string, string>>;
  shape(name: string): readonly number[] | undefined;
  floats(name: string): Promise<Float32Array>;
}

/**
 * Reads pruning modules with the keys of the published checkpoint (`"<layer>.scorer.0.weight"` `[d/4, d]`, `.0.bias`,
 * `.2.weight` `[1, d/4]`, `.2.bias`), and `"<layer>.scorer.distance"` `[d/4]` where trained here, from a safetensors file, or from one that torch.save wrote (`.pt`, `.pth`, `.bin`).
 * @throws on a tensor that is missing, wrongly shaped or not finite, by name
 */
export async function readPruner(file: string): Promise<Pruner> {
  const source = /\.(pt|pth|bin)$/.test(file) ? await torchSource(file) : await safetensorsSource(file);
  const layers = new Set([...source.names].flatMap((name) => /^(\d+)\.scorer\./.exec(name)?.[1] ?? []));
  if (layers.size === 0) throw new Error(`${file}: no pruning modules (tensors must be named "<layer>.scorer.0.weight", …)`);
  const modules = new Map<number, PruningModule>();
  const hash = createHash("sha256");
  for (const layer of [...layers].sort((a, b) => Number(a) - Number(b))) {
    const read = async (name: string, shape: (number | null)[]) => {
      const key = `${layer}.scorer.${name}`;
      const stored = source.shape(key);
      if (!stored) throw new Error(`${file}: tensor ${key} is missing`);
      if (stored.length !== shape.length || shape.some((dim, i) => dim !== null && dim !== stored[i])) {
        throw new Error(`${file}: tensor ${key} has shape [${stored.join(", ")}] (must be [${shape.map((dim) => dim ?? "any").join(", ")}])`);
      }
      const values = await source.floats(key);
      const bad = values.findIndex((value) => !Number.isFinite(value));
      if (bad >= 0) throw new Error(`${file}: tensor ${key} holds ${values[bad]} (must be finite)`);
      hash.update(key).update(new Uint8Array(values.buffer, values.byteOffset, values.byteLength));
      return { shape: stored, values };
    };
    const first = await read("0.weight", [null, null]);
    const [innerSize, hiddenSize] = [first.shape[0]!, first.shape[1]!];
    modules.set(Number(layer), {
      hiddenSize,
      innerSize,
      weight0: first.values,
      bias0: (await read("0.bias", [innerSize])).values,
      weight2: (await read("2.weight", [1, innerSize])).values,
      bias2: (await read("2.bias", [1])).values,
      distance: source.shape(`${layer}.scorer.distance`) ? (await read("distance", [innerSize])).values : null,
    });
  }
  return { id: hash.digest("hex"), modules, metadata: source.metadata };
}

async function safetensorsSource(file: string): Promise<Source> {
  const { tensors, metadata } = await readSafetensorsHeader(file);
  return { names: tensors.keys(), metadata, shape: (name) => tensors.get(name)?.shape, floats: (name) => readFloats(tensors.get(name)!) };
}

async function torchSource(file: string): Promise<Source> {
  const tensors = await (await import("../../checkpoint/torch.js")).readTorch(file);
  const floats = async (name: string) => {
    const { values, dtype } = tensors.get(name)!;
    if (!(values instanceof Float32Array)) throw new Error(`${file}: tensor ${name} is ${dtype} (must be a float type)`);
    return values;
  };
  return { names: tensors.keys(), metadata: {}, shape: (name) => tensors.get(name)?.shape, floats };
}

/**
 * Scores from trained pruning modules (arXiv:2504.04514v2). A stage after the last block has no module of its
 * own: it reuses the scores of the stage before it, which the prefill graph sees to.
 */
export function learned(pruner: Pruner): Scorer {
  return {
    name: "learned",
    key: `learned:${pruner.id}`,
    score(g, { hidden, positions, afterLayer, config }) {
      const module = pruner.modules.get(afterLayer);
      if (!module) {
        throw new Error(`scorer learned: no module for the stage after block ${afterLayer} (there are modules after ${[...pruner.modules.keys()].sort((a, b) => a - b).join(", ")})`);
      }
      const { hiddenSize, innerSize, weight0, bias0, weight2, bias2, distance } = module;
      if (hiddenSize !== config.hiddenSize) throw new Error(`scorer learned: modules are for hidden size ${hiddenSize} (the model has ${config.hiddenSize})`);
      const parameters = {
        weight0: g.constant("float32", weight0, [innerSize, hiddenSize]),
        bias0: g.constant("float32", bias0),
        weight2: g.constant("float32", weight2, [1, innerSize]),
        bias2: g.constant("float32", bias2),
        distance: distance && g.constant("float32", distance),
      };
      const logits = moduleLogits(g, hidden, parameters, distance && logDistance(g, positions), config.normEps);
      return g.reshape(logits, [hidden.shape[1]!]);
    },
  };
}
