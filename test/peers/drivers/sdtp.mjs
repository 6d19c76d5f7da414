// This package itself, as `sdtp generate` calls it.
import { backend } from "../../../dist/lib/runtime/c-api/backend.js";
import { load } from "../../../dist/lib/runtime/model.js";
import { greedy } from "../../../dist/lib/runtime/sampler.js";
import { environment } from "../../../dist/lib/bench/environment.js";
import { serve } from "./peer.mjs";

let model, preset, scorer;
await serve({
  async load({ model: folder, threads, settings }) {
    preset = settings.preset;
    model = await load(folder, { threads, dtype: settings.dtype, ...(settings.device && { device: settings.device }) });
    const { versions } = environment();
    return { versions: { "sdtp-notebook": versions["sdtp-notebook"], "onnxruntime-node": versions["onnxruntime-node"], node: process.versions.node }, settings: { device: model.device, backend: (await backend()).name, dtype: model.dtype, computed_in: model.computeDtype, kv_cache: model.kvDtype, preset } };
  },
  async run(ids, newTokens, onToken) {
    const run = await model.prefill(ids, { preset, reserve: newTokens });
    let token = greedy(run.logits);
    onToken(token);
    for (let i = 0; i < newTokens; i++) {
      token = greedy(await run.extend([token]));
      onToken(token);
    }
    scorer = run.scorer;
    run.dispose();
    return ids;
  },
});
