import { Option, type Command } from "commander";
import { exportTargets, type ExportTarget } from "../../export-model/options.js";
import { interruptSignal } from "../interrupt.js";

interface Options {
  model: string;
  to: ExportTarget;
  output?: string;
  dtype?: string;
  json?: boolean;
}

/** `sdtp export-model`: a model as other programs load it. */
export function register(program: Command): void {
  program
    .command("export-model")
    .description("write a model for transformers.js (onnx), Hugging Face's libraries (safetensors) or llama.cpp (gguf)")
    .argument("[model]", "tiny, a model folder, a GGUF file, synthetic:NAME", "tiny")
    .addOption(new Option("--to <format>", "what to write").choices(exportTargets).makeOptionMandatory())
    .option("-o, --output <path>", "the folder, or with gguf the file, to write (default: the model's name here, with the format)")
    .option("--dtype <name>", "what the weights are written in: onnx fp32, fp16; safetensors fp32, fp16, bf16; gguf fp32, fp16, bf16, q8_0 (default: as stored)")
    .option("--json", "print JSON")
    .addHelpText("after", `
The ONNX folder is a whole model, nothing pruned: inputs and outputs as Optimum names them, any batch, computed in float32.
Its attention takes memory quadratic in the prompt's length. Weights from int8 and int4 blocks are written as the numbers they stand for.
Example:
  sdtp export-model tiny --to onnx -o models/tiny
  // in JavaScript: env.localModelPath = "models/"; await AutoModelForCausalLM.from_pretrained("tiny")`)
    .action((model: string, options: Omit<Options, "model">) => run({ model, ...options }));
}

async function run({ model, to, output, dtype, json }: Options): Promise<void> {
  const [{ exportModel }, { openCheckpoint }, { formatBytes }, { progressBar }] = await Promise.all([
    import("../../export-model/index.js"), import("../../checkpoint/open.js"), import("../../checkpoint/free-space.js"), import("../progress.js"),
  ]);
  const signal = interruptSignal();
  const bar = progressBar(json);
  try {
    const checkpoint = await openCheckpoint(model, { dtype: "stored", signal, onProgress: (done, total) => bar.update(done / total, "opening") });
    const name = checkpoint.name.replace(/[\\/]+$/, "").replace(/.*[\\/:]/, "").replace(/\.gguf$/, "");
    const exported = await exportModel(checkpoint, {
      to, output: output ?? (to === "gguf" ? `${name}.gguf` : `${name}-${to}`), signal, onProgress: (done, total) => bar.update(done / total, "weights"), ...(dtype !== undefined && { dtype }),
    });
    bar.stop();
    if (json) console.log(JSON.stringify(exported, null, 2));
    else console.log([`${exported.output}: ${formatBytes(exported.bytes)}, ${exported.dtype}`, ...exported.notes.map((note) => `note: ${note}`)].join("\n"));
  } finally {
    bar.stop();
  }
}
