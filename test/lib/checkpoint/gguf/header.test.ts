// Damaged and hostile GGUF files: one sentence that names the file and the place, nothing half-loaded, memory bounded by the file's size.
import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { readGgufHeader } from "../../../../lib/checkpoint/gguf/header.js";
import { openCheckpoint } from "../../../../lib/checkpoint/open.js";
import { tinyCheckpoint } from "../../../reference/checkpoints.js";
import { temporaryFolder } from "../fixtures.js";
import { ggufFile, ggufOf } from "../gguf-file.js";

const u32 = (value: number) => { const b = Buffer.alloc(4); b.writeUInt32LE(value); return b; };
const u64 = (value: number | bigint) => { const b = Buffer.alloc(8); b.writeBigUInt64LE(BigInt(value)); return b; };
const string = (text: string) => Buffer.concat([u64(Buffer.byteLength(text)), Buffer.from(text)]);
const entry = (key: string, kind: number, value: Buffer) => Buffer.concat([string(key), u32(kind), value]);
const info = (name: string, dims: readonly (number | bigint)[], code: number, offset: number | bigint) => Buffer.concat([string(name), u32(dims.length), ...dims.map(u64), u32(code), u64(offset)]);

interface Parts { version?: number; tensorCount?: number | bigint; keyCount?: number | bigint; keys?: Buffer[]; infos?: Buffer[]; data?: number; magic?: string }

function raw({ version = 3, keys = [], infos = [], tensorCount = infos.length, keyCount = keys.length, data = 0, magic = "GGUF" }: Parts): Buffer {
  const header = Buffer.concat([Buffer.from(magic), u32(version), u64(tensorCount), u64(keyCount), ...keys, ...infos]);
  return Buffer.concat([header, Buffer.alloc((32 - (header.length % 32)) % 32), Buffer.alloc(data)]);
}

async function rejected(t: TestContext, bytes: Buffer, message: RegExp): Promise<void> {
  const file = join(await temporaryFolder(t), "bad.gguf");
  await writeFile(file, bytes);
  await assert.rejects(readGgufHeader(file), (error: Error) => {
    assert.match(error.message, message);
    assert.ok(error.message.startsWith(file) && !error.message.includes("\n"), error.message);
    return true;
  });
}

