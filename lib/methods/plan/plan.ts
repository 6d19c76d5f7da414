import { kvTokenBytes, type KvDtype } from "../../checkpoint/kv-dtype.js";
import type { ModelConfig } from "../../checkpoint/types.js";
import { tokensOf } from "../amount.js";
import type { KvPolicy, Method } from "../method.js";
import { planCache, queriesWanted, sharedBudget, type CacheSelection, type SharedBudget } from "./cache.js";
import { planCapture, type CapturePlan } from "./capture.js";
import { prefillFlops, repeatFlops, type Counting } from "./flops.js";
import { scoringFlops } from "./scoring.js";
import { lastTokenWillDo, planAttention, type AttentionPlan } from "./pieces.js";
import { planPieces, requirePiece, wholeOnly, type PiecesPlan, type PiecesWay } from "./pieces-plan.js";
import { schedule, tokensKept, tokensPerBlock, type Stage } from "./stages.js";

/** How many tokens are where: what a method makes of a prompt of `n` tokens in a model of so many blocks. */
export interface TokenPlan {
  readonly method: Method;
  /** Tokens of the prompt. */
  readonly n: number;
  /** The method's, unless another was asked for. */
  readonly kvPolicy: KvPolicy;
  readonly stages: readonly Stage[];
  /** Tokens that each block computes on, `[layers]`; where the prompt starts anew, in both passes together. */
  readonly tokens: readonly number[];
  /** What the stages dropped leaves every layer's cache. */
  readonly evicts: boolean;
  /** What each layer's cache keeps of them, `[layers]`; null: everything, or what the stages left. */
  readonly cache: readonly CacheSelection[] | null;
  /** Who shares the caches' budget as the prompt has it: of `cache` and `kvLengths` then only the sums hold. */
  readonly shared: SharedBudget;
  /** Tokens that each head's cache is cut down to while decoding; null: it grows. */
  readonly decoding: { readonly tokens: number; readonly every: number } | null;
  /** Tokens that each layer's cache holds after prefill, `[layers]`; where heads have budgets of their own, the mean over heads. */
  readonly kvLengths: readonly number[];
}

/** What else a plan depends on: the model, and the place where it runs. */
export interface PlannedModel {
  readonly config: ModelConfig;
  /** Attention spelled out, whatever the prompt. */
  readonly plain: boolean;
  /** A CPU, where attention is taken in pieces. */
  readonly cpu: boolean;
  /** See `PlanAttentionOptions`. */
  readonly pieces?: number | undefined;
  /** What caches hold keys and values in. */
  readonly kvDtype: KvDtype;
  /** Heads of a layer may hold different numbers of tokens; default true. */
  readonly ragged?: boolean;
  /** Caches are in another thread; default false. */
  readonly worker?: boolean;
  /** How prompts can be taken in pieces; default null: not at all. */
  readonly way?: PiecesWay;
}

export interface PlanSettings {
  /** Default: the method's. */
  readonly kvPolicy?: KvPolicy | undefined;
  /** Activations to read, by name. */
  readonly capture?: readonly string[] | undefined;
  /** Bytes that they may take. */
  readonly captureLimit?: number | undefined;
  /** Take the prompt through the blocks in pieces of so many tokens; null or absent: as a whole. */
  readonly piece?: number | null | undefined;
}

/**
 * All that happens to a prompt, in integers, before anything runs. It alone makes the graph's key (`graphKey`), its counts (`planFeeds`), the
 * check of memory, the verification of a run and its record.
 */
export interface Plan extends TokenPlan {
  readonly attention: AttentionPlan;
  /** Of how many tokens, at the end, the last block computes the output. */
  readonly lastTokens: number | "all";
  readonly capture: CapturePlan | null;
  /** The prompt goes through the blocks in pieces; null: as a whole. */
  readonly pieces: PiecesPlan | null;
  /** The plan of the prompt that starts anew on the tokens kept, or begins with them where another model chose them; null: it does not. What stands above is then of the pass that chooses them, if it is this model's. */
  readonly again: Plan | null;
  /** Bytes that the caches hold after prefill. */
  readonly kvBytes: number;
  /** Bytes of the hidden states that fallen tokens may return from, after prefill; 0 where none may. */
  readonly auxBytes: number;
  /** Floating-point operations of the prefill, counted exactly and as the paper does; with pruning modules where there are stages without a scorer of their own. */
  readonly flops: { readonly exact: number; readonly paper: number };
}

/**
 * The counts of a method for `n` tokens.
 * @throws where `n` is no positive integer, or the policy does not fit the method
 */
