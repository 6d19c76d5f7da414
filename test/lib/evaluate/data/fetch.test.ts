import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { zipSync } from "fflate";
import { packageRoot } from "../../../../lib/checkpoint/package-root.js";
import type { HubSettings } from "../../../../lib/checkpoint/hub/settings.js";
import { fetchDataset, localDataset } from "../../../../lib/evaluate/data/fetch.js";
import { temporaryFolder } from "../../checkpoint/fixtures.js";
import { hub, type Repository } from "../../checkpoint/hub/server.js";

const parquet = readFileSync(join(packageRoot(), "test", "lib", "evaluate", "data", "questions.parquet"));
const text = (value: string) => new TextEncoder().encode(value);
const jsonl = (...records: object[]) => text(records.map((record) => `${JSON.stringify(record)}\n`).join(""));
const archive = Buffer.from(zipSync({
  "data/hotpotqa.jsonl": jsonl({ input: "q", context: "c", answers: ["a"], dataset: "hotpotqa" }, { input: "q2", context: "c", answers: ["b"], dataset: "hotpotqa" }),
  "data/qasper.jsonl": jsonl({ input: "é", context: "島", answers: ["x"] }),
  "data/qasper_e.jsonl": jsonl({ input: "e", context: "e", answers: ["y"] }),
  "data/notes.txt": text("no records"),
}));
const longbench: Repository = { files: { "data.zip": archive, "README.md": "x" }, large: ["data.zip"] };
const everything = {
  "datasets/THUDM/LongBench": longbench,
  "datasets/THUDM/LongBench-v2": { files: { "data.json": JSON.stringify([{ _id: "1", question: "q", choice_A: "a", answer: "A", context: "c" }]) } },
  "datasets/rajpurkar/squad_v2": { files: { "squad_v2/validation-00000-of-00001.parquet": parquet }, large: ["squad_v2/validation-00000-of-00001.parquet"] },
  "datasets/hotpotqa/hotpot_qa": { files: { "distractor/validation-00000-of-00001.parquet": parquet } },
  "datasets/me/mine": { files: { "a/b.jsonl": Buffer.from(jsonl({ input: "x", answers: ["y"] })), "bad.jsonl": "{\n", "list.json": "{}", "bad.parquet": "no", "bad.zip": "no", "x.csv": "a" } },
};

async function setUp(t: TestContext) {
  const server = await hub(t, everything);
  const folder = await temporaryFolder(t);
  const settings: HubSettings = { endpoint: server.url, cache: join(folder, "hub"), token: undefined, offline: false };
  return { server, options: { settings, cacheFolder: join(folder, "cache"), pause: 1 } };
}

const records = (file: string) => readFileSync(file, "utf8").trim().split("\n").map((line) => JSON.parse(line) as Record<string, unknown>);

test("LongBench: each of its sets as JSON lines, E apart", async (t) => {
  const { options } = await setUp(t);
  const { files } = await fetchDataset("longbench", options);
  assert.deepEqual(files.map(({ name, records: count }) => [name, count]), [["hotpotqa", 2], ["qasper", 1]]);
  assert.equal(records(files[1]!.file)[0]!["context"], "島");
  const { files: e } = await fetchDataset("longbench-e", options);
  assert.deepEqual(e.map(({ name }) => name), ["qasper_e"]);
  const { files: v2 } = await fetchDataset("longbench-v2", options);
  assert.equal(records(v2[0]!.file)[0]!["choice_A"], "a");
});

test("question sets in Parquet become JSON lines, value by value", async (t) => {
  const { options } = await setUp(t);
  for (const name of ["squad", "hotpotqa"]) {
    const { files } = await fetchDataset(name, options);
    assert.deepEqual(files.map((file) => [file.name, file.records]), [[name, 5]]);
    const rows = records(files[0]!.file);
    rows.forEach((row, i) => assert.deepEqual(row, {
      id: `q${i}`, title: "Île — 島", context: `Context ${i} with naïve text.`, question: `Question ${i}?`, count: i, big: 2 ** 40 + i, share: i / 4,
      answers: { text: i === 2 ? [] : [`answer ${i}`, "日本"], answer_start: i === 2 ? [] : [i, 2 * i] },
    }));
  }
});

test("what was fetched is there without the hub", async (t) => {
  const { server, options } = await setUp(t);
  await assert.rejects(localDataset("longbench", options), /data set: longbench is not on this machine \(sdtp fetch --dataset longbench brings it\)/);
  await assert.rejects(fetchDataset("longbench", { ...options, settings: { ...options.settings, offline: true } }), /cannot be fetched while HF_HUB_OFFLINE is set/);
  const { files } = await fetchDataset("longbench", options);
  const asked = server.requests.length;
  assert.deepEqual((await localDataset("longbench", options)).files, files);
  assert.deepEqual((await localDataset("longbench-e", options)).files.map(({ name }) => name), ["qasper_e"]);
  assert.deepEqual((await fetchDataset("longbench", { ...options, settings: { ...options.settings, offline: true } })).files, files);
  assert.equal(server.requests.length, asked);
  assert.deepEqual((await fetchDataset("longbench", { ...options, settings: { ...options.settings, endpoint: "http://127.0.0.1:1" } })).files, files);
});

test("any other data set by its file; what cannot be read is named", async (t) => {
  const { options } = await setUp(t);
  const { files } = await fetchDataset("me/mine:a/b.jsonl", options);
  assert.deepEqual(records(files[0]!.file), [{ input: "x", answers: ["y"] }]);
  const refused = (name: string, message: RegExp) => assert.rejects(fetchDataset(name, options), message);
  await refused("nothing", /data set: nothing \(known: longbench, longbench-e, longbench-v2, squad, hotpotqa; or org\/name:file of one on the hub\)/);
  await refused("me/mine:none.jsonl", /hub: the data set me\/mine has no file none\.jsonl \(has a\/b\.jsonl, /);
  await refused("me/none:x.jsonl", /hub: no dataset me\/none, or a private one/);
  await refused("me/mine:bad.jsonl", /me\/mine: bad\.jsonl, line 1: not JSON/);
  await refused("me/mine:list.json", /me\/mine: list\.json: must be a list of records/);
  await refused("me/mine:bad.parquet", /me\/mine: bad\.parquet: not a parquet file that can be read/);
  await refused("me/mine:bad.zip", /me\/mine: bad\.zip: not a zip archive that can be read/);
  await refused("me/mine:x.csv", /data file: me\/mine: x\.csv \(supported: \.jsonl, \.json, \.parquet, \.zip\)/);
});
