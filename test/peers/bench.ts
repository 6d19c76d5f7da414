// npm run bench:peers: this package beside the programs that people would use instead, on the same models, prompts and threads.
// See README.md here.
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { environment } from "../../lib/bench/environment.js";
import type { Prompt } from "../../lib/bench/prompt.js";
import { once } from "../../lib/checkpoint/once.js";
import { packageRoot } from "../../lib/checkpoint/package-root.js";
import { interruptSignal } from "../../lib/cli/interrupt.js";
import { progressBar } from "../../lib/cli/progress.js";
import { duration } from "../../lib/report/duration.js";
import { openModel } from "../../lib/runtime/open.js";
import { provider, startOf, type Start } from "./environments.js";
import { modelIn, modelNames, type ModelName, promptOf } from "./models.js";
import { chosenRows, OWN, peerOf, peers } from "./peers.js";
import { secondsOf, type Visit, visitsLeft, visitsOf } from "./plan.js";
import { peersResult } from "./result.js";
import { Samples } from "./samples.js";
import { visit } from "./visit.js";
import { writeReport } from "./write.js";

const usage = `npm run bench:peers -- [options]

  --models NAMES     ${modelNames.join(",")} (default: both)
  --lengths NUMBERS  tokens of the prompts (default: 4096,1024,8192, and 16384 on the small model)
  --rounds N         samples of each row (default 3); a higher number later adds to what is there
  --only NAMES       rows whose names have these words, as in torch,"llama.cpp q8_0",openvino-genai
  --minutes N        start nothing that would not be done by then
  --timeout MINUTES  give up a single row after so long (default 15)
  --threads N        (default 2)
  --new-tokens N     tokens decoded after the first (default 128)
  --retry-failed     try rows again that failed
  --prepare          install, convert, and measure nothing
  --report           make table and charts anew of what is there, and measure nothing
  --output FOLDER    (default results/peers)
`;

const { values: options } = parsed();
if (options.help) {
  process.stdout.write(usage);
} else {
  await run().catch((error: Error) => {
    if (error.name !== "AbortError") process.stderr.write(`error: ${error.message}\n`);
    else process.stderr.write("interrupted: what is measured is kept, and the same command goes on\n");
    process.exitCode = error.name === "AbortError" ? 130 : 1;
  });
  process.exit();
}

