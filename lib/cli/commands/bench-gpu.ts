import { Option, type Command } from "commander";
import { isAbort } from "../../ambient-signal.js";
import { interruptSignal } from "../interrupt.js";
import { number } from "../options.js";

interface Options {
  device: string;
  tiny?: boolean;
  minutes: number;
  folder: string;
  retryFailed?: boolean;
  pack?: string;
  json?: boolean;
}

/** `sdtp bench gpu`. */
export function registerGpu(bench: Command): void {
  bench
    .command("gpu")
    .description("the first hour on a card: checks it, then Table 2 of 7B models at 4K to 128K, decoding, memory, energy, and a verdict; can be stopped and gone on with")
    .addOption(new Option("--device <name>", "what to measure").choices(["cuda", "webgpu", "cpu"]).default("cuda"))
    .option("--tiny", "a small shape at short lengths: tries every step on any machine")
    .option("--minutes <n>", "stops then: parts come in the order of what is worth most, the same command goes on", number, 12)
    .option("--folder <folder>", "everything is under it, and found again there", "results/gpu")
    .option("--retry-failed", "measure parts again that failed")
    .option("--pack <folder>", "measure nothing: write what a bare machine needs, in pieces of at most 60 MB with a script that checks and joins them")
    .option("--json", "print the verdict as JSON instead of the report")
    .addHelpText("after", "\nExit code 1 where a part failed or the verdict has a failure.")
    .action((options: Options) => gpu(options));
}

async function gpu({ json, pack, ...options }: Options): Promise<void> {
  if (pack !== undefined) {
    const { pieces, bytes, provider } = await (await import("../../bench/gpu/pack.js")).packGpu(pack);
    console.log(`${pieces.length} pieces, ${(bytes / 1e6).toFixed(1)} MB, ${provider ? "with" : "without"} the CUDA provider; on the machine: ${pack}/unpack.sh`);
    return;
  }
  const [{ benchGpu }, { writeGpuReport }, { verdictOf }, { progressBar }, { formatJson }, { resolve }] = await Promise.all([
    import("../../bench/gpu/run.js"), import("../../report/gpu-bench.js"), import("../../bench/gpu/verdict.js"), import("../progress.js"), import("../../format-json.js"), import("node:path"),
  ]);
  const bar = progressBar();
  let report = "";
  try {
    const end = await benchGpu({
      ...options,
      signal: interruptSignal(),
      onProgress: (share, label) => bar.update(share, label),
      onParts: async (run, parts) => void (report = await writeGpuReport(resolve(options.folder), run, parts)),
    });
    bar.stop();
    const verdict = verdictOf(end.run.settings, end.parts);
    process.stdout.write(json ? formatJson(verdict) : report);
    const left = end.wanted - end.parts.size;
    process.stderr.write(`${end.measured} parts measured, ${end.found} found${left > 0 ? `, ${left} left: the same command goes on` : ""}; all is in ${options.folder}\n`);
    if (verdict.some(({ state }) => state === "fail") || [...end.parts.values()].some(({ error }) => error !== null)) process.exitCode = 1;
  } catch (error) {
    bar.stop();
    if (isAbort(error)) process.stderr.write(`what was done is in ${options.folder}; the same command goes on\n`);
    throw error;
  }
}
