import type { ModelConfig } from "../checkpoint/types.js";
import type { GraphBuilder } from "../onnx/builder.js";
import { Value, type Dim } from "../onnx/graph.js";
import type { Scorer } from "../methods/scorer.js";
import { cacheScorer } from "../methods/cache/scorers.js";
import { cacheCounts, select, selectByHead, stageCounts } from "../methods/select.js";
import { queriesWanted, type CacheSelection } from "../methods/plan/cache.js";
import { scoreActivations } from "../methods/plan/activations.js";
import { lastTokenWillDo, type AttentionPlan } from "../methods/plan/pieces.js";
import { chunkedAttention, fusedAttention, lastAttention, type Attention } from "./attention.js";
import { block, type BlockResult, type BlockTokens } from "./block.js";
import { outputFinite, outputFiniteBlock } from "./finite.js";
import { embed, head } from "./head.js";
import { layerWindow } from "../checkpoint/sliding-window.js";
import { gatherRotary, layerRotary, rotaryInputs, type Rotaries } from "./positions.js";
import { ropeSets } from "./rotary.js";
import type { Weights } from "./weights.js";

export interface PrefillOptions {
  readonly config: ModelConfig;
  /** Blocks that a pruning stage stands after, ascending. */
  readonly stages: readonly number[];
  /** Needed where there are stages. */
  readonly scorer: Scorer | null;
  readonly attention: AttentionPlan;
  /** Heads of spelled-out attention are apart (see `attendApart`). */
  readonly headsApart?: boolean;
  /** Works that the blocks are parted in, for providers that are stopped between two of them alone (see `GraphBuilder.seam`); default 1. */
  readonly works?: number;
  /** What each layer's keys and values are cut down to, `[layers]`; null or absent: nothing. Not with `evict`. */
  readonly cache?: readonly CacheSelection[] | null;
  /** Layers share the budget: keys and values come out whole, with scores and what a layer prefers, and are cut down when all are known. */
  readonly cutLater?: boolean;
  /** Ends with the first stage: only what it kept and its scores come out. */
  readonly choose?: boolean;
  /** The hidden states of the tokens that fall at each stage come out too. */
  readonly aux?: boolean;
  /** Keys and values come out as the last stage leaves them, the tokens it or one before dropped taken from every layer. */
  readonly evict?: boolean;
  /** Activations that become outputs of the graph under their own names (see `activationNames`). */
  readonly capture?: readonly string[];
  /** Tells of each activation whether it is finite, in `finite.NAME` (see `outputFinite`). */
  readonly finite?: boolean;
}

/**
 * The whole prompt in one run, pruning stages inside. The last block computes only what is asked of it: keys and values of all tokens, and the
 * last token's hidden state (as llama.cpp does), unless it is captured.
 * Inputs: `ids` `[1, n]` int64; with rotary positions `cos`, `sin` (see `rotaryInputs`); `stage.S.keep`, `.head`, `.tail` `[1]` int64 for each stage S;
 * with `cache` the same for each layer L as `cache.L.keep` …, `cache.L.safe` too where heads share a budget, and with expected attention `future.cos`, `future.sin`.
 * Outputs: `logits` `[1, vocabulary]` of the last token; `key.L`, `value.L` `[1, kvHeads, n_L, headDim]` of each layer
 * (with `evict` `[1, kvHeads, k, headDim]`, with `cache` `[1, kvHeads, keep, headDim]`, or `[1, 1, kvHeads * keep, headDim]`, head after head, where heads share a budget);
 * with `cache` `cache.L.kept` `[kvHeads * keep]` int64, head * n_L + row of each, ascending, and `cache.L.scores` `[kvHeads, n_L]` (with `cutLater` no `kept`, but `cache.L.preference` `[2]`); `kept.S` `[k]` int64, the original positions kept at stage S; `scores.S` `[n_S]`, one for each token present there;
 * with `aux` `aux.S` `[1, n_S - k, d]`, the hidden states of those that fell there; each captured activation, in the shape the block has it in.
 * All in float32 but keys and values, which are as the graph's activations.
 */
