// Whole prompts of models with sliding windows, random weights: pieces with their window's keys alone beside all keys up to a piece's end, as it was before. CPU time of one
// thread, in turns within one process. `npm run build && node results/published/attention/windows.mjs [--lengths 4096] [--rounds 5] > windows.txt`
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { Tensor } from "onnxruntime-node";
import { openCheckpoint } from "../../../dist/lib/checkpoint/index.js";
import { synthesize } from "../../../dist/lib/checkpoint/synthetic.js";
import { fusedAttention } from "../../../dist/lib/decoder/attention.js";
import { block } from "../../../dist/lib/decoder/block.js";
import { checkpointWeights, weightsFolder } from "../../../dist/lib/decoder/checkpoint-weights.js";
import { embed, head } from "../../../dist/lib/decoder/head.js";
import { layerRotary, rotaryInputs } from "../../../dist/lib/decoder/positions.js";
import { RotaryTables } from "../../../dist/lib/decoder/rotary.js";
import { planAttention } from "../../../dist/lib/methods/plan/pieces.js";
import { GraphBuilder } from "../../../dist/lib/onnx/builder.js";
import { rotaryFeeds } from "../../../dist/lib/runtime/rotary-feeds.js";
import { createSession } from "../../../dist/lib/runtime/session.js";
import { allKeys } from "./ways.mjs";

const { values: options } = parseArgs({ options: { lengths: { type: "string", default: "4096" }, rounds: { type: "string", default: "5" } } });
const middle = (x) => [...x].sort((a, b) => a - b)[x.length >> 1];
const common = { vocab_size: 8192, max_position_embeddings: 32768, tie_word_embeddings: true, rms_norm_eps: 1e-6 };
const shapes = {
  "mistral, 4 blocks, d 512, 8 heads on 4 of 64, a window of 1024": { ...common, model_type: "mistral", num_hidden_layers: 4, hidden_size: 512, intermediate_size: 1536, num_attention_heads: 8, num_key_value_heads: 4, head_dim: 64, sliding_window: 1024 },
  "gemma3, 6 blocks as of the one of 270M: d 640, 4 heads on 1 of 256, a window of 512, one block without": { ...common, model_type: "gemma3_text", num_hidden_layers: 6, hidden_size: 640, intermediate_size: 2048, num_attention_heads: 4, num_key_value_heads: 1, head_dim: 256, query_pre_attn_scalar: 256, sliding_window: 512, hidden_activation: "gelu_pytorch_tanh", layer_types: [...Array(5).fill("sliding_attention"), "full_attention"] },
};

const cacheFolder = mkdtempSync(join(tmpdir(), "windows-"));
try {
  for (const [label, raw] of Object.entries(shapes)) {
    const checkpoint = await openCheckpoint(await synthesize(raw, raw.model_type, { dtype: "fp32", cacheFolder }), { cacheFolder });
    const { config } = checkpoint;
    for (const n of options.lengths.split(",").map(Number)) {
      const { fusedChunks: chunks, tiled, windowed, windowTiled } = planAttention(config, n, { fewest: n });
      const ways = [];
      for (const attention of [allKeys(config, n), fusedAttention(config, { chunks, tiled, windowed, windowTiled })]) {
        const g = new GraphBuilder();
        const weights = checkpointWeights(g, checkpoint);
        const rotaries = rotaryInputs(g, config, "n");
        let hidden = embed(g, weights, config, g.input("ids", "int64", [1, "n"]), g.range("n"));
        for (let layer = 0; layer < config.layers; layer++) hidden = block(g, weights, config, layer, hidden, layerRotary(config, rotaries, layer), attention).hidden;
        g.output(head(g, weights, config, g.last(hidden, 1)), "logits");
        ways.push({ session: await createSession(g, { threads: 1, folder: weightsFolder(checkpoint) }), times: [], logits: null });
      }
      const feeds = { ids: new Tensor("int64", BigInt64Array.from({ length: n }, (_, i) => BigInt((i * 7919 + ((i * i) % 13)) % config.vocabSize)), [1, n]), ...rotaryFeeds(new RotaryTables(config).prompt(n)) };
      for (let round = 0; round <= Number(options.rounds); round++) {
        for (const way of ways) {
          const used = process.cpuUsage();
          const { logits } = await way.session.run(feeds, ["logits"]);
          const { user, system } = process.cpuUsage(used);
          if (round === 0) way.logits = Float32Array.from(logits.data);
          else way.times.push((user + system) / 1e6);
        }
      }
      const [before, now] = ways;
      const largest = Math.max(...before.logits.map(Math.abs));
      const apart = Math.max(...now.logits.map((x, i) => Math.abs(x - before.logits[i])));
      console.log(`${label}, ${n} tokens: before ${middle(before.times).toFixed(2)} s, now ${middle(now.times).toFixed(2)} s, now / before of each pair ${middle(now.times.map((time, i) => time / before.times[i])).toFixed(2)}; logits up to ${apart.toExponential(1)} apart, of at most ${largest.toFixed(2)}`);
      for (const { session } of ways) await session.release();
    }
  }
} finally {
  rmSync(cacheFolder, { recursive: true, force: true });
}
