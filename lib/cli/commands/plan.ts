import { Option, type Command } from "commander";
import { kvDtypes, type KvDtype } from "../../checkpoint/kv-dtype.js";
import { formatBytes } from "../../checkpoint/free-space.js";
import { peekConfig } from "../../checkpoint/peek.js";
import type { KvPolicy } from "../../methods/method.js";
import { planFeeds, planOf, type Plan } from "../../methods/plan/plan.js";
import { stagePlace } from "../../methods/plan/stages.js";
import { resolveMethod } from "../../methods/resolve.js";
import { textTable } from "../../report/views/text.js";
import { positiveInteger, presetNames } from "../options.js";

interface Options {
  length: number;
  model: string;
  kvPolicy?: KvPolicy;
  kvDtype?: KvDtype;
  piece?: number;
  json?: boolean;
}

/** `sdtp plan`: what a method does to a prompt, in integers, before anything runs. */
export function register(program: Command): void {
  program
    .command("plan")
    .description("what a method does to a prompt, in integers, from a model's config.json alone: tokens in each block, caches, attention's pieces, bytes, FLOPs")
    .argument("<method>", presetNames)
    .requiredOption("--length <n>", "tokens of the prompt", positiveInteger)
    .option("--model <model>", "model folder, tiny, or synthetic:NAME; no weights are read or made", "tiny")
    .addOption(new Option("--kv-policy <policy>", "what caches keep of pruned tokens (default: the method's)").choices(["evict", "retain"]))
    .addOption(new Option("--kv-dtype <name>", "what caches hold keys and values in (default: fp32)").choices(kvDtypes))
    .option("--piece <n>", "the prompt goes through the blocks in pieces of so many tokens, as the CPU takes it", positiveInteger)
    .option("--json", "print the plan as JSON")
    .addHelpText("after", "\nExamples:\n  sdtp plan keep07 --length 4096\n  sdtp plan 4:0.7,16:0.5/30 --length 8192 --model ~/models/SmolLM2-135M-Instruct")
    .action(plan);
}

async function plan(method: string, { length, model, kvPolicy, kvDtype = "fp32", piece, json }: Options): Promise<void> {
  const config = await peekConfig(model);
  const made = planOf(resolveMethod(method), length, { config, plain: false, cpu: true, kvDtype, way: "in place" }, { kvPolicy, piece: piece ?? null });
  console.log(json ? JSON.stringify({ ...made, inputs: planFeeds(made) }, null, 2) : planText(made, model));
}

function planText({ method, n, kvPolicy, stages, tokens, kvLengths, shared, attention, pieces: prompt, kvBytes, auxBytes, flops }: Plan, model: string): string {
  const pieces = attention.kind === "fused" ? `fused, ${attention.fusedChunks} ${attention.fusedChunks === 1 ? "piece" : "pieces"}${!attention.tiled ? "" : attention.windowTiled ? ", tiled" : ", tiled where there is no window"}` : `plain, ${attention.chunks} ${attention.chunks === 1 ? "piece" : "pieces"}`;
  const lines = [
    `${method.name}, ${n} tokens, model ${model}`,
    `caches after prefill: ${formatBytes(kvBytes)}${stages.length > 0 ? `, ${kvPolicy}` : ""}`,
    prompt ? `prompt: in pieces of ${prompt.tokens} tokens, caches ${prompt.inPlace ? "grown where they lie" : "beside what is new"}${prompt.tiled ? ", attention tiled" : ""}` : `attention: ${pieces}`,
    `prefill: ${(flops.exact / 1e12).toPrecision(5)} TFLOPs, ${(flops.paper / 1e12).toPrecision(5)} in the paper's counting`,
  ];
  if (method.revives) lines.push(`Aux Cache after prefill: ${formatBytes(auxBytes)}, the hidden states of tokens that fell: which of them return, each decoding step decides, and caches grow by them`);
  if (shared) lines.push(`${shared === "layers" ? "layers share the caches' budget by what they look at" : "heads of all layers share the caches' budget by score"}: the prompt decides, the sum is certain, what stands below is the mean`);
  const staged = stages.map(({ afterLayer, present, keep, head, tail }) => [stagePlace(afterLayer), present, keep, head, tail]);
  if (staged.length > 0) lines.push("", textTable("stages", ["", "present", "kept", "first, forced", "last, forced"], staged));
  // Blocks in a row that are alike share a line.
  const runs: { from: number; to: number; tokens: number; held: number }[] = [];
  tokens.forEach((count, block) => {
    const last = runs.at(-1);
    if (last && last.tokens === count && last.held === kvLengths[block]) last.to = block;
    else runs.push({ from: block, to: block, tokens: count, held: kvLengths[block]! });
  });
  lines.push("", textTable("blocks", ["", "tokens", "cached"], runs.map(({ from, to, tokens: count, held }) => [from === to ? `block ${from}` : `blocks ${from} to ${to}`, count, held])));
  return lines.join("\n");
}
