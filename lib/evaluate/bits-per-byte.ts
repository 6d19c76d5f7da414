import type { Model } from "../runtime/model.js";
import { crossEntropy } from "./cross-entropy.js";

export interface BitsPerByte {
  /** Bits a byte of UTF-8, lower is better. */
  readonly bitsPerByte: number;
  /** Tokens predicted, and the bytes they stand for. */
  readonly tokens: number;
  readonly bytes: number;
}

/**
 * How well a model predicts text without pruning: mean cross-entropy in windows of `window` tokens, which do not
 * overlap; a window's first token is given, all others count.
 * @param onWindow called after each window with the share done
 */
export async function bitsPerByte(model: Model, text: string, window = 1024, onWindow?: (share: number) => void): Promise<BitsPerByte> {
  const tokenizer = await model.tokenizer();
  const ids = tokenizer.encode(text, { addSpecialTokens: false });
  if (ids.length < 2) throw new Error(`text: ${ids.length} tokens (at least 2 are needed)`);
  const size = model.config.vocabSize;
  let nats = 0;
  let tokens = 0;
  let bytes = 0;
  for (let start = 0; start + 1 < ids.length; start += window) {
    const [first, ...rest] = ids.slice(start, start + window);
    if (rest.length === 0) break;
    const run = await model.prefill([first!], { reserve: rest.length });
    nats += crossEntropy(run.logits, rest[0]!);
    if (rest.length > 1) {
      const logits = await run.extend(rest.slice(0, -1));
      for (let i = 1; i < rest.length; i++) nats += crossEntropy(logits.subarray((i - 1) * size, i * size), rest[i]!);
    }
    run.dispose();
    tokens += rest.length;
    bytes += Buffer.byteLength(tokenizer.decode(rest));
    onWindow?.(Math.min(1, (start + window) / ids.length));
  }
  return { bitsPerByte: nats / Math.LN2 / bytes, tokens, bytes };
}
