import { readFloats, readSafetensorsHeader } from "../../checkpoint/safetensors.js";
import type { Scorer } from "../scorer.js";

/** One pruning module: `Linear(d, m) -> GELU -> Linear(m, 1)`, weights stored `[out, in]`. */
export interface PruningModule {
  readonly hiddenSize: number;
  readonly innerSize: number;
  readonly weight0: Float32Array;
  readonly bias0: Float32Array;
  readonly weight2: Float32Array;
  readonly bias2: Float32Array;
}

/** Trained modules by the block they stand after. */
export interface Pruner {
  /** Tells pruners apart in cache keys. */
  readonly id: string;
  readonly modules: ReadonlyMap<number, PruningModule>;
  readonly metadata: Readonly<Record<string, string>>;
}

/**
 * Reads pruning modules from a safetensors file with the keys of the published checkpoint
 * (`"<layer>.scorer.0.weight"` `[d/4, d]`, `.0.bias`, `.2.weight` `[1, d/4]`, `.2.bias`).
 * @throws on a missing or wrongly shaped tensor, by name
 */
export async function readPruner(file: string): Promise<Pruner> {
  const { tensors, metadata } = await readSafetensorsHeader(file);
  const layers = new Set([...tensors.keys()].flatMap((name) => /^(\d+)\.scorer\./.exec(name)?.[1] ?? []));
  if (layers.size === 0) throw new Error(`${file}: no pruning modules (tensors must be named "<layer>.scorer.0.weight", …)`);
  const modules = new Map<number, PruningModule>();
  for (const layer of layers) {
    const read = async (name: string, shape: (number | null)[]) => {
      const key = `${layer}.scorer.${name}`;
      const stored = tensors.get(key);
      if (!stored) throw new Error(`${file}: tensor ${key} is missing`);
      if (stored.shape.length !== shape.length || shape.some((dim, i) => dim !== null && dim !== stored.shape[i])) {
        throw new Error(`${file}: tensor ${key} has shape [${stored.shape.join(", ")}] (must be [${shape.map((dim) => dim ?? "any").join(", ")}])`);
      }
      return { shape: stored.shape, values: await readFloats(stored) };
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
    });
  }
  const id = `${file}:${metadata["hash"] ?? ""}`;
  return { id, modules, metadata };
}

/**
 * Scores from trained pruning modules (arXiv:2504.04514v2). A stage after the last block has no module of its
 * own: it reuses the scores of the stage before it, which the prefill graph sees to.
 */
export function learned(pruner: Pruner): Scorer {
  return {
    name: "learned",
    key: `learned:${pruner.id}`,
    score(g, { hidden, afterLayer, config }) {
      const module = pruner.modules.get(afterLayer);
      if (!module) {
        throw new Error(`scorer learned: no module for the stage after block ${afterLayer} (there are modules after ${[...pruner.modules.keys()].sort((a, b) => a - b).join(", ")})`);
      }
      const { hiddenSize, innerSize, weight0, bias0, weight2, bias2 } = module;
      if (hiddenSize !== config.hiddenSize) throw new Error(`scorer learned: modules are for hidden size ${hiddenSize} (the model has ${config.hiddenSize})`);
      const inner = g.gelu(g.linear(hidden, g.constant("float32", weight0, [innerSize, hiddenSize]), g.constant("float32", bias0)));
      const score = g.linear(inner, g.constant("float32", weight2, [1, innerSize]), g.constant("float32", bias2));
      return g.reshape(score, [hidden.shape[1]!]);
    },
  };
}
