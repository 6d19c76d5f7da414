import { existsSync } from "node:fs";
import { ambientSignal } from "../ambient-signal.js";
import type { Checkpoint } from "../checkpoint/types.js";
import { hashExamples, type Example } from "./examples.js";
import { SaliencyFile, SaliencyWriter } from "./saliency-file.js";
import { SaliencyMeter, type SaliencyOptions } from "./saliency.js";

export interface MeasureSaliencyOptions extends SaliencyOptions {
  readonly checkpoint: Checkpoint;
  readonly examples: readonly Example[];
  /** The safetensors file to write; a run that was stopped goes on. */
  readonly out: string;
  /** Stops after the example in flight; what was measured is kept. */
  readonly signal?: AbortSignal;
  readonly onExample?: (report: { done: number; of: number; loss: number; seconds: number }) => void;
}

/** Measures the saliency of many examples into a file. A file that is whole and of the same settings is left as it is, or gone on with where there are more examples. @throws on one of others */
export async function measureSaliency(options: MeasureSaliencyOptions): Promise<SaliencyFile> {
  const { checkpoint, examples, out, signal = ambientSignal() } = options;
  const settings = { blocks: options.blocks, target: options.target ?? "gradnorm", loss: options.loss ?? "response", objective: options.objective ?? "log-odds", model: await checkpoint.hash(), ...(options.states && { states: checkpoint.config.hiddenSize }) } as const;
  const writer = existsSync(out) && !existsSync(`${out}.partial`) ? await matching(out, settings, examples) : await SaliencyWriter.open(out, settings, examples);
  if (writer instanceof SaliencyFile) return writer;
  const meter = await SaliencyMeter.create(checkpoint, options);
  try {
    while (writer.done < examples.length) {
      signal?.throwIfAborted();
      const started = performance.now();
      const { values, loss, states } = await meter.measure(examples[writer.done]!).catch((error: Error) => {
        throw new Error(`example ${writer.done}: ${error.message}`);
      });
      await writer.append(values, states);
      options.onExample?.({ done: writer.done, of: examples.length, loss, seconds: (performance.now() - started) / 1e3 });
    }
    await writer.finish();
  } finally {
    await meter.release();
  }
  return SaliencyFile.open(out);
}

/**
 * The finished file where it is of the same settings and data, or a writer that goes on from it where there are more examples after its own.
 * @throws where it is of others: what took long is not thrown away without a word
 */
async function matching(out: string, settings: SaliencyFile["settings"], examples: readonly Example[]): Promise<SaliencyFile | SaliencyWriter> {
  const file = await SaliencyFile.open(out);
  const keys = ["model", "blocks", "target", "loss", "objective", "states"] as const;
  const other = keys.find((key) => JSON.stringify(file.settings[key]) !== JSON.stringify(settings[key]));
  const told = (value: unknown) => (value === undefined ? "none" : String(value).slice(0, 24));
  if (other) throw new Error(`saliency file: ${out} (is finished, with ${other} ${told(file.settings[other])}, not ${told(settings[other])}: delete it, or choose another output file)`);
  if (file.data === hashExamples(examples)) return file;
  if (file.length < examples.length && file.data === hashExamples(examples.slice(0, file.length))) return SaliencyWriter.extending(out, file, examples);
  throw new Error(`saliency file: ${out} (is finished, of ${file.length} other examples: delete it, or choose another output file; more examples after the same ones would extend it)`);
}
