import type { ModelConfig } from "../checkpoint/types.js";
import type { GraphBuilder } from "../onnx/builder.js";
import type { Dim, Value } from "../onnx/graph.js";
import type { Scorer } from "../methods/scorer.js";
import { select, stageCounts } from "../methods/select.js";
import { activationBlock, scoreActivations } from "../methods/plan/activations.js";
import { chunkedAttention, FUSED_HEAD_MULTIPLE, fusedAttention, lastAttention, type Attention } from "./attention.js";
import { block } from "./block.js";
import { outputFinite, outputFiniteBlock } from "./finite.js";
import { embed, head } from "./head.js";
import { gatherRotary, layerRotary, layerWindow, rotaryInputs } from "./positions.js";
import type { Weights } from "./weights.js";

export interface PrefillOptions {
  readonly config: ModelConfig;
  /** Blocks that a pruning stage stands after, ascending. */
  readonly stages: readonly number[];
  /** Needed where there are stages. */
  readonly scorer: Scorer | null;
  readonly attention: AttentionPlan;
  /** Keys and values come out as the last stage leaves them, the tokens it or one before dropped taken from every layer. */
  readonly evict?: boolean;
  /** Activations that become outputs of the graph under their own names (see `activationNames`). */
  readonly capture?: readonly string[];
  /** Tells of each activation whether it is finite, in `finite.NAME` (see `outputFinite`). */
  readonly finite?: boolean;
}

/** How a prompt's attention is computed. */
export interface AttentionPlan {
  /** `fused`: memory linear in n, or bounded. `plain`: quadratic, but any mask, any head size and any device. */
  readonly kind: "fused" | "plain";
  /** Groups of queries that fused attention takes one after the other. */
  readonly fusedChunks: number;
  /** Fused attention takes the keys tile by tile; else it holds all scores of a group of queries at a time. */
  readonly tiled: boolean;
  /** Groups of queries that plain attention takes one after the other. */
  readonly chunks: number;
  /** The prompt is longer than the model's sliding window. */
  readonly windowed: boolean;
}

/** Scores that plain attention may hold at a time, in bytes. */
export const SCORE_BYTES = 2 ** 28;

/**
 * Pieces that fused attention is fastest in on a CPU: of about 256 queries, so many at least and at most, for prompts that long at least.
 * Measured against one tiled piece: with heads of 32 and 64, a quarter of its time at 1024 tokens to four fifths at 16384; with heads of 128, two thirds at 1024 and as long at 4096.
 */
const [PIECE, FEWEST_PIECES, MOST_PIECES, PIECES_FROM] = [256, 4, 32, 512];
/** Where the scores of so large a piece would not fit, tiles are taken, and these are the pieces they are fastest in. */
const TILED_PIECES = 16;

/** What a plan depends on beside the model and the prompt's length. */
export interface PlanAttentionOptions {
  /** Plain attention even where the fused one would do. */
  readonly plain?: boolean;
  /** On a CPU: fewest tokens that a block gets, after all stages (fused attention takes no empty pieces). Default 0: in one piece and as the device likes it. */
  readonly fewest?: number;
}

/** The plan for a prompt of `n` tokens. */
export function planAttention(config: ModelConfig, n: number, { plain = false, fewest = 0 }: PlanAttentionOptions = {}): AttentionPlan {
  const windowed = config.slidingWindow !== null && n > config.slidingWindow;
  const fused = fusedPlan(config, n, fewest, windowed);
  // Fused attention has no room for ALiBi's slopes, and takes no tiles where there are sinks.
  const fits = !config.attentionSinks || 4 * config.heads * Math.ceil(n / fused.fusedChunks) * n <= SCORE_BYTES;
  const kind = plain || config.positions === "alibi" || config.headDim % FUSED_HEAD_MULTIPLE !== 0 || !fits ? "plain" : "fused";
  const bytes = 4 * config.heads * n * n;
  // Powers of two, so that prompts of like length share a graph. Where attention is fused, plain one is left for layers with a window after a stage.
  const chunks = kind === "fused" && !windowed ? 1 : 2 ** Math.max(0, Math.ceil(Math.log2(bytes / SCORE_BYTES)));
  return { kind, ...(kind === "fused" ? fused : fusedPlan(config, n, 0, windowed)), chunks, windowed };
}

function fusedPlan({ heads, attentionSinks }: ModelConfig, n: number, fewest: number, windowed: boolean): Pick<AttentionPlan, "fusedChunks" | "tiled"> {
  const pieces = (wanted: number) => (n >= PIECES_FROM && fewest >= wanted ? wanted : 1);
  const whole = pieces(2 ** Math.round(Math.log2(Math.min(Math.max(n / PIECE, FEWEST_PIECES), MOST_PIECES))));
  if (attentionSinks) return { fusedChunks: whole, tiled: false };
  // Tiles out of a window's reach are passed over; scores are not.
  if (fewest > 0 && !windowed && 4 * heads * Math.ceil(n / whole) * n <= SCORE_BYTES) return { fusedChunks: whole, tiled: false };
  return { fusedChunks: pieces(TILED_PIECES), tiled: true };
}

/**
 * The whole prompt in one run, pruning stages inside. The last block computes only what is asked of it: keys and values of all tokens, and the
 * last token's hidden state (as llama.cpp does), unless it is captured.
 * Inputs: `ids` `[1, n]` int64; with rotary positions `cos`, `sin` (see `rotaryInputs`); `stage.S.keep`, `.head`, `.tail` `[1]` int64 for each stage S.
 * Outputs: `logits` `[1, vocabulary]` of the last token; `key.L`, `value.L` `[1, kvHeads, n_L, headDim]` of each layer
 * (with `evict` `[1, kvHeads, k, headDim]`); `kept.S` `[k]` int64, the original positions kept at stage S; `scores.S` `[n_S]`, one for each token present there;
 * each captured activation, in the shape the block has it in.
 */