const huge = 2n ** 62n;
const bad: readonly [string, Parts, RegExp][] = [
  ["an empty magic", { magic: "GGML" }, /not a GGUF file/],
  ["version 1", { version: 1 }, /GGUF version 1 \(supported: 2, 3\)/],
  ["big-endian", { version: 0x03000000 }, /byte order big \(must be little\)/],
  ["more tensors than bytes", { tensorCount: huge }, /tensor count: 4611686018427387904 \(more than a file of \d+ bytes holds: truncated or damaged\)/],
  ["more keys than bytes", { keyCount: 1e9 }, /metadata count: 1000000000/],
  ["a key longer than the file", { keys: [Buffer.concat([u64(2n ** 62n), Buffer.alloc(64)])] }, /metadata key 0: its name's length: 4611686018427387904 \(more than a file of/],
  ["a text longer than the file", { keys: [entry("a.b", 8, Buffer.concat([u64(5000), Buffer.alloc(64)]))] }, /metadata a\.b: a text's length: 5000/],
  ["a key with control characters", { keys: [entry("a\nb", 4, u32(1))] }, /metadata key 0: a name with characters that are none/],
  ["an array longer than the file", { keys: [entry("a.b", 9, Buffer.concat([u32(8), u64(huge)]))] }, /metadata a\.b: number of elements: 46116/],
  ["an array of more bytes than the file", { keys: [entry("a.b", 9, Buffer.concat([u32(12), u64(20), Buffer.alloc(64)]))] }, /metadata a\.b: number of elements: 20/],
  ["an array of arrays", { keys: [entry("a.b", 9, Buffer.concat([u32(9), u64(1), u32(9), u64(1)]))] }, /metadata a\.b: an array of arrays/],
  ["a kind that is none", { keys: [entry("a.b", 77, Buffer.alloc(8))] }, /metadata a\.b: a value of kind 77/],
  ["a key that is there twice", { keys: [entry("a.b", 4, u32(1)), entry("a.b", 4, u32(1))] }, /metadata a\.b: there twice/],
  ["an alignment that is none", { keys: [entry("general.alignment", 4, u32(24))] }, /general\.alignment: 24 \(must be a power of two, at least 8\)/],
  ["a tensor that is there twice", { infos: [info("t", [8], 0, 0), info("t", [8], 0, 32)], data: 64 }, /tensor t: there twice/],
  ["tensors that overlap", { infos: [info("a", [32], 0, 0), info("b", [8], 0, 64)], data: 128 }, /tensor b: overlaps tensor a by 64 bytes/],
  ["an offset between alignments", { infos: [info("a", [8], 0, 4)], data: 64 }, /tensor a: offset 4 \(must be a multiple of 32/],
  ["a tensor beyond the end", { infos: [info("a", [64], 0, 0)], data: 64 }, /tensor a: ends at byte 320 of a file of 128 bytes \(truncated\)/],
  ["an offset beyond any file", { infos: [info("a", [8], 0, huge)], data: 64 }, /tensor a: 4611686018427387904 \(more than/],
  ["sizes whose product overflows", { infos: [info("a", [2n ** 40n, 2n ** 40n], 0, 0)], data: 64 }, /tensor a: shape \[1099511627776, 1099511627776\]/],
  ["no elements", { infos: [info("a", [0, 8], 0, 0)], data: 64 }, /tensor a: shape \[8, 0\] \(must be positive/],
  ["too many dimensions", { infos: [info("a", [1, 1, 1, 1, 1], 0, 0)], data: 64 }, /tensor a: 5 dimensions \(must be 1 to 4\)/],
  ["rows that are no whole blocks", { infos: [info("a", [48, 2], 2, 0)], data: 64 }, /tensor a: shape \[2, 48\] \(rows of Q4_0 must be multiples of 32\)/],
  ["a type that cannot be read", { infos: [info("a", [256], 16, 0)], data: 128 }, /tensor a: type IQ2_XXS \(supported: F32, F16, Q4_0, .*MXFP4\)/],
  ["a type that nobody knows", { infos: [info("a", [256], 999, 0)], data: 128 }, /tensor a: type number 999/],
];
for (const [what, parts, message] of bad) test(`${what}: refused by name`, (t) => rejected(t, raw(parts), message));

test("an empty file, and one that ends anywhere in its header", async (t) => {
  await rejected(t, Buffer.alloc(0), /0 bytes \(truncated inside its header\)/);
  const whole = raw({ keys: [entry("general.architecture", 8, string("llama")), entry("a.list", 9, Buffer.concat([u32(4), u64(3), u32(1), u32(2), u32(3)]))], infos: [info("t", [8], 0, 0)], data: 32 });
  for (let length = 4; length < whole.length - 1; length += 7) await rejected(t, whole.subarray(0, length), /truncated|more than a file/);
});

test("every kind of value comes out as it is; integers beyond 2^53 stay whole", async (t) => {
  const file = join(await temporaryFolder(t), "kinds.gguf");
  const i64 = Buffer.alloc(8);
  i64.writeBigInt64LE(-5n);
  const f64 = Buffer.alloc(8);
  f64.writeDoubleLE(0.1);
  await writeFile(file, raw({ keys: [
    entry("u8", 0, Buffer.of(200)), entry("i8", 1, Buffer.of(200)), entry("u16", 2, Buffer.of(1, 2)), entry("i32", 5, Buffer.of(255, 255, 255, 255)), entry("bool", 7, Buffer.of(1)),
    entry("u64", 10, u64(2n ** 60n)), entry("small", 10, u64(7)), entry("i64", 11, i64), entry("f64", 12, f64), entry("text", 8, string("naïve")), entry("bools", 9, Buffer.concat([u32(7), u64(2), Buffer.of(1, 0)])),
  ] }));
  assert.deepEqual({ ...(await readGgufHeader(file)).metadata }, { u8: 200, i8: -56, u16: 513, i32: -1, bool: true, u64: 2n ** 60n, small: 7, i64: -5, f64: 0.1, text: "naïve", bools: [true, false] });
});

test("a key named __proto__ is a key like any other", async (t) => {
  const file = join(await temporaryFolder(t), "proto.gguf");
  await writeFile(file, raw({ keys: [entry("__proto__", 8, string("x")), entry("constructor", 8, string("y"))] }));
  const { metadata } = await readGgufHeader(file);
  assert.deepEqual(Object.keys(metadata), ["__proto__", "constructor"]);
  assert.equal(({} as Record<string, unknown>)["x"], undefined);
});

test("fuzzed: of any bytes changed or cut off, a model either opens or is refused in one sentence", async (t) => {
  const tiny = tinyCheckpoint("llama", { config: { intermediate_size: 64 } });
  t.after(() => tiny.remove());
  const { bytes } = ggufOf(tiny.config, tiny.weights, tiny.shapes, (name) => (/norm/.test(name) ? "F32" : "F16"));
  const folder = await temporaryFolder(t);
  const file = join(folder, "fuzzed.gguf");
  const headerEnd = 3000;
  let state = 20;
  const random = (below: number) => (state = (Math.imul(state, 1664525) + 1013904223) >>> 0) % below;
  let [opened, refused] = [0, 0];
  const before = process.memoryUsage().rss;
  for (let round = 0; round < 400; round++) {
    let changed = Buffer.from(bytes);
    for (let i = 0; i <= random(3); i++) {
      const at = random(headerEnd);
      switch (random(4)) {
        case 0: changed[at] = random(256); break;
        case 1: changed.fill(255, at, at + 1 + random(8)); break;
        case 2: changed = Buffer.concat([changed.subarray(0, at), changed.subarray(at + 1 + random(16))]); break;
        default: changed = changed.subarray(0, random(changed.length));
      }
    }
    await writeFile(file, changed);
    try {
      await openCheckpoint(file);
      opened++;
    } catch (error) {
      refused++;
      const { message, name } = error as Error;
      assert.equal(name, "Error", `round ${round}: ${(error as Error).stack}`);
      assert.ok(/fuzzed\.gguf/.test(message) && message.length < 2000, `round ${round}: ${message}`);
      assert.doesNotMatch(message, /undefined|Cannot read|is not a function|Invalid array length|out of range|NaN/, `round ${round}`);
    }
  }
  assert.ok(refused > 200 && opened > 0, `${opened} opened, ${refused} refused`);
  assert.ok(process.memoryUsage().rss - before < 3e8);
});

test("metadata of the wrong kind are refused by key", async (t) => {
  const tiny = tinyCheckpoint("llama", { config: { intermediate_size: 64 } });
  t.after(() => tiny.remove());
  const folder = await temporaryFolder(t);
  const file = join(folder, "odd.gguf");
  const cases: readonly [Parameters<typeof ggufOf>[4], RegExp][] = [
    [{ "llama.block_count": "two" }, /odd\.gguf: llama\.block_count: "two" \(must be a number, the same for all blocks\)/],
    [{ "llama.attention.head_count": { ints: [4, 2] } }, /llama\.attention\.head_count: \[4,2\] \(must be a number, the same for all blocks\)/],
    [{ "llama.attention.clamp_kqv": { float: 8 } }, /llama\.attention\.clamp_kqv: 8 \(not known of llama\)/],
    [{ "llama.expert_count": 8 }, /llama\.expert_count: 8 \(not known of llama\)/],
    [{ "llama.attention.causal": false }, /llama\.attention\.causal: false \(supported: true\)/],
    [{ "llama.rope.scaling.type": "longest", "llama.rope.scaling.factor": { float: 2 } }, /odd\.gguf.*"longest"/],
    [{ "llama.vocab_size": 12 }, /llama\.vocab_size: 12 \(supported: \d+\)/],
    [{ "llama.block_count": 0 }, /odd\.gguf.*num_hidden_layers: 0/],
    [{ "llama.block_count": 4 }, /tensor blk\.3\.attn_norm\.weight: missing in .*odd\.gguf/],
    [{ "llama.block_count": 2 }, /tensor blk\.2\..*: in .*odd\.gguf, but a model of architecture llama with these metadata has no use for it/],
    [{ "tokenizer.ggml.eos_token_id": 1e6 }, /odd\.gguf.*eos_token_id/],
  ];
  for (const [more, message] of cases) {
    await writeFile(file, ggufOf(tiny.config, tiny.weights, tiny.shapes, () => "F32", more).bytes);
    await assert.rejects(openCheckpoint(file), message, JSON.stringify(more));
  }
  // What changes nothing goes through.
  await writeFile(file, ggufOf(tiny.config, tiny.weights, tiny.shapes, () => "F32", { "llama.expert_count": 0, "llama.rope.scaling.finetuned": true, "llama.tensor_data_layout": "Meta AI original pth", "general.tags": ["a"] }).bytes);
  assert.equal((await openCheckpoint(file)).config.layers, tiny.config.num_hidden_layers);
  assert.ok(ggufFile({}, []).bytes.length > 0);
});
