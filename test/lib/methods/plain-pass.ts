// What tests of methods are held against: a small model, a prompt, and its pass in float64, which nothing prunes.
import { after, before } from "node:test";
import { load, type Model } from "../../../lib/runtime/model.js";
import { tinyCheckpoint, type TinyCheckpoint } from "../../reference/checkpoints.js";
import { forward, type ForwardResult } from "../../reference/forward.js";
import { Pass } from "./float64.js";

export const prompt = Array.from({ length: 48 }, (_, i) => (i * 37 + 11 * (i % 7)) % 250);
export const n = prompt.length;
export const TIGHT = 2e-5;

export let tiny: TinyCheckpoint;
export let model: Model;
export let plain: ForwardResult;
export let pass: Pass;

before(async () => {
  tiny = tinyCheckpoint("llama-llama3");
  model = await load(tiny.folder, { threads: 1 });
  plain = forward(tiny.config, tiny.weights, prompt);
  pass = new Pass(tiny, plain, prompt);
});
after(async () => {
  await model.release();
  tiny.remove();
});