export function planTokens(method: Method, n: number, layers: number, kvPolicy: KvPolicy = method.kvPolicy): TokenPlan {
  const stages = schedule(method, n, layers);
  const restarted = method.restart ? stages[0]! : null;
  const tokens = restarted ? Array.from({ length: layers }, (_, block) => restarted.keep + (block <= restarted.afterLayer ? n : 0)) : tokensPerBlock(stages, n, layers);
  const evicts = kvPolicy === "evict" && stages.length > 0;
  if (method.restart && kvPolicy !== "evict") throw new Error(`preset ${method.name}: KV policy ${kvPolicy} (the prompt starts anew on the tokens kept: must be evict)`);
  if (method.revives && kvPolicy !== "retain") throw new Error(`preset ${method.name}: KV policy ${kvPolicy} (tokens that fell return: must be retain)`);
  if (evicts && method.cache) throw new Error(`preset ${method.name}: KV policy evict (each layer's cache has a budget of its own: must be retain)`);
  const cache = method.cache ? planCache(method.cache, n, tokens, `preset ${method.name}`) : null;
  const kvLengths = cache?.map(({ keep }) => keep) ?? (evicts ? tokens.map(() => tokensKept(stages, n)) : tokens);
  const decoding = method.decoding ? { tokens: Math.max(1, tokensOf(method.decoding.amount, n)), every: method.decoding.every } : null;
  return { method, n, kvPolicy, stages, tokens, evicts, cache, shared: method.cache ? sharedBudget(method.cache) : null, decoding, kvLengths };
}

/**
 * The plan for a prompt of `n` tokens.
 * @throws as `planTokens`, and on a capture of unknown names or above its limit
 */
export function planOf(method: Method, n: number, model: PlannedModel, { kvPolicy, ...settings }: PlanSettings = {}): Plan {
  return planFrom(planTokens(method, n, model.config.layers, kvPolicy), model, settings);
}

/** A plan from counts that are there already. */
export function planFrom(counts: TokenPlan, model: PlannedModel, { capture, captureLimit, piece = null }: Omit<PlanSettings, "kvPolicy"> = {}): Plan {
  const { config, plain, cpu, pieces = 1, kvDtype, ragged = true, worker = false, way = null } = model;
  const { n, stages, tokens, kvLengths, method, cache } = counts;
  if (cache && (config.positions === "alibi" || (config.slidingWindow !== null && config.slidingWindow < config.maxPositions))) {
    throw new Error(`preset ${method.name}: a cache budget (heads then hold other tokens each, and the model's ${config.positions === "alibi" ? "ALiBi positions are" : "sliding window is"} by token; methods with stages alone, as keep07, prune it)`);
  }
  if ((!ragged || worker) && method.decoding) throw new Error(`preset ${method.name}: a budget while decoding (caches must be in this thread's memory for that: --device cpu, no worker)`);
  if (!ragged && cache?.some(({ safe }) => safe !== null)) throw new Error(`preset ${method.name}: budgets by head (caches must be in this process's memory for that: --device cpu)`);
  if (!ragged && counts.shared) throw new Error(`preset ${method.name}: a budget that ${counts.shared} share (caches must be in this process's memory for that: --device cpu)`);
  if (method.revives && (config.positions === "alibi" || (config.slidingWindow !== null && config.slidingWindow < config.maxPositions))) throw new Error(`preset ${method.name}: tokens that return (they are chosen by the attention of a block that sees all of them, and the model has ${config.positions === "alibi" ? "ALiBi positions, by which it falls with distance" : "a sliding window"}; methods with stages alone, as keep07, prune it)`);
  if (method.revives && (!cpu || worker)) throw new Error(`preset ${method.name}: tokens that return (caches and hidden states must be in this thread's memory for that: --device cpu, and no worker, which sdtp serve has)`);
  const restarts = method.restart === true && stages.length > 0;
  if (restarts && (config.positions === "alibi" || (config.slidingWindow !== null && config.slidingWindow < config.maxPositions))) throw new Error(`preset ${method.name}: a prompt that starts anew (tokens stand at other positions then, and the model's ${config.positions === "alibi" ? "ALiBi positions count" : "sliding window counts"} by them)`);
  if (restarts && capture?.length) throw new Error(`preset ${method.name}: capture (the prompt goes through the model twice; capture without a restart)`);
  const { speculation, ...plainly } = method;
  if (speculation && (config.positions !== "rotary" || (config.slidingWindow !== null && config.slidingWindow < config.maxPositions))) throw new Error(`preset ${method.name}: a prompt that others are missing from when the first block sees it (tokens keep their positions: the model's must be rotary, without a sliding window)`);
  if (speculation && capture?.length) throw new Error(`preset ${method.name}: capture (another model chooses before there is anything to capture)`);
  if (piece !== null) requirePiece(piece);
  const whole = piece === null ? null : wholeOnly(counts, way, capture !== undefined && capture.length > 0);
  if (whole !== null) throw new Error(`piece: ${piece} (${whole})`);
  const again = speculation ? planFrom({ ...planTokens({ ...plainly, stages: [] }, stages[0]!.keep, config.layers), evicts: false }, model, { piece }) : restarts ? planFrom({ ...planTokens({ ...method, stages: [], restart: false }, stages[0]!.keep, config.layers), evicts: false }, model, { piece }) : null;
  const flops = (counting: "exact" | "paper") => planFlops(counts, config, { counting, modules: method.scorer === undefined });
  return {
    ...counts,
    // In pieces on the CPU alone: what it is good for, and where it was measured.
    attention: speculation ? again!.attention : planAttention(config, n, { plain, pieces: Math.min(pieces, ...tokens), fewest: cpu ? (again ? n : Math.min(...tokens)) : 0 }),
    again,
    pieces: piece === null ? null : planPieces(config, n, piece, { way, kvDtype, staged: stages.length > 0 }),
    lastTokens: lastTokenWillDo(stages.map(({ afterLayer }) => afterLayer), config, capture) ? (cache ? queriesWanted(cache.at(-1)!.scoring) : 1) : "all",
    capture: capture?.length ? planCapture(config, capture, tokens, captureLimit) : null,
    auxBytes: method.revives ? stages.filter(({ afterLayer }) => afterLayer < config.layers - 1).reduce((sum, { present, keep }) => sum + present - keep, 0) * HIDDEN_BYTES * config.hiddenSize : 0,
    kvBytes: kvLengths.reduce((sum, length) => sum + length, 0) * kvTokenBytes(config, kvDtype),
    flops: { exact: flops("exact"), paper: flops("paper") },
  };
}

