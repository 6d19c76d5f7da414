/** Up to so many are found in one pass over the logits; more, in sorting them all. */
const FEW = 128;
/** Token ids that fit beside a logit's 32 bits in the 53 of a float64. */
const IDS = 2 ** 21;

/** Ids of the `count` likeliest tokens (all, if there are no more) in descending order, the first of equal ones first. @param logits `[vocabulary]` of numbers, at most 2^21 */
export function likeliest(logits: Float32Array, count: number): number[] {
  if (logits.length > IDS) throw new Error(`vocabulary: ${logits.length} tokens (must be at most ${IDS})`);
  return count <= FEW ? inOnePass(logits, count) : sorted(logits, count);
}

function inOnePass(logits: Float32Array, count: number): number[] {
  const best: number[] = [];
  for (let id = 0; id < logits.length; id++) {
    if (best.length === count && !(count > 0 && logits[id]! > logits[best[count - 1]!]!)) continue;
    let at = best.length;
    while (at > 0 && logits[best[at - 1]!]! < logits[id]!) at--;
    best.splice(at, 0, id);
    if (best.length > count) best.pop();
  }
  return best;
}

/** Numbers without a comparison in JavaScript are sorted many times faster: each is a logit's place in their order, above its id. */
function sorted(logits: Float32Array, count: number): number[] {
  // Zero has one place, whatever its sign.
  const words = new Int32Array(logits.map((logit) => logit + 0).buffer);
  // Bits of positive floats rise with them, those of negative ones fall: turned about, the largest comes first.
  const keys = Float64Array.from(words, (word, id) => (word < 0 ? 2 ** 31 + (word & 0x7fffffff) : 2 ** 31 - 1 - word) * IDS + id);
  return Array.from(keys.sort().subarray(0, count), (key) => key - Math.floor(key / IDS) * IDS);
}
