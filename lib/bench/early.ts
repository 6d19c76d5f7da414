import { peekConfig } from "../checkpoint/peek.js";
import { isSyntheticName } from "../checkpoint/synthetic-name.js";
import { readText } from "../files.js";
import { resolveScorer } from "../runtime/scorers.js";
import { checkLengths } from "./lengths.js";
import { checkReach, type MeasureSettings } from "./settings.js";
import { requireNamed } from "./subject.js";

export interface EarlyOptions {
  readonly models: readonly string[];
  readonly lengths: readonly number[];
  readonly scorers?: readonly string[];
  readonly promptFile?: string | undefined;
}

/**
 * Refuses what can be told to be wrong before weights are made or converted, which may take long.
 * @throws on a model that is not there, lengths out of order or beyond its positions, an unknown scorer, a text for a model without a tokenizer
 */
export async function refuseEarly({ models, lengths, scorers = [], promptFile }: EarlyOptions, settings: MeasureSettings): Promise<void> {
  checkLengths(lengths);
  for (const scorer of scorers) {
    requireNamed(scorer);
    // The model's own modules are looked for when it is open.
    if (scorer !== "learned") await resolveScorer(scorer, null);
  }
  if (promptFile !== undefined) await readText("prompt file", promptFile);
  for (const model of models) {
    if (promptFile !== undefined && isSyntheticName(model)) throw new Error(`prompt file: ${promptFile} (${model} has synthetic weights and no tokenizer; without a file it gets random ids)`);
    checkReach(lengths, settings, (await peekConfig(model)).maxPositions);
  }
}
