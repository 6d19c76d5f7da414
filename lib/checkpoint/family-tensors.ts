import { elementCount } from "./dtype.js";
import { embeddingName, headName, withHead } from "./encode.js";
import type { TensorSource } from "./families/family.js";
import { definitions } from "./families/index.js";
import { requiredTensors } from "./required.js";
import type { ModelConfig, StoredTensor, TensorView } from "./types.js";
import { viewed } from "./view.js";

/** What a model that reads more than text calls its text model's tensors. */
const insideOthers: readonly ((name: string) => string)[] = [
  (name) => `language_model.${name}`,
  (name) => name.replace(/^model\./, "model.language_model."),
];

/**
 * The tensors of a checkpoint under llama's names, from the names and layouts of its own family.
 * Tensors that the model does not need go through under their own names, a head that is tied to the embedding under llama's.
 * @param folder named in errors
 * @throws on a tensor that is missing or has another shape than the family gives it
 */
export function familyTensors(config: ModelConfig, stored: ReadonlyMap<string, StoredTensor>, folder: string): ReadonlyMap<string, StoredTensor> {
  const { source = (name): TensorSource => ({ name }), prefixes = [""] } = definitions[config.family];
  const spellings = [...prefixes.map((prefix) => (name: string) => prefix + name), ...insideOthers];
  const spell = spellings.find((each) => stored.has(each(source("model.embed_tokens.weight", config).name))) ?? ((name: string) => name);
  const tensors = new Map<string, StoredTensor>();
  const used = new Set<string>();
  const hasHead = config.tiedEmbeddings && find(source(headName, config)) !== undefined;
  const required = requiredTensors(config);
  for (const { name, shape } of hasHead ? withHead(required) : required) {
    const usual = source(name, config);
    const from = [usual, ...(usual.others ?? [])].find((each) => find(each)) ?? usual;
    const found = find(from);
    if (!found && hasHead && name === embeddingName) continue;
    const { view, cut } = from;
    const expected = (cut ?? view)?.stored ?? shape;
    if (!found) throw new Error(`tensor ${spell(from.name)}: missing in ${folder} (must be there with ${view ? `${elementCount(expected)} elements` : `shape [${shape.join(", ")}]`})`);
    used.add(found.name);
    // Views of the same bytes under several shapes: what counts is how many elements there are, and the rows where it has any.
    const fits = !cut && view && view.stored.length !== found.shape.length ? elementCount(found.shape) === elementCount(expected) : found.shape.join() === expected.join();
    if (!fits) throw new Error(`tensor ${found.name}: shape [${found.shape.join(", ")}] in ${found.file} (config.json makes it [${expected.join(", ")}])`);
    const part = cut ? cutOut(found, cut) : found;
    tensors.set(name, cut || view ? { ...(view ? viewed(part, view, shape) : { ...part, shape }), name } : found.name === name ? found : { ...found, name });
  }
  for (const [name, tensor] of stored) if (!used.has(name) && !tensors.has(name)) tensors.set(name, tensor);
  return tensors;

  function find({ name, also }: TensorSource): StoredTensor | undefined {
    return stored.get(spell(name)) ?? stored.get(name) ?? (also === undefined ? undefined : stored.get(also));
  }
}

/** The rows that a cut takes, as a tensor of their own. */
function cutOut(stored: StoredTensor, cut: TensorView): StoredTensor {
  const { from, to } = cut.slice!;
  if (stored.scaling) throw new Error(`tensor ${stored.name}: ${stored.dtype} with scales in ${stored.file} (must be a matrix for each expert)`);
  return viewed(stored, cut, [to - from, ...cut.stored.slice(1)]);
}
