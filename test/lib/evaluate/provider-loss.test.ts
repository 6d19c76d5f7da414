// What a provider costs a model: here a home of the CPU by another name, so that nothing is lost, and one that rounds.
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { openCheckpoint } from "../../../lib/checkpoint/open.js";
import { providerLoss } from "../../../lib/evaluate/provider-loss.js";
import { hostHome } from "../../../lib/runtime/home.js";
import { Model } from "../../../lib/runtime/model.js";
import { keptSamples, type LossSample } from "../../../lib/runtime/providers/loss-samples.js";
import { heldOutText } from "../../../lib/train/corpus.js";

const folder = mkdtempSync(join(tmpdir(), "sdtp-loss-"));
process.env["SDTP_CACHE"] = folder;
after(() => rmSync(folder, { recursive: true }));

const settings = { text: heldOutText(), length: 96, prompts: 4, seed: 0, version: "1" };
const timeless = (samples: readonly LossSample[]) => samples.map(({ seconds, ...sample }) => (assert.ok(seconds.cpu > 0 && seconds.device > 0), sample));
const [cpu, same, rounded] = await Promise.all([
  openCheckpoint("tiny", {}).then((checkpoint) => new Model(checkpoint, { threads: 1 })),
  openCheckpoint("tiny", {}).then((checkpoint) => new Model(checkpoint, { threads: 1 }, { ...hostHome("plain"), device: "plugin:same" })),
  openCheckpoint("tiny", { dtype: "int4:nearest" }).then((checkpoint) => new Model(checkpoint, { threads: 1 }, { ...hostHome("plain"), device: "plugin:rounded" })),
]);
after(() => Promise.all([cpu, same, rounded].map((model) => model.release())));

test("a device that computes what the CPU does costs nothing; one that rounds costs what its samples say", async () => {
  const none = await providerLoss(cpu, same, settings);
  assert.ok(Math.abs(none.extra_loss.mean) < 1e-4 && none.loss.cpu > 0);
  assert.deepEqual([none.same_first_choice, none.kept_same, none.samples!.length], [4, 1, 4]);
  assert.equal(none.keys_right.cpu, none.keys_right.device);
  const some = await providerLoss(cpu, rounded, settings);
  const mean = some.samples!.reduce((sum, { loss }) => sum + (loss.device - loss.cpu) / 4, 0);
  assert.ok(Math.abs(some.extra_loss.mean - mean) < 1e-9 && mean !== 0 && some.kept_same < 1);
  assert.equal(some.loss.cpu, none.loss.cpu);
});

test("a measurement that was stopped goes on where it was, and gives what one gives that was not", async () => {
  const whole = await providerLoss(cpu, same, settings);
  const plugin = { device: "plugin:same", file: "/same.so", version: null } as const;
  const store = () => keptSamples(plugin, { model: "m", length: settings.length });
  const stop = new AbortController();
  const first = await store();
  await assert.rejects(providerLoss(cpu, same, {
    ...settings, signal: stop.signal, found: first.found,
    onSample: async (samples) => {
      await first.keep(samples);
      if (samples.length === 2) stop.abort(new Error("enough"));
    },
  }), { message: "enough" });
  const second = await store();
  assert.equal(second.found.length, 2);
  assert.deepEqual((await keptSamples(plugin, { model: "m", length: 97 })).found, [], "of another length");
  const told: [number, number | null][] = [];
  const rest = await providerLoss(cpu, same, { ...settings, found: second.found, onProgress: (share, _, left) => told.push([share, left]) });
  assert.deepEqual(timeless(rest.samples!), timeless(whole.samples!));
  assert.deepEqual(rest.samples!.slice(0, 2), second.found);
  assert.deepEqual(told.map(([share]) => share), [0.5, 0.75, 1]);
  assert.ok(told[0]![1] === null && told[1]![1]! > 0 && told[2]![1] === 0);
  await second.drop();
  assert.deepEqual((await store()).found, []);
});
