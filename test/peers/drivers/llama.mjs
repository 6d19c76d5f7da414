// llama.cpp through node-llama-cpp and its prebuilt binary. A batch of 512, llama.cpp's own; caches in half precision, its own too.
import { getLlama, LlamaLogLevel } from "node-llama-cpp";
import { serve, versionOf } from "./peer.mjs";

let context, fed;
await serve({
  async load({ model: file, threads, maxTokens, settings }) {
    const llama = await getLlama({ gpu: false, build: "never", maxThreads: threads, logLevel: LlamaLogLevel.error, skipDownload: true });
    const model = await llama.loadModel({ modelPath: file });
    context = await model.createContext({ contextSize: Math.ceil((maxTokens + 1) / 256) * 256, batchSize: 512, threads: { ideal: threads, min: threads }, flashAttention: settings.flash, sequences: 1 });
    return { versions: { "node-llama-cpp": versionOf("node-llama-cpp"), "llama.cpp": llama.llamaCppRelease.release }, settings: { flash_attention: context.flashAttention, batch: 512, kv_cache: "f16", threads: context.currentThreads || threads, system: llama.systemInfo } };
  },
  async run(ids, newTokens, onToken) {
    const sequence = context.getSequence();
    try {
      let count = 0;
      for await (const token of sequence.evaluate([...ids], { temperature: 0, yieldEogToken: true })) {
        onToken(token);
        if (++count > newTokens) break;
      }
      fed = sequence.contextTokens.slice(0, ids.length);
    } finally {
      sequence.dispose();
    }
    return fed;
  },
});