/**
 * Floating-point operations of the prefill of a prompt: in both passes where it starts anew, and where it is repeated (but for the few tokens that ask for that); with
 * the products that scoring needs, where they are counted exactly.
 */
export function planFlops(plan: Pick<TokenPlan, "method" | "n" | "stages" | "tokens" | "cache">, config: ModelConfig, { counting, modules = true }: { readonly counting: Counting; readonly modules?: boolean }): number {
  const { method, n, stages, tokens } = plan;
  const scoring = counting === "exact" ? scoringFlops(plan, config) : 0;
  if (method.restart && stages.length > 0) {
    const { afterLayer, keep } = stages[0]!;
    return prefillFlops({ config, stages: [], n, counting, until: afterLayer }) + prefillFlops({ config, stages: [], n: keep, counting }) + scoring;
  }
  // What the other model takes is not known here.
  if (method.speculation) return prefillFlops({ config, stages: [], n: stages[0]!.keep, counting });
  const once = prefillFlops({ config, stages, n, counting, modules }) + scoring;
  return method.cache?.scoring.kind === "reconstruction" ? once + repeatFlops({ config, tokens, n, counting, chunk: method.cache.scoring.chunk }) : once;
}

/** Of a hidden state's element: they are kept as they are computed. */
const HIDDEN_BYTES = 4;

/** What two prompts must have in common to share a graph. */
export function graphKey({ method, attention, stages, evicts, cache, shared, capture, again }: Plan, scorerKey: string | null, { evictsInGraph, finite = false }: { evictsInGraph: boolean; finite?: boolean }): string {
  const blocks = stages.map(({ afterLayer }) => afterLayer).join(",");
  return `${again ? "choose" : "prefill"} ${Object.values(attention).join(" ")} ${blocks} ${scorerKey ?? ""}${evicts && evictsInGraph ? " evict" : ""}${cache && shared !== "heads" ? ` ${shared ?? ""}${cacheKey(cache)}` : ""}${method.revives ? " aux" : ""}${capture ? ` ${capture.key}` : ""}${finite ? " finite" : ""}`;
}

/** Ways of scoring, each once for layers in a row that share it. */
function cacheKey(cache: readonly CacheSelection[]): string {
  const keys = cache.map(({ scoring, safe }) => `${JSON.stringify(scoring)}${safe === null ? "" : " by head"}`);
  return keys.map((key, layer) => (key === keys[layer - 1] ? "" : `cache ${layer}: ${key}`)).filter(Boolean).join(" ");
}

/** The counts that the graph gets as inputs, int64 `[1]` each. */
export function planFeeds({ stages, cache, shared }: Pick<Plan, "stages" | "cache" | "shared">): Record<string, number> {
  const named = (prefix: string, counts: Record<string, number | null>) => Object.entries(counts).flatMap(([name, count]) => (count === null ? [] : [[`${prefix}.${name}`, count] as const]));
  return Object.fromEntries([
    ...stages.flatMap(({ keep, head, tail }, index) => named(`stage.${index}`, { keep, head, tail })),
    ...(shared ? [] : (cache ?? [])).flatMap(({ keep, head, tail, safe }, layer) => named(`cache.${layer}`, { keep, head, tail, safe })),
  ]);
}
