import type { Command } from "commander";
import { resolveMethod } from "../../methods/resolve.js";
import type { KvPolicy } from "../../methods/method.js";
import { addDtypeOption, addKvDtypeOption, addModelOptions, loadModel, addPruningOptions, type ModelOptions, nonNegativeInteger, positiveInteger, presetNames, type PruningOptions } from "../options.js";

interface Options extends ModelOptions, PruningOptions {
  config: string;
  length?: number;
  promptFile?: string;
  track: number;
  save?: string;
  json?: boolean;
  html?: string;
}

/** `sdtp kv`: what the caches hold after prefill, and whether it is what it should be. */
export function register(program: Command): void {
  const command = program
    .command("kv")
    .description("what the KV cache holds after prefill: lengths, positions, drift, checked on the tensors")
    .option("--config <preset>", `what is pruned: ${presetNames}`, "keep07")
    .option("--length <n>", "prompt length in tokens (default: 1024; with --prompt-file the whole file)", positiveInteger)
    .option("--prompt-file <file>", "text to take instead of the shipped prose (UTF-8)")
    .option("--track <n>", "follow n generated tokens with and without pruning (0: none)", nonNegativeInteger, 0)
    .option("--save <file>", "write the run to a safetensors file: cache, positions, scores")
    .option("--json", "print JSON")
    .option("--html <file>", "write a page with every view");
  addPruningOptions(addKvDtypeOption(addDtypeOption(addModelOptions(command))))
    .addHelpText("after", "\nExit code 1 where the verification fails.\nExample:\n  sdtp kv --config sdtp --length 4096 --track 32 --html kv.html")
    .action((options: Options) => kv(options));
}

async function kv(options: Options): Promise<void> {
  const run = await prefilled(options);
  if (options.track > 0 && run.plan.method.revives) throw new Error(`--track: ${options.track} (what tokens look at, layer by layer, is not to be had where they return between blocks: preset ${run.preset.name})`);
  const views = await import("../../report/views/index.js");
  const summary = views.kvSummary(run);
  const verification = await views.verify(run, { throws: false });
  const retention = views.retention(run);
  const drift = await views.drift(run);
  const tracking = options.track > 0 ? [await views.track(run, { tokens: options.track })] : [];
  const { writeOutput } = await import("../../files.js");
  if (options.save !== undefined) await run.save(options.save);
  if (options.html !== undefined) {
    const pruned = run.stages.length > 0;
    const page = [
      summary, verification, await views.tokens(run), retention, views.kvLengths([await run.unpruned(), run]), ...(pruned ? [views.scores(run)] : []),
      views.norms(run), drift, ...(run.kv.ragged || run.plan.method.revives ? [] : [await views.attention(run, { tokens: 16 })]), ...tracking, views.kvMemory(run.model!),
    ];
    await writeOutput(options.html, views.viewPage(`KV cache: ${run.modelName}, ${run.preset.name}, ${run.ids.length} tokens`, page));
    process.stderr.write(`${options.html} shows every view\n`);
  }
  if (!verification.ok) process.exitCode = 1;
  if (options.json) {
    console.log(JSON.stringify({
      model: run.modelName,
      synthetic_weights: run.model!.checkpoint.synthetic,
      device: run.model!.device,
      config: run.preset.name,
      scorer: run.scorer,
      kv_policy: run.kvPolicy,
      prompt_length: run.ids.length,
      kv: summary.rows,
      kv_bytes: summary.bytes,
      ...(run.auxPositions && { aux_bytes: run.auxBytes, aux_positions: run.auxPositions.map((positions) => [...positions]) }),
      stages: run.stages.map(({ afterLayer, present, keep, forced, kept }) => ({ after_layer: afterLayer, present, keep, forced: forced.length, kept_positions: [...kept] })),
      verification: { ok: verification.ok, checks: verification.checks },
      drift: drift.layers,
      ...(tracking[0] && { tracking: { steps: tracking[0].steps, first_divergence: tracking[0].firstDivergence, agreement: tracking[0].agreement, mean_kl: tracking[0].meanKl, attention: tracking[0].attention.groups } }),
    }, null, 2));
    return;
  }
  for (const { text } of [summary, verification, retention, drift, ...tracking]) console.log(`${text}\n`);
}

export interface PromptOptions extends ModelOptions, PruningOptions {
  config: string;
  length?: number;
  promptFile?: string;
}

/** A prompt of the length asked for, or a whole file, prefilled with its scores read. */
export async function prefilled({ config, length, promptFile, scorer, kvPolicy, ...options }: PromptOptions) {
  const preset = resolveMethod(config);
  const { prompt } = await import("../../bench/prompt.js");
  const { readText } = await import("../../files.js");
  const model = await loadModel(options);
  const whole = promptFile !== undefined && length === undefined;
  const ids = whole ? (await model.tokenizer()).encode(await readText("prompt file", promptFile)) : (await prompt(model.checkpoint, length ?? 1024, { file: promptFile })).ids;
  const settings: { scorer?: string; kvPolicy?: KvPolicy } = { ...(scorer !== undefined && { scorer }), ...(kvPolicy && { kvPolicy }) };
  return model.prefill(ids, { preset, scores: true, ...settings });
}
