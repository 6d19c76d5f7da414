import type { Command } from "commander";
import { interruptSignal } from "../interrupt.js";
import { addDtypeOption, addKvDtypeOption, addModelOptions, loadModel, nonNegativeInteger, positiveInteger, type ModelOptions } from "../options.js";

interface Options extends ModelOptions {
  lengths: string[];
  prompts: number;
  seed: number;
  output?: string;
  json?: boolean;
}

/** `sdtp quality`: the numbers of the embedded model's card. */
export function register(program: Command): void {
  const command = program
    .command("quality")
    .description("what a model can do without pruning: bits per byte of held-out prose, pass keys found in it")
    .option("--lengths <n...>", "prompt lengths of the retrieval test, in tokens", ["1024", "2048", "4096"])
    .option("--prompts <n>", "prompts of each length", positiveInteger, 200)
    .option("--seed <n>", "seed of the prompts", nonNegativeInteger, 0)
    .option("--output <file>", "write the result there as JSON")
    .option("--json", "print JSON");
  addKvDtypeOption(addDtypeOption(addModelOptions(command))).action(run);
}

async function run({ prompts, seed, json, output, ...options }: Options): Promise<void> {
  const [{ parseLengths }, { quality }, { heldOutText }, { progressBar }, { writeOutput }, { modelLabel }] = await Promise.all([
    import("../../bench/lengths.js"), import("../../evaluate/quality.js"), import("../../train/corpus.js"), import("../progress.js"), import("../../files.js"), import("../../report/label.js"),
  ]);
  const lengths = parseLengths(options.lengths);
  const signal = interruptSignal();
  const bar = progressBar();
  try {
    const model = await loadModel(options, signal);
    const result = await quality(model, { text: heldOutText(), lengths, prompts, seed, signal, onProgress: (share, label) => bar.update(share, label) });
    bar.stop();
    const text = JSON.stringify({ model: model.name, device: model.device, dtype: model.dtype, kv_dtype: model.kvDtype, model_hash: await model.checkpoint.hash(), seed, ...result }, null, 2);
    if (output !== undefined) await writeOutput(output, `${text}\n`);
    if (json) console.log(text);
    else {
      console.log(`model ${modelLabel(model)}`);
      console.log(`prose: ${result.prose.bitsPerByte.toFixed(3)} bits per byte (${result.prose.bytes} bytes, windows of 1024 tokens)`);
      for (const { length, right, accuracy } of result.retrieval) console.log(`retrieval at ${length}: ${(100 * accuracy).toFixed(1)} % (${right} of ${prompts} keys wholly right)`);
    }
  } finally {
    bar.stop();
  }
}