export function prefillGraph(g: GraphBuilder, weights: Weights, options: PrefillOptions): void {
  const { config, stages, scorer } = options;
  const captured = new Set(options.capture);
  const ids = g.input("ids", "int64", [1, "n"]);
  let rotaries = rotaryInputs(g, config, "n");
  let positions = g.range("n");
  let attention = attentionFor(options, positions, false);
  let hidden = embed(g, weights, config, ids, positions);
  if (captured.has("embedding")) g.output(hidden, "embedding");
  if (options.finite) outputFinite(g, "embedding", hidden, 1);
  let scores: Value | null = null;
  const caches: { readonly key: Value; readonly value: Value; readonly stagesBefore: number }[] = [];
  const rowsKept: Value[] = [];

  for (let layer = 0; layer < config.layers; layer++) {
    // Fused attention never has its scores in memory.
    const spelledOut = scoreActivations.some((name) => captured.has(`block.${layer}.${name}`));
    const isLast = layer === config.layers - 1;
    const tokens = isLast && lastTokenWillDo(stages, config, options.capture) ? "last" : "all";
    const way = tokens === "last" ? lastAttention(config, positions) : spelledOut ? chunkedAttention(config, positions, 1) : attention;
    const result = block(g, weights, config, layer, hidden, layerRotary(config, rotaries, layer), way, tokens);
    hidden = g.rename(result.hidden, `block.${layer}.hidden`);
    for (const [part, value] of Object.entries(result.inside)) {
      const name = `block.${layer}.${part}`;
      if (captured.has(name)) g.output(part === "attention.query" ? byHead(g, config, value) : value, name);
    }
    if (options.finite) outputFiniteBlock(g, layer, result);
    caches.push({ key: result.key, value: result.value, stagesBefore: rowsKept.length });

    const stage = stages.indexOf(layer);
    if (stage < 0) continue;
    if (!scorer) throw new Error(`prefill: a scorer is needed for the stage after block ${layer}`);
    // After the last block a token's saliency is zero by construction: the scores of the stage before go on.
    if (!isLast || !scores) {
      scores = scorer.score(g, { hidden, positions, queries: result.queries, keys: result.key, sinks: result.sinks, stage, afterLayer: layer, config });
    }
    g.output(scores, `scores.${stage}`);
    const size: Dim = `kept.${stage}`;
    const kept = select(g, scores, stageCounts(g, stage), size);
    rowsKept.push(kept);
    scores = g.gather(scores, kept);
    positions = g.gather(positions, kept);
    g.output(positions, `kept.${stage}`);
    if (isLast) continue;
    hidden = g.gather(hidden, kept, 1);
    rotaries = gatherRotary(g, rotaries, kept);
    attention = attentionFor(options, positions, true);
  }
  const left = options.evict ? rowsLeft(g, rowsKept) : [];
  caches.forEach(({ key, value, stagesBefore }, layer) => {
    const rows = left[stagesBefore];
    g.output(rows ? g.gather(key, rows, 2) : key, `key.${layer}`);
    g.output(rows ? g.gather(value, rows, 2) : value, `value.${layer}`);
  });
  g.output(g.reshape(head(g, weights, config, g.last(hidden, 1)), [1, config.vocabSize]), "logits");
}

/**
 * After its keys and values, the last block matters only for the token whose logits are wanted, unless something inside it is asked for or
 * a stage after it has no scores of one before.
 */
export function lastTokenWillDo(stages: readonly number[], config: Pick<ModelConfig, "layers">, capture: readonly string[] = []): boolean {
  const last = config.layers - 1;
  return stages[0] !== last && !capture.some((name) => activationBlock(config, name).layer === last);
}

/** For each stage, where in the rows before it those stand that the last stage keeps. @param rowsKept rows that each stage keeps of those before it */
function rowsLeft(g: GraphBuilder, rowsKept: readonly Value[]): Value[] {
  const left: Value[] = [];
  for (let stage = rowsKept.length - 1; stage >= 0; stage--) left[stage] = left[stage + 1] ? g.gather(rowsKept[stage]!, left[stage + 1]!) : rowsKept[stage]!;
  return left;
}

/** `[1, n, heads * headDim]` -> `[1, heads, n, headDim]`, as keys are. */
function byHead(g: GraphBuilder, { heads, headDim }: ModelConfig, x: Value): Value {
  return g.transpose(g.reshape(x, [1, x.shape[1]!, heads, headDim]), [0, 2, 1, 3]);
}

/**
 * Once tokens are gone, a window of W positions is no longer one of W tokens: fused attention, which counts
 * tokens, would see too far back.
 */
function attentionFor({ config, attention }: PrefillOptions, positions: Value, pruned: boolean): Attention {
  const { kind, fusedChunks, tiled, chunks, windowed } = attention;
  const masked = chunkedAttention(config, positions, chunks);
  if (kind === "plain") return masked;
  const fused = fusedAttention(config, { chunks: fusedChunks, tiled, windowed });
  // Fused attention counts its window in tokens present: after a stage that is not where a layer's window ends.
  return (g, projections, layer) => (windowed && pruned && layerWindow(config, layer) !== null ? masked : fused)(g, projections, layer);
}
