import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { fileURLToPath } from "node:url";
import { zipSync } from "fflate";
import { readTorch } from "../../../lib/checkpoint/torch.js";
import { readPruner } from "../../../lib/methods/scorers/learned.js";
import { global, reduceTo, stateDict, type PickledTensor } from "./torch-file.js";

const folder = await mkdtemp(join(tmpdir(), "sdtp-torch-"));
after(() => rm(folder, { recursive: true }));

const text = (value: string) => new TextEncoder().encode(value);
const floats = (...values: number[]) => new Uint8Array(Float32Array.from(values).buffer);

/** Writes an archive as torch.save lays it out. */
async function archive(name: string, entries: Record<string, Uint8Array>, options: { level: 0 | 6 } = { level: 0 }): Promise<string> {
  const file = join(folder, name);
  await writeFile(file, zipSync(Object.fromEntries(Object.entries(entries).map(([entry, bytes]) => [`archive/${entry}`, [bytes, options]])), {}));
  return file;
}

const tensor = (name: string, shape: number[], more: Partial<PickledTensor> = {}): PickledTensor => ({ name, storage: "FloatStorage", key: "0", size: shape.reduce((a, b) => a * b, 1), offset: 0, shape, ...more });

test("tensors come out with their shapes, whatever their dtype, offset and stride", async () => {
  const file = await archive("kinds.pt", {
    "data.pkl": stateDict([
      tensor("a", [2, 3]),
      tensor("transposed", [3, 2], { size: 6, stride: [1, 3] }),
      tensor("tail", [2], { size: 6, offset: 4 }),
      tensor("half", [2], { storage: "HalfStorage", key: "1" }),
      tensor("brain", [1, 2], { storage: "BFloat16Storage", key: "2" }),
      tensor("double", [], { storage: "DoubleStorage", key: "3", size: 1 }),
      tensor("empty", [0, 4], { key: "4", size: 0 }),
    ]),
    "data/0": floats(1, 2, 3, 4, 5, 6),
    "data/1": new Uint8Array(Uint16Array.of(0x3c00, 0xc000).buffer),
    "data/2": new Uint8Array(Uint16Array.of(0x3f80, 0xc040).buffer),
    "data/3": new Uint8Array(Float64Array.of(0.5).buffer),
    "data/4": new Uint8Array(0),
    byteorder: text("little"),
    version: text("3\n"),
  });
  const tensors = await readTorch(file);
  const values = (name: string) => [...(tensors.get(name)!.values as Float32Array)];
  assert.deepEqual([...tensors.keys()], ["a", "transposed", "tail", "half", "brain", "double", "empty"]);
  assert.deepEqual([values("a"), tensors.get("a")!.shape], [[1, 2, 3, 4, 5, 6], [2, 3]]);
  assert.deepEqual(values("transposed"), [1, 4, 2, 5, 3, 6]);
  assert.deepEqual(values("tail"), [5, 6]);
  assert.deepEqual(values("half"), [1, -2]);
  assert.deepEqual(values("brain"), [1, -3]);
  assert.deepEqual(values("double"), [0.5]);
  assert.deepEqual([values("empty"), tensors.get("empty")!.shape], [[], [0, 4]]);
});

test("pruning modules are read from it under the published names", async () => {
  const weight = Float32Array.from({ length: 8 }, (_, i) => i / 8);
  const entries = {
    "data.pkl": stateDict([
      tensor("4.scorer.0.weight", [2, 4]), tensor("4.scorer.0.bias", [2], { key: "1" }),
      tensor("4.scorer.2.weight", [1, 2], { key: "2" }), tensor("4.scorer.2.bias", [1], { key: "3" }),
    ]),
    "data/0": new Uint8Array(weight.buffer), "data/1": floats(1, 2), "data/2": floats(3, 4), "data/3": floats(5),
  };
  const { modules, id } = await readPruner(await archive("pruning_module.pt", entries));
  assert.deepEqual([...modules.keys()], [4]);
  assert.deepEqual(modules.get(4), { hiddenSize: 4, innerSize: 2, weight0: weight, bias0: Float32Array.of(1, 2), weight2: Float32Array.of(3, 4), bias2: Float32Array.of(5), distance: null });
  const other = await readPruner(await archive("other.pt", { ...entries, "data/3": floats(6) }));
  assert.notEqual(other.id, id);
  await assert.rejects(readPruner(await archive("nan.pt", { ...entries, "data/2": floats(3, NaN) })), /tensor 4\.scorer\.2\.weight holds NaN \(must be finite\)/);
});

