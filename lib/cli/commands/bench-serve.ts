import { InvalidArgumentError, Option, type Command } from "commander";
import { backends, type Backend } from "../../bench/serve/connection.js";
import { metricNames, type Goodput, type MetricName } from "../../bench/serve/figures.js";
import { isAbort } from "../../ambient-signal.js";
import { detachable } from "../detach.js";
import { interruptSignal } from "../interrupt.js";
import { nonNegativeInteger, number, positiveInteger } from "../options.js";

interface Options {
  baseUrl?: string;
  backend: Backend;
  endpoint?: string;
  servedModelName?: string;
  tokenizer?: string;
  apiKey?: string;
  pid?: number;
  numPrompts: number;
  inputLen: number;
  outputLen: number;
  randomInputLen?: number;
  randomOutputLen?: number;
  randomRangeRatio: number;
  randomPrefixLen: number;
  requestRate: number | "inf";
  burstiness: number;
  maxConcurrency?: number;
  cancelShare: number;
  malformedShare: number;
  seed: number;
  ignoreEos: boolean;
  temperature: number;
  extraBody?: Record<string, unknown>;
  numWarmups: number;
  readyCheckTimeoutSec: number;
  timeout: number;
  goodput?: Goodput;
  percentileMetrics: MetricName[];
  metricPercentiles: number[];
  output: string;
  json?: boolean;
}

/** `sdtp bench serve`. */
export function registerServe(bench: Command): void {
  const command = bench
    .command("serve")
    .description("a server under load: how each request ended, latencies, throughput, goodput, memory; options and figures as vllm bench serve's")
    .argument("[model]", "serve this model for it, by sdtp serve in a process of its own; else --base-url")
    .argument("[serve-options...]", "after --, options of that sdtp serve")
    .option("--base-url <url>", "a server that runs, of whatever make, that speaks the OpenAI API")
    .addOption(new Option("--backend <name>", "by which route: completions or chat completions").choices(backends).default("openai"))
    .option("--endpoint <path>", "the route, where it is another than the API's")
    .option("--served-model-name <name>", "what the server calls the model (default: the first that it names)")
    .option("--tokenizer <model>", "count tokens of prompts by this model's tokenizer and send ids (default: that of [model]; without one, words are counted and text is sent)")
    .option("--api-key <key>", "for the server (default: OPENAI_API_KEY)")
    .option("--pid <n>", "the process whose memory is the server's (Linux; default: what /metrics says)", positiveInteger)
    .option("--num-prompts <n>", "requests", positiveInteger, 1000)
    .option("--input-len <n>", "tokens of a prompt, on average (also --random-input-len)", positiveInteger, 1024)
    .option("--output-len <n>", "tokens of an answer, on average (also --random-output-len)", positiveInteger, 128)
    .addOption(new Option("--random-input-len <n>").argParser(positiveInteger).hideHelp())
    .addOption(new Option("--random-output-len <n>").argParser(positiveInteger).hideHelp())
    .option("--random-range-ratio <r>", "lengths are from 1 - r to 1 + r of that", number, 0)
    .option("--random-prefix-len <n>", "tokens that all prompts begin with, before their own", nonNegativeInteger, 0)
    .option("--request-rate <n>", "requests a second; inf: all at once", rate, "inf")
    .option("--burstiness <x>", "of their arrival, a gamma distribution: 1 is a Poisson process, less comes in bursts, more evenly", number, 1)
    .option("--max-concurrency <n>", "requests on their way at once at most", positiveInteger)
    .option("--cancel-share <share>", "share of the requests whose client goes away in the middle", number, 0)
    .option("--malformed-share <share>", "share of the requests that no server can answer", number, 0)
    .option("--seed <n>", "of lengths, arrivals and prompts", nonNegativeInteger, 0)
    .option("--no-ignore-eos", "let the model end its answers (ignore_eos is not OpenAI's own)")
    .option("--temperature <t>", "of all requests", number, 0)
    .option("--extra-body <json>", "further fields of all requests, as an object: '{\"sdtp\": {\"method\": \"keep07\"}}'", object)
    .option("--num-warmups <n>", "requests that are sent before and do not count", nonNegativeInteger, 0)
    .option("--ready-check-timeout-sec <s>", "how long to wait for a server that does not answer yet", nonNegativeInteger, 0)
    .option("--timeout <seconds>", "after which a request that nothing has ended is lost", positiveInteger, 600)
    .option("--goodput <objectives...>", "ttft:500 tpot:100 e2el:5000, in milliseconds: completed requests that meet all of them", goodput)
    .option("--percentile-metrics <names>", `which latencies to print: ${metricNames.join(",")}`, metricList, [...metricNames])
    .option("--metric-percentiles <list>", "which percentiles of them", percentileList, [50, 90, 99])
    .option("--output <file>", "JSON with the samples of every request", "results/bench_serve.json")
    .option("--json", "print the JSON instead of the table")
    .addHelpText("after", `
  sdtp bench serve tiny --num-prompts 200 --input-len 512 --output-len 32 --random-range-ratio 0.5 --max-concurrency 8
  sdtp bench serve tiny --max-concurrency 16 -- --config keep07 --max-num-seqs 16
  sdtp bench serve --base-url http://127.0.0.1:8000 --request-rate 4 --goodput ttft:500 tpot:50
After Ctrl-C the same command goes on with the requests that are left. Exit code 1 where one was lost or failed.`);
  detachable(command, { results: ({ output }: Options) => output }, run);
}

