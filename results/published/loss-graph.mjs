// What comparisons of dtypes have in common (int8/compare.mjs, int4/compare.mjs): losses and first choices of all tokens of a prompt, in one graph.
import { fusedAttention } from "../../dist/lib/decoder/attention.js";
import { block } from "../../dist/lib/decoder/block.js";
import { checkpointWeights } from "../../dist/lib/decoder/checkpoint-weights.js";
import { embed, head } from "../../dist/lib/decoder/head.js";
import { crossEntropy } from "../../dist/lib/decoder/loss.js";
import { layerRotary, rotaryInputs } from "../../dist/lib/decoder/positions.js";
import { GraphBuilder } from "../../dist/lib/onnx/builder.js";

/** Inputs: `ids` `[1, n]`, `targets` `[n, 1]`, rotary tables. Outputs: `losses`, `choices` `[n]`. @returns the graph, and its logits `[n, vocabulary]` */
export function lossGraph(checkpoint, settings) {
  const { config } = checkpoint;
  const g = new GraphBuilder("losses");
  const weights = checkpointWeights(g, checkpoint, settings);
  const ids = g.input("ids", "int64", [1, "n"]);
  const rotaries = rotaryInputs(g, config, "n");
  let hidden = embed(g, weights, config, ids, g.range("n"));
  for (let layer = 0; layer < config.layers; layer++) hidden = block(g, weights, config, layer, hidden, layerRotary(config, rotaries, layer), fusedAttention(config)).hidden;
  const logits = g.reshape(head(g, weights, config, hidden), ["n", config.vocabSize]);
  g.output(crossEntropy(g, logits, g.input("targets", "int64", ["n", 1])), "losses");
  g.output(g.argMax(logits), "choices");
  return { g, logits };
}