test("a file that PyTorch wrote is read to the last digit", async () => {
  // torch 1.13, torch.save(modules.state_dict(), …) of modules after blocks 4 and 7, hidden size 8, seed 0.
  const file = fileURLToPath(new URL("../../../../test/lib/checkpoint/pruning_module.pt", import.meta.url));
  const { modules } = await readPruner(file);
  assert.deepEqual([...modules.keys()], [4, 7]);
  const { hiddenSize, innerSize, weight0, bias0, weight2, bias2 } = modules.get(4)!;
  assert.deepEqual([hiddenSize, innerSize, weight0.length, weight2.length], [8, 2, 16, 2]);
  assert.deepEqual([...weight0.subarray(0, 2)], [-0.0026469905860722065, 0.18966144323349]);
  assert.deepEqual([...bias0], [0.13977210223674774, 0.21214008331298828]);
  assert.deepEqual([...weight2], [-0.47937673330307007, -0.3079187273979187]);
  assert.deepEqual([...bias2], [0.2568332850933075]);
  assert.deepEqual([...modules.get(7)!.bias2], [-0.3625219762325287]);
});

test("a pickle that names anything else is refused, and nothing of it is executed", async () => {
  const names = [["os", "system"], ["posix", "system"], ["builtins", "eval"], ["builtins", "getattr"], ["torch", "load"], ["torch", "__proto__"], ["collections", "constructor"], ["torch._utils", "_rebuild_qtensor"]];
  for (const [module, name] of names) {
    for (const program of [global(module!, name!), reduceTo(module!, name!, "echo pwned")]) {
      const file = await archive("evil.pt", { "data.pkl": program });
      await assert.rejects(readTorch(file), new RegExp(`the pickle names ${module!.replace(".", "\\.")}\\.${name} \\(refused`));
    }
  }
});

test("allowed names used for something else than tensors are errors", async () => {
  const wrong: [Uint8Array, RegExp][] = [
    [reduceTo("torch._utils", "_rebuild_tensor_v2", "x"), /_rebuild_tensor_v2 with 1 arguments/],
    [reduceTo("collections", "OrderedDict", "x"), /OrderedDict with 1 arguments/],
    [stateDict([tensor("a", [1], { key: "../../etc/passwd" })]), /storage \.\.\/\.\.\/etc\/passwd/],
    [stateDict([tensor("a", [3])]), /storage data\/0: 4 bytes \(must be 12\)/],
    [stateDict([tensor("a", [2], { size: 1 })]), /tensor a: shape \[2\] with offset 0 lies outside its storage of 1 elements/],
    [stateDict([tensor("a", [1], { size: 1, offset: 1 })]), /lies outside its storage/],
    [stateDict([tensor("a", [1000000, 1000000], { size: 1, stride: [0, 0] })]), /lies outside its storage/],
    [stateDict([tensor("a", [1], { key: "7", size: 1 })]), /its storage data\/7 is missing/],
    [Uint8Array.of(0x80, 2, 0x4e, 0x2e), /holds no dictionary of tensors/],
    [Uint8Array.of(0x80, 2, 0xff), /data\.pkl cannot be read/],
    [new Uint8Array(0), /data\.pkl cannot be read/],
  ];
  for (const [program, message] of wrong) await assert.rejects(readTorch(await archive("wrong.pt", { "data.pkl": program, "data/0": floats(1) })), message);
});

test("files that torch.save did not write are named, and what is wrong with them", async () => {
  const file = join(folder, "old.pt");
  await writeFile(file, Uint8Array.of(0x80, 2, 0x8a));
  await assert.rejects(readTorch(file), /old\.pt: not a zip archive/);
  await writeFile(file, Uint8Array.of(0x50, 0x4b, 3, 4, 0));
  await assert.rejects(readTorch(file), /the zip archive is damaged/);
  await assert.rejects(readTorch(await archive("squeezed.pt", { "data.pkl": new Uint8Array(1e6) }, { level: 6 })), /entry archive\/data\.pkl is compressed/);
  await assert.rejects(readTorch(await archive("empty.pt", { version: text("3") })), /no data\.pkl in it/);
  await assert.rejects(readTorch(await archive("big.pt", { "data.pkl": stateDict([]), byteorder: text("big") })), /byte order big/);
  await assert.rejects(readTorch(join(folder, "none.pt")), /none\.pt: no such file/);
});
