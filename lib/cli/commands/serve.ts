import { Option, type Command } from "commander";
import { resolveMethod } from "../../methods/resolve.js";
import { interruptSignal } from "../interrupt.js";
import { addAccuracyOption, addDtypeOption, addKvDtypeOption, addModelOptions, addPruningOptions, loadModel, nonNegativeInteger, positiveInteger, presetNames, type ModelOptions, type PruningOptions } from "../options.js";

interface Options extends ModelOptions, PruningOptions {
  config: string;
  port: number;
  host: string;
  apiKey?: string;
  servedModelName?: string;
  maxNumSeqs: number;
  maxQueue: number;
  timeout: number;
  tailTokens?: number;
  maxPrunedTokens?: number;
  maxNumBatchedTokens: number;
  prefixCacheBytes: number;
  endWithParent?: boolean;
}

/** `sdtp serve`: a model behind the API that other programs speak. */
export function register(program: Command): void {
  const command = program
    .command("serve")
    .description("serve a model by the OpenAI API: completions, chat completions, models, health, metrics")
    .argument("[model]", "as --model")
    .option("--config <method>", `what is pruned where a request says nothing: ${presetNames}`, "baseline")
    .option("--port <n>", "where to listen; 0: any port that is free", nonNegativeInteger, 8000)
    .option("--host <name>", "on which address: 0.0.0.0 for all", "127.0.0.1")
    .option("--api-key <key>", "ask for this key (default: SDTP_API_KEY, else none)")
    .option("--served-model-name <name>", "what clients call the model (default: its own name)")
    .option("--max-num-seqs <n>", "requests that run at once; each holds a cache", positiveInteger, 8)
    .option("--max-num-batched-tokens <n>", "tokens of a prompt without pruning that are computed at once, beside a token of each other request", positiveInteger, 512)
    .option("--max-pruned-tokens <n>", "tokens that are pruned as one at most: nobody else has a token meanwhile (default: as many as the model takes)", positiveInteger)
    .option("--tail-tokens <n>", "tokens at the end of every prompt that are not pruned, but appended to what is kept of those before them", nonNegativeInteger)
    .option("--prefix-cache-bytes <n>", "caches that are kept for prompts that begin alike; 0: none", nonNegativeInteger, 2 ** 29)
    .option("--max-queue <n>", "requests that wait for room; more are told to come again", nonNegativeInteger, 64)
    .option("--timeout <seconds>", "after which a request ends with an error", positiveInteger, 600)
    .addOption(new Option("--end-with-parent").hideHelp())
    .addHelpText("after", `
A request may choose its own pruning, and every answer says what was kept:
  curl localhost:8000/v1/completions -H 'Content-Type: application/json' \\
    -d '{"model": "tiny", "prompt": "The sea", "sdtp": {"method": "keep07"}}'`);
  addPruningOptions(addAccuracyOption(addKvDtypeOption(addDtypeOption(addModelOptions(command))))).action(run);
}

async function run(name: string | undefined, options: Options): Promise<void> {
  const preset = resolveMethod(options.config);
  const apiKey = options.apiKey ?? (process.env.SDTP_API_KEY || undefined);
  const signal = interruptSignal();
  if (options.endWithParent) (await import("../../bench/end-with-parent.js")).endWithParent();
  const model = await loadModel({ ...options, ...(name !== undefined && { model: name }) }, signal, {
    ...(options.device === "cpu" && { worker: true }),
  });
  const { serve } = await import("../../serve/index.js");
  const server = await serve(model, {
    port: options.port,
    host: options.host,
    maxRunning: options.maxNumSeqs,
    maxWaiting: options.maxQueue,
    timeout: options.timeout,
    maxBatchedTokens: options.maxNumBatchedTokens,
    prefixCacheBytes: options.prefixCacheBytes,
    ...(options.tailTokens !== undefined && { tailTokens: options.tailTokens }),
    ...(options.maxPrunedTokens !== undefined && { maxPrunedTokens: options.maxPrunedTokens }),
    pruning: { preset, ...(options.scorer !== undefined && { scorer: options.scorer }), ...(options.kvPolicy !== undefined && { kvPolicy: options.kvPolicy }) },
    ...(apiKey !== undefined && { apiKey }),
    ...(options.servedModelName !== undefined && { name: options.servedModelName }),
    onError: (error) => console.error(error.stack ?? error.message),
  });
  console.log(`${options.servedModelName ?? model.name} (${model.device}, ${preset.name}) at ${server.url}`);
  if (!signal.aborted) await new Promise((resolve) => signal.addEventListener("abort", resolve));
  await server.close();
  await model.release();
}