async function run(): Promise<void> {
  const models = list("models")?.map(modelName) ?? modelNames;
  const lengths = list("lengths")?.map((text) => positive("lengths", text));
  const rows = chosenRows(list("only"));
  const newTokens = positive("new-tokens", options["new-tokens"]);
  const minutes = options.minutes === undefined ? Infinity : above("minutes", options.minutes);
  const timeout = 60 * above("timeout", options.timeout);
  const visits = visitsOf({ models, lengths, rounds: positive("rounds", options.rounds), rows, newTokens });
  const folder = resolve(options.output);
  const { cpu, memory_bytes, git_commit: commit } = environment();
  const samples = await Samples.open(join(folder, "samples.jsonl"), { schema_version: 1, threads: positive("threads", options.threads), new_tokens: newTokens, cpu, memory_bytes });
  const report = () => writeReport(folder, peersResult(samples.settings, samples.lines, environment()));
  if (options.report) return print(await report());

  const signal = interruptSignal();
  const starts = new Map(peers.map((peer) => [peer.name, once(() => startOf(peer, signal))]));
  const prompts = new Map<string, Promise<Prompt>>();
  const promptAt = (model: ModelName, length: number) => {
    const key = `${model} ${length}`;
    if (!prompts.has(key)) prompts.set(key, promptOf(model, length));
    return prompts.get(key)!;
  };
  const left = visitsLeft(visits, samples.lines, options["retry-failed"]);
  // A row that fails now is not tried again in the rounds that follow; one that failed before may be.
  const before = samples.lines.length;
  const say = (line: string) => process.stderr.write(`${line}\n`);

  // Before the clock runs: what cannot be had is a row with its reason.
  const unready = new Map<string, string>();
  const readied = new Set<string>();
  for (const { model, row } of left) {
    const key = `${model} ${row.id}`;
    if (readied.has(key)) continue;
    readied.add(key);
    try {
      const peer = peerOf(row.peer);
      const begun = performance.now();
      await starts.get(peer.name)!();
      const path = await modelIn(model, row.format, signal);
      // Weights in fewer bits are made once, which is no part of a start.
      if (row.peer === OWN) await openModel(path, { dtype: String(row.settings.dtype), signal });
      if (row.settings.device !== undefined) await provider(String(row.settings.device), signal);
      const seconds = (performance.now() - begun) / 1e3;
      if (seconds > 2) say(`${row.id}, ${model}: ready after ${duration(seconds)}`);
    } catch (error) {
      signal.throwIfAborted();
      unready.set(key, `could not be made ready: ${(error as Error).message}`);
      say(`${row.id}, ${model}: ${unready.get(key)}`);
    }
  }
  if (options.prepare) return;

  const bar = progressBar();
  const begun = performance.now();
  const minutesGone = () => (performance.now() - begun) / 60e3;
  let stopped: string | null = null;
  try {
    for (const [i, next] of left.entries()) {
      const todo = visitsLeft(left.slice(i), samples.lines.slice(before), false);
      if (!todo.includes(next)) continue;
      const { model, length, row, round } = next;
      const reason = unready.get(`${model} ${row.id}`);
      const expected = secondsOf(next, samples.lines);
      if (reason === undefined && minutesGone() + (expected ?? 0) / 60 > minutes) {
        // Shorter ones may still fit.
        stopped ??= `${options.minutes} minutes are over`;
        continue;
      }
      const label = `${row.id}, ${model}, ${length} tokens, round ${round}`;
      bar.update(i / left.length, label, secondsLeft(todo, samples));
      try {
        if (reason !== undefined) throw new Error(reason);
        const start: Start = await starts.get(row.peer)!();
        const sample = await visit(next, { start, path: await modelIn(model, row.format), prompt: await promptAt(model, length), settings: samples.settings, commit, timeout, signal });
        samples.add(sample);
        bar.clear();
        const decode = sample.decode_seconds.reduce((a, b) => a + b, 0);
        say(`${label}: prefill ${sample.prefill_seconds.toFixed(3)} s, decode ${((1e3 * decode) / newTokens).toFixed(1)} ms, ${sample.peak_memory_bytes === null ? "" : `${Math.round(sample.peak_memory_bytes / 1e6)} MB, `}start to first token ${sample.start_to_first_token_seconds.toFixed(2)} s (${sample.visit_seconds.toFixed(0)} s)`);
      } catch (error) {
        signal.throwIfAborted();
        samples.add({ model, length, row: row.id, round, time: new Date().toISOString(), reason: (error as Error).message });
        bar.clear();
        say(`${label}: ${(error as Error).message}`);
      }
    }
  } finally {
    bar.stop();
    // What is there is shown, whatever ended it.
    if (samples.lines.length > 0) print(await report());
  }
  if (stopped !== null) say(`${stopped}: ${visitsLeft(left, samples.lines.slice(before), false).length} of ${visits.length} measurements are left, and the same command goes on`);
}

function print(written: readonly string[]): void {
  for (const file of written) process.stdout.write(`${file}\n`);
}

function secondsLeft(todo: readonly Visit[], samples: Samples): number | null {
  const all = todo.map((each) => secondsOf(each, samples.lines));
  return all.some((seconds) => seconds === null) ? null : all.reduce<number>((sum, seconds) => sum + seconds!, 0);
}

function parsed() {
  const flag = { type: "boolean" as const, default: false };
  try {
    return parseArgs({
      options: {
        models: { type: "string" }, lengths: { type: "string" }, rounds: { type: "string", default: "3" }, only: { type: "string" }, minutes: { type: "string" }, timeout: { type: "string", default: "15" },
        threads: { type: "string", default: "2" }, "new-tokens": { type: "string", default: "128" }, output: { type: "string", default: join(packageRoot(), "results", "peers") },
        "retry-failed": flag, prepare: flag, report: flag, help: { ...flag, short: "h" },
      },
    });
  } catch (error) {
    process.stderr.write(`error: ${(error as Error).message}\n\n${usage}`);
    process.exit(1);
  }
}

function list(name: "models" | "lengths" | "only"): string[] | undefined {
  return options[name]?.split(",").map((each) => each.trim()).filter((each) => each !== "");
}

function modelName(text: string): ModelName {
  const found = modelNames.find((name) => name === text);
  if (!found) throw new Error(`models: ${text} (must be ${modelNames.join(", ")})`);
  return found;
}

function positive(name: string, text: string): number {
  const value = Number(text);
  if (!Number.isSafeInteger(value) || value < 1) throw new Error(`${name}: ${text} (must be a positive integer)`);
  return value;
}

function above(name: string, text: string): number {
  const value = Number(text);
  if (!(value > 0)) throw new Error(`${name}: ${text} (must be above 0)`);
  return value;
}
