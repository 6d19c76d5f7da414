/** A stretch of training with one sequence length and mixture. */
export interface Phase {
  /** Tokens seen at which the phase ends. */
  readonly until: number;
  /** Tokens in a sequence. */
  readonly length: number;
  readonly tokensPerStep: number;
  /** Shares of the sequences: prose, episodes of hidden facts, repeated random strings. They add up to 1. */
  readonly prose: number;
  readonly episodes: number;
  readonly repeats: number;
}

/** Everything that decides how a model is trained, beside its shape. */
export interface Recipe {
  readonly seed: number;
  readonly phases: readonly Phase[];
  /** Peak learning rate, of Adam and of Muon alike. */
  readonly learningRate: number;
  /** Tokens over which the learning rate rises from zero. */
  readonly warmupTokens: number;
  /** Share of all tokens, at the end, over which the learning rate falls to zero linearly. */
  readonly decay: number;
  readonly weightDecay: number;
  /** Weight in the loss of a digit to be recalled, against 1 for any other token. */
  readonly answerWeight: number;
}

/**
 * The recipe of the embedded model. Random strings repeated within a short sequence teach attention to copy, without
 * which hidden facts are not found for a long time; that takes many small steps (with 8192 tokens a step, 245 steps
 * had taught nothing of it). Then sequences grow.
 */
export const tinyRecipe: Recipe = {
  seed: 20250404,
  phases: [
    { until: 2e6, length: 64, tokensPerStep: 8192, prose: 0.25, episodes: 0.25, repeats: 0.5 },
    { until: 4.42e6, length: 128, tokensPerStep: 8192, prose: 0.4, episodes: 0.5, repeats: 0.1 },
    { until: 5.6e6, length: 64, tokensPerStep: 2048, prose: 0.1, episodes: 0.2, repeats: 0.7 },
    { until: 8e6, length: 128, tokensPerStep: 4096, prose: 0.25, episodes: 0.5, repeats: 0.25 },
    { until: 9.3e6, length: 256, tokensPerStep: 8192, prose: 0.5, episodes: 0.45, repeats: 0.05 },
    { until: 10.6e6, length: 512, tokensPerStep: 8192, prose: 0.55, episodes: 0.42, repeats: 0.03 },
    { until: Infinity, length: 1024, tokensPerStep: 8192, prose: 0.62, episodes: 0.36, repeats: 0.02 },
  ],
  learningRate: 3e-3,
  warmupTokens: 8e5,
  decay: 0.35,
  weightDecay: 0.1,
  answerWeight: 4,
};

export function phaseAt(recipe: Recipe, tokens: number): Phase {
  return recipe.phases.find(({ until }) => tokens < until) ?? recipe.phases[recipe.phases.length - 1]!;
}

/** Learning rate after `tokens` of `total`: warm-up, constant, linear decay to zero. */
export function learningRate(recipe: Recipe, tokens: number, total: number): number {
  const warm = Math.min(1, (tokens + 0.01 * recipe.warmupTokens) / recipe.warmupTokens);
  const left = (total - tokens) / (recipe.decay * total);
  return recipe.learningRate * warm * Math.max(0, Math.min(1, left));
}
