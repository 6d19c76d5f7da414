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

/** Measures the saliency of many examples into a file. A file that is whole and of the same settings is left as it is. */
export async function measureSaliency(options: MeasureSaliencyOptions): Promise<SaliencyFile> {
  const { checkpoint, examples, out, signal = ambientSignal() } = options;
  const settings = { blocks: options.blocks, target: options.target ?? "gradnorm", loss: options.loss ?? "response", objective: options.objective ?? "log-odds", model: await checkpoint.hash() } as const;
  const writer = existsSync(out) && !existsSync(`${out}.partial`) ? await matching(out, settings, examples) : await SaliencyWriter.open(out, settings, examples);
  if (writer instanceof SaliencyFile) return writer;
  const meter = await SaliencyMeter.create(checkpoint, options);
  try {
    while (writer.done < examples.length) {
      signal?.throwIfAborted();
      const started = performance.now();
      const { values, loss } = await meter.measure(examples[writer.done]!).catch((error: Error) => {
        throw new Error(`example ${writer.done}: ${error.message}`);
      });
      await writer.append(values);
      options.onExample?.({ done: writer.done, of: examples.length, loss, seconds: (performance.now() - started) / 1e3 });
    }
    await writer.finish();
  } finally {
    await meter.release();
  }
  return SaliencyFile.open(out);
}

/** The finished file where it is of the same settings and data, else a writer that will replace it. */
async function matching(out: string, settings: SaliencyFile["settings"], examples: readonly Example[]): Promise<SaliencyFile | SaliencyWriter> {
  const file = await SaliencyFile.open(out).catch(() => null);
  const same = file && JSON.stringify(file.settings) === JSON.stringify(settings) && file.data === hashExamples(examples);
  return same ? file : SaliencyWriter.open(out, settings, examples);
}
