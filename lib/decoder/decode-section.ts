import type { KvDtype } from "../checkpoint/kv-dtype.js";
import type { ModelConfig } from "../checkpoint/types.js";
import type { GraphBuilder } from "../onnx/builder.js";
import { block } from "./block.js";
import { cachedInput } from "./cache-input.js";
import { cachedAttention } from "./decode.js";
import { embed, head } from "./head.js";
import { layerRotary, rotaryInputs } from "./positions.js";
import type { Weights } from "./weights.js";

/** Blocks in a row with no pruning stage between them. */
export interface Section {
  readonly first: number;
  readonly last: number;
}

/**
 * Some blocks in a row on `m` tokens that they have not computed yet, over a cache that stays outside the graph (as `decodeGraph`, which is all blocks of it).
 * Inputs: of the first section `ids` `[1, m]` int64, of others `hidden` `[1, m, d]`; `positions` `[m]` int64, ascending, and their rotary rows (see `rotaryInputs`); for each of
 * its layers L the cache (see `cachedInput`), all of one `capacity`; `bias` `[m, capacity]`, added to the scores (0 where a token may see a slot's, -inf elsewhere), and
 * `self_bias` `[m, m]`, the same among the new tokens.
 * Outputs: for each layer `key.L`, `value.L` `[1, kvHeads, 1, m, headDim]`; of the last section `logits` `[1, vocabulary]` of the last token; of others `after` `[1, m, d]` and
 * `attention` `[capacity + m]`: what the last token pays in the last block to each slot and each new token, the mean over heads.
 */
export function sectionGraph(g: GraphBuilder, weights: Weights, config: ModelConfig, { first, last }: Section, kvDtype: KvDtype): void {
  const embedded = first === 0 ? g.input("ids", "int64", [1, "m"]) : g.input("hidden", "float32", [1, "m", config.hiddenSize]);
  const rotaries = rotaryInputs(g, config, "m");
  const positions = g.input("positions", "int64", ["m"]);
  const bias = g.input("bias", "float32", ["m", "capacity"]);
  const selfBias = g.input("self_bias", "float32", ["m", "m"]);
  let hidden = first === 0 ? embed(g, weights, config, embedded, positions) : embedded;
  for (let layer = first; layer <= last; layer++) {
    const past = { key: cachedInput(g, "past_key", layer, kvDtype, config, "capacity"), value: cachedInput(g, "past_value", layer, kvDtype, config, "capacity"), bias, slots: null };
    const result = block(g, weights, config, layer, hidden, layerRotary(config, rotaries, layer), cachedAttention(config, past, positions, selfBias));
    hidden = result.hidden;
    g.output(result.key, `key.${layer}`);
    g.output(result.value, `value.${layer}`);
    if (layer === last && last < config.layers - 1) g.output(g.reshape(g.reduceMean(g.last(result.inside["attention.weights"]!, 3), [0, 1, 2, 3]), ["capacity+m"]), "attention");
  }
  if (last < config.layers - 1) g.output(hidden, "after");
  else g.output(g.reshape(head(g, weights, config, g.last(hidden, 1)), [1, config.vocabSize]), "logits");
}
