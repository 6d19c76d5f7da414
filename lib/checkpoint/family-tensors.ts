import { elementCount } from "./dtype.js";
import { definitions } from "./families/index.js";
import { requiredTensors } from "./required.js";
import type { ModelConfig, StoredTensor } from "./types.js";
import { viewed } from "./view.js";

/**
 * The tensors of a checkpoint under llama's names, from the names and layouts of its own family.
 * Tensors that the model does not need go through under their own names.
 * @param folder named in errors
 * @throws on a tensor that is missing or has another shape than the family gives it
 */
export function familyTensors(config: ModelConfig, stored: ReadonlyMap<string, StoredTensor>, folder: string): ReadonlyMap<string, StoredTensor> {
  const { source, prefixes = [""] } = definitions[config.family];
  if (!source) return stored;
  const tensors = new Map<string, StoredTensor>();
  const used = new Set<string>();
  const prefix = prefixes.find((each) => stored.has(each + source("model.embed_tokens.weight", config).name)) ?? "";
  for (const { name, shape } of requiredTensors(config)) {
    const { name: own, view } = source(name, config);
    const found = stored.get(prefix + own) ?? stored.get(own);
    const expected = view?.stored ?? shape;
    if (!found) throw new Error(`tensor ${prefix + own}: missing in ${folder} (must be there with ${elementCount(expected)} elements)`);
    used.add(found.name);
    // Views of the same bytes under several shapes: what counts is how many elements there are, and the rows where it has any.
    const fits = view && view.stored.length !== found.shape.length ? elementCount(found.shape) === elementCount(expected) : found.shape.join() === expected.join();
    if (!fits) throw new Error(`tensor ${found.name}: shape [${found.shape.join(", ")}] in ${found.file} (config.json makes it [${expected.join(", ")}])`);
    tensors.set(name, { ...(view ? viewed(found, view, shape) : found), name });
  }
  for (const [name, tensor] of stored) if (!used.has(name) && !tensors.has(name)) tensors.set(name, tensor);
  return tensors;
}
