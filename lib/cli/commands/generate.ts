import type { Command } from "commander";
import { formatJson } from "../../format-json.js";
import { resolveMethod } from "../../methods/resolve.js";
import type { Model } from "../../runtime/model.js";
import { interruptSignal } from "../interrupt.js";
import {
  addAccuracyOption, addDtypeOption, addKvDtypeOption, addModelOptions, addPieceOption, addPruningOptions, loadModel, nonNegativeInteger, number, positiveInteger, presetNames, type ModelOptions, type PieceOption, type PruningOptions,
} from "../options.js";

interface Options extends ModelOptions, PruningOptions, PieceOption {
  prompt?: string;
  promptFile?: string;
  promptIds?: string;
  chat?: boolean;
  system?: string;
  chatTemplate?: string;
  config: string;
  maxNewTokens: number;
  temperature: number;
  topK?: number;
  topP?: number;
  seed: number;
  ignoreEos?: boolean;
  json?: boolean;
}

/** `sdtp generate`: continue a prompt. */
export function register(program: Command): void {
  const command = program
    .command("generate")
    .description("continue a prompt, with or without token pruning")
    .option("--prompt <text>", "the prompt")
    .option("--prompt-file <file>", "a file that holds the prompt (UTF-8)")
    .option("--prompt-ids <ids>", "the prompt as token ids: 1,2,3")
    .option("--chat", "the prompt is a user's message: put it into the model's chat template")
    .option("--chat-template <name>", "with --chat: which of the model's chat templates, where it has several")
    .option("--system <text>", "with --chat: the system message before it")
    .option("--config <preset>", `what is pruned: ${presetNames}`, "baseline")
    .option("--max-new-tokens <n>", "tokens to generate at most", positiveInteger, 128)
    .option("--temperature <t>", "0: always the likeliest token", number, 0)
    .option("--top-k <k>", "sample among the k likeliest tokens", positiveInteger)
    .option("--top-p <p>", "sample among the likeliest tokens that add up to probability p", number)
    .option("--seed <n>", "seed of the sampling", nonNegativeInteger, 0)
    .option("--ignore-eos", "generate exactly --max-new-tokens")
    .option("--json", "print JSON: ids, text, kept positions, KV lengths, timings");
  addPieceOption(addPruningOptions(addAccuracyOption(addKvDtypeOption(addDtypeOption(addModelOptions(command)))))).action(generate);
}