async function run(model: string | undefined, serveOptions: string[], { output, json, ...options }: Options): Promise<void> {
  if ((model === undefined) === (options.baseUrl === undefined)) throw new Error("bench serve: give either a model, which is served for it, or --base-url");
  const [{ benchServe, settingsOf }, { readBegun }, { serveBenchTable }, { requireWritable }, { formatJson }, { toMarkdown }, { writeOutput }, { progressBar }] = await Promise.all([
    import("../../bench/serve/bench.js"), import("../../bench/serve/result.js"), import("../../report/serve-bench.js"), import("../../bench/output.js"),
    import("../../format-json.js"), import("../../report/formats/index.js"), import("../../files.js"), import("../progress.js"),
  ]);
  const apiKey = options.apiKey ?? (process.env["OPENAI_API_KEY"] || undefined);
  const signal = interruptSignal();
  const asked = {
    workload: {
      seed: options.seed, num_prompts: options.numPrompts, random_input_len: options.randomInputLen ?? options.inputLen, random_output_len: options.randomOutputLen ?? options.outputLen,
      random_range_ratio: options.randomRangeRatio, random_prefix_len: options.randomPrefixLen, request_rate: options.requestRate, burstiness: options.burstiness,
      cancel_share: options.cancelShare, malformed_share: options.malformedShare,
    },
    server: options.baseUrl === undefined ? [model!, ...serveOptions] : { baseUrl: options.baseUrl, ...(options.pid !== undefined && { pid: options.pid }) },
    backend: options.backend,
    ...(options.endpoint !== undefined && { endpoint: options.endpoint }),
    ...(options.servedModelName !== undefined && { model: options.servedModelName }),
    ...(options.tokenizer !== undefined && { tokenizer: options.tokenizer }),
    ...(apiKey !== undefined && { apiKey }),
    maxConcurrency: options.maxConcurrency ?? null,
    timeout: options.timeout, ignoreEos: options.ignoreEos, temperature: options.temperature, extraBody: options.extraBody ?? {},
    numWarmups: options.numWarmups, readyTimeout: options.readyCheckTimeoutSec, percentiles: options.metricPercentiles, goodput: options.goodput ?? null,
  };
  await requireWritable(output);
  const begun = await readBegun(output, settingsOf(asked));
  if (begun) process.stderr.write(`${output}: goes on after ${begun.requests.length} of ${options.numPrompts} requests\n`);
  const bar = progressBar();
  const job = (await import("../../jobs/report.js")).jobReport();
  job?.noRows();
  for (const sample of begun?.requests ?? []) job?.row(sample);
  const keep = (result: object) => writeOutput(output, formatJson(result));
  try {
    const result = await benchServe({ ...asked, begun, signal, onProgress: (share, label) => bar.update(share, label), onPart: keep, onEnd: (sample) => job?.row(sample) });
    bar.stop();
    await keep(result);
    process.stdout.write(json ? formatJson(result) : toMarkdown(serveBenchTable(result, options.percentileMetrics)));
    if (!json) process.stderr.write(`written: ${output}\n`);
    if (result.figures.endings.lost + result.figures.endings.failed > 0) process.exitCode = 1;
  } catch (error) {
    bar.stop();
    if (isAbort(error)) process.stderr.write(`${output} has what was measured so far; the same command goes on\n`);
    throw error;
  } finally {
    bar.stop();
  }
}

function rate(text: string): number | "inf" {
  if (text === "inf") return text;
  const value = Number(text);
  if (!(value > 0) || !Number.isFinite(value)) throw new InvalidArgumentError("must be a positive number, or inf");
  return value;
}

function object(text: string): Record<string, unknown> {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new InvalidArgumentError(`must be JSON (${(error as Error).message})`);
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) throw new InvalidArgumentError("must be a JSON object");
  return value as Record<string, unknown>;
}

function goodput(text: string, before: Goodput = {}): Goodput {
  const [, name, value] = /^(ttft|tpot|e2el):(.+)$/.exec(text) ?? [];
  if (name === undefined || !(Number(value) > 0)) throw new InvalidArgumentError("must be like ttft:500 (ttft, tpot or e2el, and milliseconds)");
  return { ...before, [name]: Number(value) };
}

function metricList(text: string): MetricName[] {
  const names = text.split(",").map((each) => each.trim());
  const wrong = names.find((name) => !(metricNames as readonly string[]).includes(name));
  if (wrong !== undefined) throw new InvalidArgumentError(`${wrong} is none of ${metricNames.join(", ")}`);
  return names as MetricName[];
}

function percentileList(text: string): number[] {
  return text.split(",").map((each) => {
    const value = Number(each);
    if (each.trim() === "" || !(value >= 0 && value <= 100)) throw new InvalidArgumentError(`${each.trim() || "nothing"} is no number from 0 to 100`);
    return value;
  });
}
