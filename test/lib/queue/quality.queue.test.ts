import assert from "node:assert/strict";
import { cpSync, existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { ruler } from "../../../lib/cell/evaluate.js";
import { packageRoot } from "../../../lib/checkpoint/package-root.js";
import { load } from "../../../lib/runtime/model.js";
import { fakeNotebook } from "../cell/fake-notebook.js";
import { sdtp, temporaryFolder, until } from "../cli/sdtp.js";
import { noServer, redisServer, running, worker } from "./server.js";

test("a quality task in slices: the rows of the embedded run, on whichever machine; what is there is not measured again", { skip: noServer }, async (t) => {
  const cwd = temporaryFolder(t);
  const { url } = await redisServer(t, cwd);
  const evaluate = (file: string, samples: number, ...more: string[]) => running(t, cwd, ["evaluate", "perplexity", "--lengths", "64", "--continuation", "4", "--samples", String(samples), "--config", "keep07", "--scorer", "norm", "--output", file, "--json", ...more]);
  const embedded = await evaluate("embedded.jsonl", 10).ended;
  assert.equal(embedded.code, 0, embedded.stderr);
  const follows = evaluate("queued.jsonl", 10, "--queue", url);
  await follows.says(/no worker takes jobs for cpu yet/);
  const workers = ["a", "b"].map((name) => worker(t, cwd, url, name, ["--idle-seconds", "3"]));
  const queued = await follows.ended;
  assert.equal(queued.code, 0, queued.stderr);
  const [one, two] = ["embedded.jsonl", "queued.jsonl"].map((file) => rows(join(cwd, file)));
  assert.deepEqual(two!.map(same), one!.map(same));
  assert.equal(two!.length, 20);
  assert.ok(two!.every(({ machine, placement }) => /^[ab]$/.test(String(machine)) && placement === "cpu"));
  const said = workers.map((each) => each.said()).join("");
  await Promise.all(workers.map(({ ended }) => ended));
  // Ten prompts are two slices.
  assert.equal(said.match(/takes: .*perplexity/g)?.length, 2, said);
  const again = await evaluate("queued.jsonl", 10, "--queue", url).ended;
  assert.equal(again.code, 0, again.stderr);
  assert.equal(again.stdout, queued.stdout);
  assert.equal(rows(join(cwd, "queued.jsonl")).length, 20);
});

test("tasks of every kind, several at once: the rows of the embedded run, though the workers have none of the files", { skip: noServer }, async (t) => {
  const cwd = temporaryFolder(t);
  const far = temporaryFolder(t);
  const { url } = await redisServer(t, cwd);
  const lines = (name: string, ...all: object[]) => writeFileSync(join(cwd, name), all.map((line) => JSON.stringify(line)).join("\n"));
  lines("turns.jsonl", { context: "The key of Rome is 12. The key of Oslo is 34. ", multi_turns: [{ input: "Rome?", answer: "12" }, { input: "Oslo?", answer: "34" }] });
  lines("choice.jsonl", { context: "The sea is green. ", question: "What is green?", choice_A: "the sea", choice_B: "b", choice_C: "c", choice_D: "d", answer: "A" });
  lines("trec.jsonl", { input: "What is a whale ?", context: "Question: What is a ship ?\nType: thing", answers: ["animal"], all_classes: ["animal", "thing"], length: 10, dataset: "trec" });
  const kinds: Record<string, string[]> = {
    ruler: ["ruler", "--tasks", "niah_single_1", "niah_single_2", "--lengths", "300", "--samples", "1", "--seed", "1"],
    turns: ["infinitebench", "--tasks", "kv_retrieval", "--questions", "2", "--lengths", "700", "--samples", "1", "--query", "agnostic"],
    prompts: ["prompts", "turns.jsonl", "choice.jsonl", "--query", "agnostic", "--max-new-tokens", "4"],
    longbench: ["longbench", "trec.jsonl", "--max-new-tokens", "4"],
    retrieval: ["retrieval", "--lengths", "96", "--samples", "1", "--keys", "2", "--depths", "0.5"],
  };
  worker(t, far, url, "far", [], { env: { SDTP_CACHE: join(far, "cache") } });
  for (const [name, words] of Object.entries(kinds)) {
    const [embedded, queued] = await Promise.all([[], ["--queue", url]].map((more, i) => running(t, cwd, ["evaluate", ...words, "--config", "keep07", "--scorer", "norm", "--json", "--output", `${name}-${i}.jsonl`, ...more]).ended));
    assert.equal(embedded!.code, 0, embedded!.stderr);
    assert.equal(queued!.code, 0, queued!.stderr);
    const [one, two] = [0, 1].map((i) => rows(join(cwd, `${name}-${i}.jsonl`)));
    assert.deepEqual(two!.map(same), one!.map(same), name);
    assert.ok(two!.length >= 2 && two!.every(({ machine }) => machine === "far"), name);
    const scores = ({ stdout }: { stdout: string }) => (JSON.parse(stdout) as { tasks: { task: string; configurations: { metrics: object }[] }[] }).tasks.map(({ task, configurations }) => [task, configurations.map(({ metrics }) => metrics)]);
    assert.deepEqual(scores(queued!), scores(embedded!));
  }
});

test("a slice that fails is said with the command that measures exactly its prompts, alone; with that, nothing is missing", { skip: noServer }, async (t) => {
  const cwd = temporaryFolder(t);
  const { url } = await redisServer(t, cwd);
  writeFileSync(join(cwd, "no-memory.cjs"), `if (/quality-process\\.js$/.test(process.argv[1] ?? "")) process.kill(process.pid, "SIGKILL");`);
  const small = worker(t, cwd, url, "small", [], { env: { NODE_OPTIONS: `--require ${join(cwd, "no-memory.cjs")}` } });
  const args = ["evaluate", "perplexity", "--lengths", "64", "--continuation", "4", "--samples", "10", "--config", "keep07", "--scorer", "norm", "--output", "with space.jsonl"];
  const withPassword = url.replace("//", "//:x@");
  const failed = await running(t, cwd, [...args, "--queue", url]).ended;
  assert.equal(failed.code, 1);
  assert.match(failed.stderr, /evaluation: 2 of 2 slices failed: evaluation: ended with SIGKILL before it was done/);
  const commands = [...failed.stderr.matchAll(/failed: perplexity, (\S+) to (\S+), 2 configurations: .*\n {2}alone: sdtp (.*)/g)];
  assert.deepEqual(commands.map(([, from, to]) => [from, to]), [["64/0", "64/7"], ["64/8", "64/9"]]);
  assert.ok(commands.every(([, , , words]) => !words!.includes("--queue")));
  const status = await sdtp(cwd, "queue", "--queue", url);
  for (const [, , , words] of commands) assert.ok(status.stdout.includes(`alone: sdtp ${words!}\n`), status.stdout);
  const words = commands[1]![3]!;
  const alone = await sdtp(cwd, ...[...words.matchAll(/'([^']*)'|(\S+)/g)].map(([, quoted, word]) => quoted ?? word!));
  assert.equal(alone.code, 0, alone.stderr);
  assert.deepEqual(rows(join(cwd, "with space.jsonl")).map(({ item }) => item), ["64/8", "64/8", "64/9", "64/9"]);
  small.child.kill("SIGINT");
  await small.ended;
  // The rest on the queue, when that is asked for.
  const large = worker(t, cwd, url, "large");
  const again = await running(t, cwd, [...args, "--queue", url, "--retry-failed"]).ended;
  assert.equal(again.code, 0, again.stderr);
  assert.equal(rows(join(cwd, "with space.jsonl")).length, 20);
  assert.deepEqual(large.said().match(/takes: .*/g)?.length, 1);
  assert.doesNotMatch((await running(t, cwd, [...args, "--queue", withPassword, "--output", "other.jsonl"]).ended).stderr, /:x@/);
});

test("what a worker measured before it was killed, and before the server forgot everything, is not measured again", { skip: noServer }, async (t) => {
  const cwd = temporaryFolder(t);
  const server = await redisServer(t, cwd);
  const args = ["evaluate", "perplexity", "--lengths", "256", "--continuation", "64", "--samples", "8", "--config", "keep07", "--scorer", "norm", "--output", "q.jsonl", "--queue", server.url];
  const follows = running(t, cwd, args);
  const killed = worker(t, cwd, server.url, "a");
  const kept = () => (existsSync(join(cwd, "worker-a", "quality")) ? readdirSync(join(cwd, "worker-a", "quality")).map((name) => readFileSync(join(cwd, "worker-a", "quality", name), "utf8").trim().split("\n")) : []);
  await until(() => (kept()[0]?.length ?? 0) >= 2);
  killed.child.kill("SIGKILL");
  await server.kill();
  await killed.ended;
  await server.start();
  const before = kept()[0]!.map((line) => JSON.parse(line) as { prefill_latency_seconds: number });
  worker(t, cwd, server.url, "a");
  const ended = await follows.ended;
  assert.equal(ended.code, 0, ended.stderr);
  const after = rows(join(cwd, "q.jsonl"));
  assert.equal(after.length, 16);
  // The same measurements, to the last digit of their times.
  const times = new Set(after.map((row) => row["prefill_latency_seconds"]));
  for (const { prefill_latency_seconds: seconds } of before) assert.ok(times.has(seconds));
});

test("in a cell: evaluations by a queue, their slices under the bar, the rows of the command; what the queue has is not measured again", { skip: noServer }, async (t) => {
  const cwd = temporaryFolder(t);
  const { url } = await redisServer(t, cwd);
  const displays = fakeNotebook(t);
  const model = await load("tiny", { threads: 1 });
  t.after(() => model.release());
  const options = { configs: ["keep07"], scorers: ["norm"], lengths: [300], tasks: ["niah_single_1", "niah_single_2"], samples: 2, queue: url };
  const follows = ruler(model, options);
  await until(() => displays[0]?.states.some((state) => /no worker takes jobs for cpu yet/.test(state["text/plain"]!)) ?? false);
  const takes = worker(t, cwd, url, "a");
  const evaluations = await follows;
  assert.deepEqual(evaluations.map(({ task, rows: found }) => [task, found.map(({ item, config, machine }) => `${item} ${config} ${machine}`)]), ["ruler-niah_single_1", "ruler-niah_single_2"].map((task) =>
    [task, ["300/0/0 baseline a", "300/0/0 keep07 a", "300/0/1 baseline a", "300/0/1 keep07 a"]]));
  assert.match(displays[0]!.states.at(-1)!["text/plain"]!, /^ruler-niah_single_1, ruler-niah_single_2: 8 prompts/);
  const again = await running(t, cwd, ["evaluate", "ruler", "--tasks", "niah_single_1,niah_single_2", "--lengths", "300", "--samples", "2", "--config", "keep07", "--scorer", "norm", "--output", "q.jsonl", "--queue", url]).ended;
  assert.equal(again.code, 0, again.stderr);
  assert.deepEqual(rows(join(cwd, "q.jsonl")).map(measured).sort(), evaluations.flatMap((each) => each.rows).map((row) => measured(row as unknown as Record<string, unknown>)).sort());
  assert.equal(takes.said().match(/takes: /g)?.length, 2, takes.said());
});

test("a worker whose folder has the same weights and another tokenizer, or other weights, refuses the slice; the right one does it", { skip: noServer }, async (t) => {
  const cwd = temporaryFolder(t);
  const { url } = await redisServer(t, cwd);
  const tiny = join(packageRoot(), "lib", "models", "tiny");
  const folders = ["mine", "cut", "other"].map((name) => join(cwd, name, "model")) as [string, string, string];
  for (const folder of folders) cpSync(tiny, folder, { recursive: true });
  const tokenizer = join(folders[1], "tokenizer.json");
  const said = JSON.parse(readFileSync(tokenizer, "utf8")) as { model: { merges: unknown[] } };
  writeFileSync(tokenizer, JSON.stringify({ ...said, model: { ...said.model, merges: said.model.merges.slice(0, 500) } }));
  const weights = join(folders[2], "model.safetensors");
  const bytes = readFileSync(weights);
  bytes[bytes.length - 1000]! ^= 1;
  writeFileSync(weights, bytes);
  const [cut, other] = ["cut", "other"].map((name) => worker(t, cwd, url, name, ["--models", join(cwd, name)]));
  await Promise.all([cut!, other!].map((each) => each.says(/waits for jobs/)));
  const args = ["evaluate", "infinitebench", "--tasks", "passkey", "--lengths", "200", "--samples", "1", "--model", folders[0], "--config", "keep07", "--scorer", "norm", "--output", "q.jsonl", "--queue", url];
  const refused = await running(t, cwd, args).ended;
  assert.equal(refused.code, 1);
  assert.match(refused.stderr, /cut: prompts: in other tokens than where the job comes from/);
  assert.match(refused.stderr, /other: job: its id \(is not that of the rows that this machine would give: weights/);
  worker(t, cwd, url, "right", ["--models", join(cwd, "mine")]);
  const done = await running(t, cwd, [...args, "--retry-failed"]).ended;
  assert.equal(done.code, 0, done.stderr);
  assert.deepEqual(rows(join(cwd, "q.jsonl")).map(({ machine }) => machine), ["right", "right"]);
});

test("bad input is refused before anything is filed", { skip: noServer }, async (t) => {
  const cwd = temporaryFolder(t);
  const { url } = await redisServer(t, cwd);
  const args = ["evaluate", "perplexity", "--lengths", "64", "--samples", "1", "--config", "keep07"];
  for (const [more, message] of [
    [["--queue", url, "--items", "65/0"], /item: 65\/0 \(is none of these prompts: perplexity:64\/0, …\)/], [["--queue-name", "x"], /queue name: x \(is of no use without --queue\)/],
    [["--retry-failed"], /retry failed: given \(is of no use without --queue\)/], [["--queue", "redis://127.0.0.1:1"], /no server answers there/],
  ] as const) {
    const { code, stderr } = await sdtp(cwd, ...args, ...more);
    assert.equal(code, 1, stderr);
    assert.match(stderr, message);
  }
});

const rows = (file: string) => readFileSync(file, "utf8").trim().split("\n").map((line) => JSON.parse(line) as Record<string, unknown>).sort((a, b) => (`${String(a["item"])} ${String(a["config"])}` < `${String(b["item"])} ${String(b["config"])}` ? -1 : 1));

const measured = ({ item, task, config, prefill_latency_seconds: seconds }: Record<string, unknown>) => `${String(task)} ${String(item)} ${String(config)} ${String(seconds)}`;

/** A row without its times and where it was measured. */
function same(row: Record<string, unknown>): Record<string, unknown> {
  const { prefill_latency_seconds: _, decode_latency_seconds: __, append_latency_seconds: ___, machine: ____, placement: _____, ...rest } = row;
  return rest;
}