export function prefillGraph(g: GraphBuilder, weights: Weights, options: PrefillOptions): void {
  const { config, stages, scorer } = options;
  const captured = new Set(options.capture);
  const ids = g.input("ids", "int64", [1, "n"]);
  let rotaries = rotaryInputs(g, config, "n");
  const futures = options.cache?.some(({ scoring }) => scoring.kind === "expected attention") ? futureRotaries(g, config) : [];
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
    const selection = options.cache?.[layer];
    const tokens = isLast && lastTokenWillDo(stages, config, options.capture) ? (selection ? queriesWanted(selection.scoring) : 1) : "all";
    const way = tokens !== "all" ? lastAttention(config, positions, tokens) : spelledOut ? chunkedAttention(config, positions, 1) : attention;
    const result = block(g, weights, config, layer, hidden, layerRotary(config, rotaries, layer), way, tokens);
    hidden = g.rename(result.hidden, `block.${layer}.hidden`);
    if (!isLast && startsWork(layer + 1, config.layers, options.works ?? 1)) hidden = g.seam(hidden);
    for (const [part, value] of Object.entries(result.inside)) {
      const name = `block.${layer}.${part}`;
      if (captured.has(name)) g.output(g.cast(part === "attention.query" ? byHead(g, config, value) : value, "float32"), name);
    }
    if (options.finite) outputFiniteBlock(g, layer, result);
    caches.push({ ...(selection ? keptByHead(g, config, layer, selection, result, positions, tokens, futures, options.cutLater ?? false) : result), stagesBefore: rowsKept.length });

    const stage = stages.indexOf(layer);
    if (stage < 0) continue;
    if (!scorer) throw new Error(`prefill: a scorer is needed for the stage after block ${layer}`);
    const counts = stageCounts(g, stage);
    // After the last block a token's saliency is zero by construction: the scores of the stage before go on.
    if (!isLast || !scores) {
      scores = scorer.score(g, inFloat32(g, { hidden, positions, update: result.inside["attention.output"]!, tail: counts.tail, queries: result.queries, keys: result.key, sinks: result.sinks, stage, afterLayer: layer, config }));
    }
    g.output(scores, `scores.${stage}`);
    const size: Dim = `kept.${stage}`;
    const kept = select(g, scores, counts, size);
    rowsKept.push(kept);
    if (options.aux) g.output(fallen(g, hidden, kept, counts.keep, stage), `aux.${stage}`);
    scores = g.gather(scores, kept);
    positions = g.gather(positions, kept);
    g.output(positions, `kept.${stage}`);
    if (options.choose) return;
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

/** What scorers look at: in float32, each value widened when it is. */
function inFloat32<Input extends object>(g: GraphBuilder, input: Input): Input {
  const seen = {};
  for (const [name, value] of Object.entries(input) as [string, unknown][]) {
    let wide: Value | undefined;
    Object.defineProperty(seen, name, { enumerable: true, get: () => (value instanceof Value && value.dtype === "float16" ? (wide ??= g.cast(value, "float32")) : value) });
  }
  return seen as Input;
}

/** Whether one of `works` parts of even length starts with a layer. */
const startsWork = (layer: number, layers: number, works: number): boolean => Math.floor((layer * works) / layers) > Math.floor(((layer - 1) * works) / layers);

/** A layer's keys and values of the tokens that its cache keeps. @param tokens of which the block gave queries @param futures rotary rows of positions to come */
function keptByHead(g: GraphBuilder, config: ModelConfig, layer: number, { scoring, safe }: CacheSelection, { key, value, queries, unturned, sinks }: BlockResult, positions: Value, tokens: BlockTokens, futures: Rotaries, cutLater: boolean): Pick<BlockResult, "key" | "value"> {
  const { kvHeads, headDim } = config;
  const wanted = queriesWanted(scoring);
  const last = (x: Value) => (wanted === "all" || tokens === wanted ? x : g.slice(x, 1, -wanted, Number.MAX_SAFE_INTEGER, `looking.${layer}`));
  const scorer = cacheScorer(scoring);
  const input = inFloat32(g, { queries: last(queries), unturned: last(unturned), keys: key, values: value, positions, sinks, layer, config, future: () => layerRotary(config, futures, layer) });
  const scores = scorer.score(g, input);
  g.output(scores, `cache.${layer}.scores`);
  if (cutLater) {
    g.output(scorer.preference!(g, input), `cache.${layer}.preference`);
    return { key, value };
  }
  const kept = selectByHead(g, scores, cacheCounts(g, layer, safe !== null), `cached.${layer}`);
  g.output(kept, `cache.${layer}.kept`);
  const n = positions.shape[0]!;
  const rows = (x: Value) => {
    const flat = g.gather(g.reshape(x, [`${n}*heads`, headDim]), kept);
    return safe === null ? g.reshape(flat, [1, kvHeads, `cached.${layer}.each`, headDim]) : g.reshape(flat, [1, 1, `cached.${layer}`, headDim]);
  };
  return { key: rows(key), value: rows(value) };
}

/** The inputs `future.cos` and `future.sin` `[1, rotaryDim / 2]` of each set of frequencies: the mean of the rows of positions to come. */
function futureRotaries(g: GraphBuilder, config: ModelConfig): Rotaries {
  const row = (name: string) => g.input(`future.${name}`, "float32", [1, config.rotaryDim / 2]);
  return ropeSets(config).map(({ suffix }) => ({ cos: row(`cos${suffix}`), sin: row(`sin${suffix}`) }));
}

/** Hidden states of the tokens that a stage drops. @param kept rows of the others, `keep` of them */
function fallen(g: GraphBuilder, hidden: Value, kept: Value, keep: Value, stage: number): Value {
  const n = hidden.shape[1]!;
  const stays = g.scatterAdd(g.expand(g.constant("float32", [0], [1]), [n]), kept, g.expand(g.constant("float32", [1], [1]), [kept.shape[0]!]), 0);
  return g.gather(hidden, g.highest(g.sub(1, stays), g.sub(g.dim(n), keep), `aux.${stage}`), 1);
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
function attentionFor({ config, attention, headsApart = false }: PrefillOptions, positions: Value, pruned: boolean): Attention {
  const { kind, fusedChunks, tiled, chunks, windowed, windowTiled } = attention;
  const masked = chunkedAttention(config, positions, chunks, { apart: headsApart });
  if (kind === "plain") return masked;
  const fused = fusedAttention(config, { chunks: fusedChunks, tiled, windowed, windowTiled });
  // Fused attention counts its window in tokens present: after a stage that is not where a layer's window ends.
  return (g, projections, layer) => (windowed && pruned && layerWindow(config, layer) !== null ? masked : fused)(g, projections, layer);
}
