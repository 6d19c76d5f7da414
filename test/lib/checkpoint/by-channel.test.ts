import assert from "node:assert/strict";
import { test } from "node:test";
import { quantizeChannels } from "../../../lib/checkpoint/by-channel.js";
import { openCheckpoint, openFolder } from "../../../lib/checkpoint/open.js";
import { readBytes, readFloats } from "../../../lib/checkpoint/safetensors.js";
import { synthesize } from "../../../lib/checkpoint/synthetic.js";
import type { Checkpoint } from "../../../lib/checkpoint/types.js";
import { allValues } from "../../../lib/checkpoint/values.js";
import { viewed } from "../../../lib/checkpoint/view.js";
import { tinyCheckpoint } from "../../reference/checkpoints.js";
import { rawConfig, temporaryFolder } from "./fixtures.js";

/** What the form by channels of a weight stands for, `[out, in]`. */
async function channelValues(checkpoint: Checkpoint, name: string): Promise<number[]> {
  const { weights, scales } = checkpoint.tensors.get(name)!.quantization!.byChannel!;
  const parts: Uint8Array[] = [];
  for await (const bytes of readBytes(weights)) parts.push(bytes.slice());
  const bytes = Buffer.concat(parts);
  const levels = new Int8Array(bytes.buffer, bytes.byteOffset, bytes.length);
  const factors = await readFloats(scales);
  const [inner, out] = weights.shape as [number, number];
  return Array.from({ length: inner * out }, (_, i) => levels[(i % inner) * out + Math.floor(i / inner)]! * factors[Math.floor(i / inner)]!);
}

test("rows become columns of levels around zero, the largest magnitude the last level, in whatever pieces they come", () => {
  const values = Float32Array.of(1, -2, 0.5, 0, 0, 0, -0.001, 0.003, 0.001);
  const make = (pieces: readonly number[]) => {
    const channels = { weights: new Int8Array(9), scales: new Float32Array(3) };
    let row = 0;
    for (const rows of pieces) {
      quantizeChannels(channels, values.subarray(3 * row, 3 * (row + rows)), 3, row);
      row += rows;
    }
    return channels;
  };
  const { weights, scales } = make([3]);
  // [in, out]
  assert.deepEqual([...weights], [64, 0, -42, -127, 0, 127, 32, 0, 42]);
  assert.deepEqual([...scales], [Math.fround(2 / 127), 0, Math.fround(Math.fround(0.003) / 127)]);
  assert.deepEqual(make([1, 2]), { weights, scales });
});

test("int8 holds its projections in both forms, each within half a level; embedding, head, norms and other dtypes have one", async (t) => {
  const cacheFolder = await temporaryFolder(t);
  for (const variant of ["llama", "qwen2", "gpt2"] as const) {
    const tiny = tinyCheckpoint(variant);
    t.after(() => tiny.remove());
    for (const dtype of ["int8", "int8:asymmetric"]) {
      const checkpoint = await openCheckpoint(tiny.folder, { dtype, cacheFolder });
      const plain = await openCheckpoint(tiny.folder);
      assert.deepEqual([...checkpoint.tensors.keys()].sort(), [...plain.tensors.keys()].sort());
      for (const [name, { quantization, shape }] of checkpoint.tensors) {
        const form = quantization?.byChannel;
        assert.equal(Boolean(form), /_proj\.weight$/.test(name), name);
        if (!form) continue;
        const [out, inner] = shape as [number, number];
        assert.deepEqual([form.weights.dtype, form.weights.shape, form.scales.shape], ["I8", [inner, out], [out]]);
        const [values, scales] = [await channelValues(checkpoint, name), await readFloats(form.scales)];
        const blocks = await allValues(checkpoint.tensors.get(name)!);
        const blockScales = await readFloats(quantization!.scales);
        const perRow = blockScales.length / out;
        values.forEach((value, i) => {
          const row = Math.floor(i / inner);
          const block = blockScales[row * perRow + Math.floor((i % inner) / quantization!.blockSize)]!;
          // Symmetric blocks have no level for the negative of their largest element.
          assert.ok(Math.abs(value - blocks[i]!) <= 0.501 * scales[row]! + 0.501 * Math.abs(block) * (dtype === "int8" ? 2 : 1), `${name} ${i}`);
        });
      }
    }
    const int4 = await openCheckpoint(tiny.folder, { dtype: "int4:nearest", cacheFolder });
    assert.ok([...int4.tensors.values()].every(({ quantization }) => !quantization?.byChannel));
  }
});

test("experts have no second form, the expert that all tokens share has one; rows cut out of a weight lose theirs", async (t) => {
  const raw = rawConfig("qwen2", { model_type: "qwen2_moe", hidden_size: 64, intermediate_size: 96, num_experts: 4, num_experts_per_tok: 2, moe_intermediate_size: 32, shared_expert_intermediate_size: 48, norm_topk_prob: false, decoder_sparse_step: 1, mlp_only_layers: [] });
  const checkpoint = await openFolder(await synthesize(raw, "experts", { dtype: "int8", cacheFolder: await temporaryFolder(t) }));
  const has = (name: string) => Boolean(checkpoint.tensors.get(`model.layers.0.${name}.weight`)!.quantization?.byChannel);
  assert.deepEqual(["mlp.experts.0.up_proj", "mlp.shared_expert.up_proj", "self_attn.q_proj"].map(has), [false, true, true]);
  const stored = checkpoint.tensors.get("model.layers.0.self_attn.q_proj.weight")!;
  const cut = viewed(stored, { stored: stored.shape, slice: { axis: 0, from: 8, to: 16 } }, [8, stored.shape[1]!]);
  assert.equal(cut.quantization!.byChannel, null);
});
