import { type Command, InvalidArgumentError } from "commander";
import { kvDtypes, type KvDtype } from "../../checkpoint/kv-dtype.js";
import type { HeldAs } from "../../evaluate/dtypes.js";
import { interruptSignal } from "../interrupt.js";
import { addModelOptions, loadModel, nonNegativeInteger, positiveInteger, type ModelOptions } from "../options.js";

interface Options extends Omit<ModelOptions, "dtype" | "kvDtype"> {
  dtype?: string[];
  kvDtype?: KvDtype[];
  length: number;
  prompts: number;
  seed: number;
  output?: string;
  json?: boolean;
}

/** `sdtp dtypes`: what it costs and saves to hold weights and caches otherwise. */
export function register(program: Command): void {
  addModelOptions(program.command("dtypes").description("perplexity, pass keys found, size and time of a model with its weights and caches held in several dtypes, on the same prompts"))
    .option("--dtype <name...>", "weights: as load takes them, e.g. int4:symmetric; stored: as stored (default: stored, int8, int4, and compact where it makes a difference)", words)
    .option("--kv-dtype <name...>", "caches: fp32, fp16, int8 (default: fp32)", kvWords)
    .option("--length <n>", "tokens of each prompt", positiveInteger, 1024)
    .option("--prompts <n>", "prompts of each kind", positiveInteger, 100)
    .option("--seed <n>", "seed of the prompts", nonNegativeInteger, 0)
    .option("--output <file>", "write all rows there as JSON")
    .option("--json", "print JSON")
    .action((options: Options) => run(options));
}

async function run({ dtype: named, kvDtype = ["fp32"], length, prompts, seed, output, json, ...options }: Options): Promise<void> {
  const [{ isCompactable, openCheckpoint }, { compareDtypes }, { dtypesTable }, { toMarkdown }, { heldOutText }, { measuredEnvironment }, { progressBar }, { writeOutput }] = await Promise.all([
    import("../../checkpoint/index.js"), import("../../evaluate/dtypes.js"), import("../../report/dtypes.js"), import("../../report/formats/markdown.js"), import("../../train/corpus.js"),
    import("../../bench/environment.js"), import("../progress.js"), import("../../files.js"),
  ]);
  const signal = interruptSignal();
  const bar = progressBar();
  const usual = async () => {
    const checkpoint = await openCheckpoint(options.model, { dtype: "stored", signal, onProgress: (done, total) => bar.update(done / total, "weights"), onFetch: ({ done, total, file }) => bar.update(total === 0 ? 1 : done / total, `fetching ${file}`) });
    return ["stored", "int8", "int4", ...(isCompactable(checkpoint) ? ["compact"] : [])];
  };
  const rows = [];
  let device = "cpu";
  try {
    const ways = (named ?? (await usual())).flatMap((name) => kvDtype.map((kv) => ({ dtype: name, kvDtype: kv })));
    const open = async (held: HeldAs) => {
      const model = await loadModel({ ...options, kvDtype: held.kvDtype, ...(held.dtype !== undefined && { dtype: held.dtype }) }, signal);
      // Caches that a device has not would have put some rows on the CPU: times of two devices are no comparison.
      if (rows.length > 0 && model.device !== device) throw new Error(`device: ${model.device} for ${held.kvDtype} caches, ${device} for those before (name one device)`);
      device = model.device;
      return model;
    };
    const text = heldOutText();
    for await (const row of compareDtypes(open, ways, { text, length, prompts, seed, signal, onProgress: (share, label) => bar.update(share, label) })) rows.push(row);
  } finally {
    bar.stop();
  }
  const all = JSON.stringify({ model: options.model, device, seed, threads: options.threads ?? null, ...(await measuredEnvironment()), rows }, null, 2);
  if (output !== undefined) await writeOutput(output, `${all}\n`);
  process.stdout.write(json ? `${all}\n` : toMarkdown(dtypesTable({ model: options.model, device, threads: options.threads }, rows)));
}

/** Words parted by commas or spaces. */
const words = (text: string, before: string[] | undefined): string[] => [...(before ?? []), ...text.split(",").filter((word) => word !== "")];

function kvWords(text: string, before: KvDtype[] | undefined): KvDtype[] {
  const names = words(text, before);
  const unknown = names.find((name) => !(kvDtypes as readonly string[]).includes(name));
  if (unknown !== undefined) throw new InvalidArgumentError(`${unknown} is unknown (must be ${kvDtypes.join(", ")})`);
  return names as KvDtype[];
}
