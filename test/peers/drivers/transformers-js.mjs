// transformers.js on onnxruntime-node, with the graph that `sdtp export-model --to onnx` makes for it.
import { basename, dirname } from "node:path";
import { AutoModelForCausalLM, env, Tensor } from "@huggingface/transformers";
import { serve, versionOf } from "./peer.mjs";

let model;
await serve({
  async load({ model: folder, threads }) {
    env.allowRemoteModels = false;
    env.localModelPath = dirname(folder);
    model = await AutoModelForCausalLM.from_pretrained(basename(folder), { dtype: "fp32", device: "cpu", session_options: { intraOpNumThreads: threads, interOpNumThreads: 1 } });
    return { versions: { "@huggingface/transformers": env.version, "onnxruntime-node": versionOf("onnxruntime-node") }, settings: { intraOpNumThreads: threads, kv_cache: "fp32" } };
  },
  async run(ids, newTokens, onToken) {
    const input_ids = new Tensor("int64", BigInt64Array.from(ids, BigInt), [1, ids.length]);
    const attention_mask = new Tensor("int64", new BigInt64Array(ids.length).fill(1n), [1, ids.length]);
    // The prompt itself comes first.
    let seen = false;
    const streamer = { put: ([tokens]) => (seen ? onToken(tokens.at(-1)) : (seen = true)), end() {} };
    await model.generate({ input_ids, attention_mask, max_new_tokens: newTokens + 1, do_sample: false, eos_token_id: null, streamer });
    return input_ids.data;
  },
});