async function generate(options: Options): Promise<void> {
  const given = [options.prompt, options.promptFile, options.promptIds].filter((value) => value !== undefined);
  if (given.length !== 1) throw new Error(`prompt: ${given.length} given (give one of --prompt, --prompt-file, --prompt-ids)`);
  if (options.chat && options.promptIds !== undefined) throw new Error("--chat: takes text (--prompt or --prompt-file), not --prompt-ids");
  if (options.chatTemplate !== undefined && !options.chat) throw new Error("--chat-template: is part of a conversation (add --chat)");
  if (options.system !== undefined && !options.chat) throw new Error("--system: is part of a conversation (add --chat)");
  const preset = resolveMethod(options.config);
  const signal = interruptSignal();
  const [{ decode }, { checkPrompt }, { isSyntheticName, noTokenizer }] = await Promise.all([
    import("../../runtime/generate.js"), import("../../checkpoint/validate.js"), import("../../checkpoint/synthetic-name.js"),
  ]);
  // Before gigabytes of weights are made for nothing.
  if (options.promptIds === undefined && isSyntheticName(options.model)) throw noTokenizer(options.model);
  const model = await loadModel(options, signal);
  // With ids, a folder without a tokenizer will do: only the text of the continuation is missing.
  const tokenizer = options.promptIds === undefined ? await model.tokenizer() : await model.tokenizer().catch(() => null);
  const ids = options.promptIds !== undefined ? parseIds(options.promptIds)
    : options.chat ? await conversationIds(model, await promptText(options), options.system, options.chatTemplate)
    : tokenizer!.encode(await promptText(options));
  checkPrompt(ids, options.maxNewTokens, model.config);
  const pruning = {
    preset,
    ...(options.scorer !== undefined ? { scorer: options.scorer } : {}),
    ...(options.kvPolicy !== undefined ? { kvPolicy: options.kvPolicy } : {}),
  };
  const reserve = options.maxNewTokens;
  const { pieces } = model.plan(ids.length, { ...pruning, reserve, ...(options.piece !== undefined && { piece: options.piece }) });
  const piece = pieces?.tokens ?? "whole";
  await model.warm(ids.length, { ...pruning, piece });
  const bar = (await import("../progress.js")).progressBar();
  const run = await model.prefill(ids, { ...pruning, reserve, piece, signal, onProgress: (share) => bar.update(share, "prompt") }).finally(() => bar.stop());
  const kvLengths = run.kv.lengths;
  const stream = tokenizer?.decodeStream({ skipSpecialTokens: true });
  const write = (text: string) => { if (!options.json) process.stdout.write(text); };
  const newIds: number[] = [];
  const seconds: number[] = [];
  let text = "";
  const emit = (piece: string) => { text += piece; write(piece); };
  const sampling = {
    temperature: options.temperature,
    seed: options.seed,
    ...(options.topK !== undefined ? { topK: options.topK } : {}),
    ...(options.topP !== undefined ? { topP: options.topP } : {}),
  };
  const settings = { ...sampling, maxNewTokens: options.maxNewTokens, stopTokens: model.config.eosTokenIds, fixedLength: options.ignoreEos ?? false, signal };
  for await (const token of decode(run, settings)) {
    newIds.push(token.id);
    seconds.push(token.seconds);
    if (stream) emit(stream.push(token.id));
    else write(`${newIds.length > 1 ? "," : ""}${token.id}`);
  }
  if (stream) emit(stream.end());
  if (!options.json) {
    write("\n");
    return;
  }
  const { latencies } = await import("../../bench/latency.js");
  const decodeSeconds = seconds.reduce((a, b) => a + b, 0);
  process.stdout.write(formatJson({
    model: model.name,
    synthetic_weights: model.checkpoint.synthetic,
    device: model.device,
    dtype: model.dtype,
    compute_dtype: model.computeDtype,
    kv_dtype: model.kvDtype,
    config: preset.name,
    scorer: run.scorer,
    kv_policy: run.kvPolicy,
    prompt_length: ids.length,
    ...(pieces && { prefill_piece_tokens: pieces.tokens }),
    ids: newIds,
    text: tokenizer ? text : null,
    kept_positions: [...run.kept],
    stages: run.stages.map(({ afterLayer, present, keep, kept }) => ({ after_layer: afterLayer, present, keep, kept_positions: [...kept] })),
    kv_lens_after_prefill: kvLengths,
    kv_lens_final: run.kv.lengths,
    ...(run.stepCounts && { aux_bytes: run.auxBytes, tokens_returned: run.stepCounts.tokens.map((count) => count - run.stepCounts!.steps) }),
    prefill_latency_seconds: run.prefillSeconds,
    decode_latency_seconds: decodeSeconds,
    total_latency_seconds: run.prefillSeconds + decodeSeconds,
    ...latencies([run.prefillSeconds], [seconds]),
    token_seconds: seconds,
  }));
}

async function conversationIds(model: Model, text: string, system: string | undefined, template: string | undefined): Promise<number[]> {
  const { chatPrompt } = await import("../../runtime/chat.js");
  const messages = [...(system === undefined ? [] : [{ role: "system", content: system }]), { role: "user", content: text }];
  return (await chatPrompt(model, messages, template === undefined ? {} : { template })).ids;
}

async function promptText({ prompt, promptFile }: Options): Promise<string> {
  if (prompt !== undefined) return prompt;
  return (await import("../../files.js")).readText("prompt file", promptFile!);
}

function parseIds(text: string): number[] {
  return text.split(",").map((part) => {
    if (!/^\s*\d+\s*$/.test(part)) throw new Error(`prompt ids: ${JSON.stringify(part)} (must be non-negative integers, parted by commas)`);
    return Number(part);
  });
}
