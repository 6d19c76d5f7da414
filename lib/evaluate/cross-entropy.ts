/** Cross-entropy of a token in nats: -log softmax(logits)[target], `logits` `[vocabulary]`. */
export function crossEntropy(logits: Float32Array, target: number): number {
  let highest = -Infinity;
  for (const logit of logits) if (logit > highest) highest = logit;
  let sum = 0;
  for (const logit of logits) sum += Math.exp(logit - highest);
  return highest + Math.log(sum) - logits[target]!;
}
