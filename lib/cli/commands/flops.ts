import { type Command, Option } from "commander";
import { type Counting, countings, decodeFlops } from "../../methods/plan/flops.js";
import { parseLengths } from "../../bench/lengths.js";
import { peekConfig } from "../../checkpoint/peek.js";
import type { KvPolicy } from "../../methods/method.js";
import { resolveMethod } from "../../methods/resolve.js";
import { presets } from "../../methods/sdtp.js";
import { planFlops, planTokens } from "../../methods/plan/plan.js";
import { toMarkdown } from "../../report/formats/index.js";
import { lengthLabel } from "../../report/label.js";
import type { Table } from "../../report/table.js";

interface Options {
  model: string;
  config: string[];
  lengths: string[];
  counting: Counting;
  maxNewTokens: string;
  kvPolicy?: KvPolicy;
  json?: boolean;
}

/** FLOPs of one configuration at one prompt length. */
interface FlopsRow {
  length: number;
  config: string;
  prefill_flops: number;
  end2end_flops: number;
}

/** `sdtp flops`: floating-point operations from a model's configuration alone. */
export function register(program: Command): void {
  program
    .command("flops")
    .description("floating-point operations of prefill and of prefill + decode, from a model's config.json alone")
    .option("--model <model>", "model folder, tiny, or synthetic:NAME; no weights are read or made", "tiny")
    .option("--config <name...>", `presets, or all (${Object.keys(presets).join(", ")})`, ["baseline"])
    .option("--lengths <n...>", "prompt lengths, ascending; the model's own limit does not matter here", ["1024", "2048", "4096", "8192", "16384", "32768"])
    .addOption(new Option("--counting <counting>", "exact: this model's matrix products; paper: the formula behind the paper's Table 2").choices([...countings]).default("exact"))
    .option("--max-new-tokens <n>", "decoded tokens in the end-to-end figure", "128")
    .addOption(new Option("--kv-policy <policy>", "what decode attends to (default: the preset's)").choices(["evict", "retain"]))
    .option("--json", "print a JSON array of {length, config, prefill_flops, end2end_flops}")
    .addHelpText("after", "\nExample:\n  sdtp flops --model synthetic:mistral-7b --config baseline sdtp --lengths 4096 131072 --counting paper --json")
    .action((options: Options) => flops(options));
}

async function flops(options: Options): Promise<void> {
  const lengths = parseLengths(options.lengths);
  const newTokens = Number(options.maxNewTokens);
  if (!Number.isSafeInteger(newTokens) || newTokens < 0) throw new Error(`--max-new-tokens: ${options.maxNewTokens} (must be an integer of 0 or more)`);
  const chosen = (options.config.includes("all") ? Object.keys(presets) : options.config).map((name) => resolveMethod(name));
  const model = await peekConfig(options.model);
  const rows = lengths.flatMap((length) =>
    chosen.map((preset): FlopsRow => {
      const plan = planTokens(preset, length, model.layers, options.kvPolicy);
      // Which tokens return is known after a run alone, and what that costs with it.
      if (preset.revives && newTokens > 0) throw new Error(`--config: ${preset.name} (which tokens return in a decoding step the prompt decides: sdtp profile counts them as they are computed; --max-new-tokens 0 counts the prompt)`);
      const prefill = planFlops(plan, model, { counting: options.counting, modules: preset.scorer === undefined });
      const decode = decodeFlops({ config: model, stages: plan.stages, n: length, counting: options.counting, newTokens, kvLengths: plan.kvLengths });
      return { length, config: preset.name, prefill_flops: prefill, end2end_flops: prefill + decode };
    }),
  );
  process.stdout.write(options.json ? `${JSON.stringify(rows, null, 2)}\n` : toMarkdown(table(options, newTokens, rows)));
}

function table({ model, counting }: Options, newTokens: number, rows: readonly FlopsRow[]): Table<FlopsRow> {
  const tera = (value: number) => (value / 1e12).toPrecision(5);
  return {
    title: "FLOPs",
    columns: [
      { key: "length", label: "Length", value: (row) => row.length, format: lengthLabel, width: 6 },
      { key: "config", label: "Config", value: (row) => row.config },
      { key: "prefill_flops", label: "Prefill TFLOPs", value: (row) => row.prefill_flops, format: tera },
      { key: "end2end_flops", label: "End2End TFLOPs", value: (row) => row.end2end_flops, format: tera },
    ],
    rows,
    above: [`Model ${model}, counting ${counting}, ${newTokens} decoded tokens.`],
    warnings: [],
    facts: () => ({}),
  };
}
