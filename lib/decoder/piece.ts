// A prompt's way through some of the blocks, a piece of its tokens at a time.
import type { KvDtype } from "../checkpoint/kv-dtype.js";
import { layerWindow } from "../checkpoint/sliding-window.js";
import type { ModelConfig } from "../checkpoint/types.js";
import type { PiecesPlan } from "../methods/plan/pieces-plan.js";
import type { GraphBuilder } from "../onnx/builder.js";
import type { Value } from "../onnx/graph.js";
import type { Attention } from "./attention.js";
import { block } from "./block.js";
import { growing, growingCaches } from "./decode-in-place.js";
import { layerAttention } from "./decode.js";
import { embed, head } from "./head.js";
import { layerRotary, rotaryInputs } from "./positions.js";
import type { StateName } from "./stage.js";
import type { Weights } from "./weights.js";

/** Blocks in a row that see the same tokens. */
export interface BlockRange {
  /** The first and the last of them, from 0. */
  readonly from: number;
  readonly to: number;
}

export interface PieceOptions extends BlockRange, Pick<PiecesPlan, "inPlace" | "tiled"> {
  readonly kvDtype: KvDtype;
  /** What is asked for of each token, after the last of these blocks. After a model's last block and with nothing asked for, that is computed for the last token alone. */
  readonly states: readonly StateName[];
}

/**
 * `m` further tokens through the blocks `from` … `to`, on top of caches of the tokens before them.
 * Inputs: `ids` `[1, m]` int64 for the first block, else `hidden` `[1, m, d]`; `positions` `[m]` int64; with rotary positions `cos`, `sin` (see `rotaryInputs`);
 * caches of these blocks, counted from 0, as `inPlaceGraph` takes them where `inPlace`, else as `decodeGraph` does.
 * Outputs: `key.L`, `value.L` as of those graphs; what is asked for, each `[1, m, …]`; after the model's last block `logits` `[1, vocabulary]` of the last token.
 */
export function pieceGraph(g: GraphBuilder, weights: Weights, config: ModelConfig, { from, to, inPlace, tiled, kvDtype, states }: PieceOptions): void {
  const given = from === 0 ? g.input("ids", "int64", [1, "m"]) : g.input("hidden", "float32", [1, "m", config.hiddenSize]);
  const rotaries = rotaryInputs(g, config, "m");
  const positions = g.input("positions", "int64", ["m"]);
  const attentionOf = inPlace ? attentionInPlace(g, config, { from, to }, tiled) : attentionBeside(g, config, { from, to }, positions, kvDtype);
  let hidden = from === 0 ? embed(g, weights, config, given, positions) : given;
  const isLast = (layer: number) => layer === config.layers - 1;
  for (let layer = from; layer <= to; layer++) {
    const lastToken = isLast(layer) && states.length === 0;
    const attention = attentionOf(layer);
    const result = block(g, weights, config, layer, hidden, layerRotary(config, rotaries, layer), lastToken ? ofLastToken(attention) : attention, lastToken ? 1 : "all");
    hidden = result.hidden;
    if (!inPlace) {
      g.output(result.key, `key.${layer - from}`);
      g.output(result.value, `value.${layer - from}`);
    }
    if (layer < to) continue;
    const all: Readonly<Record<StateName, Value>> = { hidden, update: result.inside["attention.output"]!, queries: result.queries };
    for (const name of states) g.output(g.cast(all[name], "float32"), stateOutput(name));
  }
  if (isLast(to)) g.output(g.reshape(head(g, weights, config, g.last(hidden, 1)), [1, config.vocabSize]), "logits");
}

/** The output that gives it: named apart from the input of hidden states. */
export const stateOutput = (name: StateName): string => `after.${name}`;

function attentionInPlace(g: GraphBuilder, config: ModelConfig, { from, to }: BlockRange, tiled: boolean): (layer: number) => Attention {
  const count = to - from + 1;
  const cacheOf = growingCaches(g, g.input("lengths", "int32", [count]), count, config.headDim);
  return (layer) => growing(config, cacheOf(String(layer - from), layer - from, config.kvHeads), { tiled, window: layerWindow(config, layer) });
}

function attentionBeside(g: GraphBuilder, config: ModelConfig, { from }: BlockRange, positions: Value, kvDtype: KvDtype): (layer: number) => Attention {
  const selfBias = g.input("self_bias", "float32", ["m", "m"]);
  const unlimited = config.fullLayers.length > 0 ? g.input("self_bias.unlimited", "float32", ["m", "m"]) : selfBias;
  return (layer) => layerAttention(g, config, String(layer - from), { kvDtype, ragged: false }, positions, layerWindow(config, layer) === config.slidingWindow ? selfBias : unlimited);
}

/** Attention of the last token alone, keys and values of all: operators that want as many queries as keys get that token's for each. */
function ofLastToken(attention: Attention): Attention {
  return (g, { q, k, v, sinks }, layer) => {
    const [, m] = k.shape;
    const all = g.expand(q, [1, m!, q.shape[2]!]);
    const result = attention(g, { q: all, k, v, sinks: sinks ?? null }, layer);
    return { ...result, output: g.last(result.output, 1) };
  };
}
