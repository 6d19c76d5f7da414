import { join } from "node:path";
import { packageRoot } from "../../checkpoint/package-root.js";
import type { Checkpoint } from "../../checkpoint/types.js";
import { readText } from "../../files.js";

/** Tokens of a text at most. */
const LENGTH = 512;

/** What stands between two texts of the file. */
const BETWEEN = "\n\f\n";

/**
 * Texts that the package holds to see what a model's inputs are like: prose, speeches, documentation, code. None of them is among those that quality is measured on.
 * @returns token ids of each; null for a model without a tokenizer
 */
export async function calibrationTexts({ synthetic, config, tokenizer }: Checkpoint): Promise<readonly (readonly number[])[] | null> {
  if (synthetic) return null;
  const loaded = await tokenizer().catch(() => null);
  if (!loaded) return null;
  const text = await readText("calibration texts", join(packageRoot(), "lib", "runtime", "gptq", "texts.txt"));
  const most = Math.min(LENGTH, config.maxPositions);
  return text.split(BETWEEN).map((each) => loaded.encode(each).filter((id) => id < config.vocabSize).slice(0, most)).filter(({ length }) => length > 0);
}
