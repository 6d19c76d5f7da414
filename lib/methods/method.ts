import { checkedAmount, isPositiveInteger, type Amount } from "./amount.js";
import { checkedBudget, checkedDecoding, type CacheBudget, type DecodingBudget } from "./cache/budget.js";

/** What the cache keeps of pruned tokens after prefill: see `Method.kvPolicy`. */
export type KvPolicy = "evict" | "retain";

/** One place where tokens leave the hidden states, stated for a model of `baseDepth` blocks. */
export type MethodStage = Amount & {
  /** The stage stands after this block, counted from 0; -1: before the first (with `speculation`). */
  readonly afterBlock: number;
};

/** How a smaller model of the same tokenizer chooses (SpecPrefill, arXiv:2502.02789). */
export interface Speculation {
  /** Tokens that look at the prompt: its last one, and those that the small model adds. */
  readonly lookahead: number;
  /** What they look at is the mean over so many neighbours. */
  readonly kernel: number;
  /** So many tokens in a row stay or fall together; an amount of a stage is one of such chunks, rounded up. */
  readonly chunk: number;
}

/** Tokens that no stage drops, whatever their scores. */
export interface ForcedTokens {
  /** So many at the start. */
  readonly head: number;
  /** At the end so many at least, or this share of those present. */
  readonly tail: number;
  readonly tailShare: number;
  /** `prompt`: at the end so many and this share of the prompt's tokens, at every stage the same. Default: `present`. */
  readonly tailOf?: "present" | "prompt";
  /** A stage's share is one of the tokens before that tail, which stays beside it. Default: of all present, the tail among them. */
  readonly apart?: boolean;
  /** A stage that would leave no more of the tokens before the tail than these drops nothing. Default 0. */
  readonly fewest?: number;
}

/**
 * What is pruned, independent of prompt length and model depth: pure data. With a prompt's length and a model it becomes a plan (see `planOf`).
 * What is absent does not happen.
 */
export interface Method {
  /** Name in commands, tables and file names. */
  readonly name: string;
  /** Where tokens leave the hidden states, in ascending order of `afterBlock`; none: all blocks see all tokens. */
  readonly stages: readonly MethodStage[];
  /** Number of blocks the stages are stated for; other depths are scaled (see `stagePositions`). */
  readonly baseDepth: number;
  /** `evict`: what was pruned at the end leaves every layer's cache; `retain`: each layer keeps what it computed. */
  readonly kvPolicy: KvPolicy;
  /** The scorer that belongs to it; absent: the model's best. */
  readonly scorer?: string;
  /** Default: see `FORCED`. */
  readonly forced?: ForcedTokens;
  /** The prompt starts anew, from the first block and at positions from 0 on, with the tokens that its one stage kept; the blocks after the stage never see the others. */
  readonly restart?: boolean;
  /** Its one stage stands before the first block, where another model chooses (the scorer `speculator:MODEL`); the last chunk always stays. */
  readonly speculation?: Speculation;
  /**
   * What fell may return while decoding: each further token chooses at every stage anew, among all tokens so far, and those that a block has not computed are computed
   * from the hidden state that they fell with.
   */
  readonly revives?: boolean;
  /** What each layer's cache keeps once the prompt is through; absent: all that the layer computed. */
  readonly cache?: CacheBudget;
  /** What it keeps while decoding; only beside a budget after the prompt. */
  readonly decoding?: DecodingBudget;
}

/** A method as a user writes it. `name` defaults to "custom", `kvPolicy` to evict for one stage and retain for more. */
export type UserMethod = Omit<Method, "name" | "kvPolicy"> & Partial<Pick<Method, "name" | "kvPolicy">>;

/** The forced tokens of SDTP's Python implementation (arXiv:2504.04514). */
export const FORCED: ForcedTokens = { head: 4, tail: 16, tailShare: 0.1 };

/** The scorer of methods whose tokens return: decoding steps choose by what it tells of a prompt's last token. */
export const REVIVING = "last-attention";

/** `evict` costs nothing after a single early stage and much after many: early blocks need tokens that late ones can do without. */
export const defaultKvPolicy = (stages: number): KvPolicy => (stages > 1 ? "retain" : "evict");

/** A method as records write it, its name apart. */
export interface MethodRecord {
  base_depth: number;
  stages: { after_block: number; ratio?: number | undefined; tokens?: number | undefined }[];
  restart?: boolean | undefined;
  speculation?: Record<string, unknown> | undefined;
  revives?: boolean | undefined;
  cache?: Record<string, unknown> | undefined;
  decoding?: Record<string, unknown> | undefined;
}

export function methodRecord({ baseDepth, stages, restart, speculation, revives, cache, decoding }: Method): MethodRecord {
  return { base_depth: baseDepth, ...(restart && { restart }), ...(speculation && { speculation: { ...speculation } }), ...(revives && { revives }), ...(cache && { cache: { ...cache } }), ...(decoding && { decoding: { ...decoding } }), stages: stages.map(({ afterBlock, ratio, tokens }) => ({ after_block: afterBlock, ...(ratio !== undefined ? { ratio } : { tokens: tokens! }) })) };
}

/**
 * A method made whole and checked.
 * @throws on a field that is missing, unknown or out of range, and on stages out of order
 */
export function checkedMethod(given: UserMethod): Method {
  if (typeof given !== "object" || given === null) throw new Error(`preset: ${String(given)} (must be a name or an object)`);
  const name = given.name ?? "custom";
  if (typeof name !== "string" || !/^[A-Za-z0-9][A-Za-z0-9._+-]*$/.test(name)) {
    throw new Error(`preset name: ${JSON.stringify(name)} (must be letters, digits, ".", "_", "+" and "-": it becomes part of file names)`);
  }
  const label = `preset ${name}`;
  const unknown = Object.keys(given).find((key) => !fields.has(key));
  if (unknown !== undefined) throw new Error(`${label}: ${unknown} (is no part of a method; there are ${[...fields].join(", ")})`);
  const { baseDepth, scorer, forced, cache, restart, decoding, speculation, revives } = given;
  if (!isPositiveInteger(baseDepth)) throw new Error(`${label}, baseDepth: ${String(baseDepth)} (must be a positive integer, the number of blocks the stages are stated for)`);
  if (!Array.isArray(given.stages)) throw new Error(`${label}, stages: ${JSON.stringify(given.stages)} (must be an array of { afterBlock, ratio } or { afterBlock, tokens })`);
  const stages = given.stages.map((stage: unknown, index) => checkedStage(stage, `${label}, stage ${index}`, baseDepth, speculation !== undefined));
  stages.forEach((stage, index) => {
    const before = stages[index - 1];
    if (before && before.afterBlock >= stage.afterBlock) {
      throw new Error(`${label}, stage ${index}, afterBlock: ${stage.afterBlock} (must come after the stage before it, after block ${before.afterBlock})`);
    }
  });
  const kvPolicy = given.kvPolicy ?? (cache === undefined ? defaultKvPolicy(stages.length) : "retain");
  if (kvPolicy !== "evict" && kvPolicy !== "retain") throw new Error(`${label}, kvPolicy: ${String(kvPolicy)} (must be "evict" or "retain")`);
  if (decoding !== undefined && (cache === undefined || cache.heads !== undefined || cache.layers?.preference !== undefined)) throw new Error(`${label}, decoding: a budget while decoding (needs one after the prompt, the same for all heads)`);
  if (restart !== undefined && typeof restart !== "boolean") throw new Error(`${label}, restart: ${String(restart)} (must be true or false)`);
  if (speculation !== undefined && (stages.length !== 1 || cache !== undefined || restart || scorer !== undefined || forced !== undefined)) throw new Error(`${label}, speculation: another model chooses (needs exactly one stage, no scorer, forced tokens, restart or cache budget)`);
  if (restart && (stages.length !== 1 || cache !== undefined || kvPolicy !== "evict")) throw new Error(`${label}, restart: true (needs exactly one stage, no cache budget, and kvPolicy "evict")`);
  if (revives !== undefined && typeof revives !== "boolean") throw new Error(`${label}, revives: ${String(revives)} (must be true or false)`);
  if (revives && (stages.length === 0 || cache !== undefined || restart || speculation !== undefined || kvPolicy !== "retain" || scorer !== REVIVING || (forced as Partial<ForcedTokens> | undefined)?.tail === 0)) throw new Error(`${label}, revives: true (needs stages, kvPolicy "retain", the scorer ${REVIVING} and a forced tail of 1 or more, and no cache budget, restart or speculation)`);
  if (cache !== undefined && kvPolicy === "evict" && stages.length > 0) throw new Error(`${label}, kvPolicy: evict (each layer's cache has a budget of its own: must be "retain")`);
  if (scorer !== undefined && typeof scorer !== "string") throw new Error(`${label}, scorer: ${String(scorer)} (must be a scorer's name)`);
  return freeze({ name, stages, baseDepth, kvPolicy, ...(scorer !== undefined && { scorer }), ...(forced !== undefined && { forced: checkedForced(forced, label) }), ...(restart && { restart }), ...(speculation !== undefined && { speculation: checkedSpeculation(speculation, label) }), ...(revives && { revives }), ...(cache !== undefined && { cache: checkedBudget(cache, label) }), ...(decoding !== undefined && { decoding: checkedDecoding(decoding, label) }) });
}

const fields: ReadonlySet<string> = new Set(["name", "stages", "baseDepth", "kvPolicy", "scorer", "forced", "restart", "speculation", "revives", "cache", "decoding"] satisfies (keyof Method)[]);

function checkedStage(stage: unknown, label: string, baseDepth: number, before: boolean): MethodStage {
  if (typeof stage !== "object" || stage === null) throw new Error(`${label}: ${String(stage)} (must be { afterBlock, ratio } or { afterBlock, tokens })`);
  const { afterBlock, ...amount } = stage as Record<string, unknown>;
  if (before && afterBlock !== -1) throw new Error(`${label}, afterBlock: ${String(afterBlock)} (must be -1, before the first block: another model chooses)`);
  if (before) return { afterBlock: -1, ...checkedAmount(amount, label) };
  if (typeof afterBlock !== "number" || !Number.isInteger(afterBlock) || afterBlock < 0 || afterBlock >= baseDepth) {
    throw new Error(`${label}, afterBlock: ${String(afterBlock)} (must be an integer from 0 to ${baseDepth - 1})`);
  }
  return { afterBlock, ...checkedAmount(amount, label) };
}

function checkedSpeculation(speculation: unknown, label: string): Speculation {
  const { lookahead, kernel, chunk, ...rest } = (speculation ?? {}) as Record<string, unknown>;
  const unknown = Object.keys(rest)[0];
  if (unknown !== undefined) throw new Error(`${label}, speculation: ${unknown} (there are lookahead, kernel, chunk)`);
  for (const [key, value] of Object.entries({ lookahead, kernel, chunk })) if (!isPositiveInteger(value)) throw new Error(`${label}, speculation.${key}: ${String(value)} (must be a positive integer)`);
  if ((kernel as number) % 2 === 0) throw new Error(`${label}, speculation.kernel: ${String(kernel)} (must be odd: as many neighbours on both sides)`);
  return { lookahead: lookahead as number, kernel: kernel as number, chunk: chunk as number };
}

function checkedForced(forced: unknown, label: string): ForcedTokens {
  const { head, tail, tailShare, tailOf, apart, fewest, ...rest } = (forced ?? {}) as Record<string, unknown>;
  const unknown = Object.keys(rest)[0];
  if (unknown !== undefined) throw new Error(`${label}, forced: ${unknown} (there are head, tail, tailShare, tailOf, apart, fewest)`);
  for (const [key, value] of Object.entries({ head, tail, fewest: fewest ?? 0 })) {
    if (typeof value !== "number" || !Number.isSafeInteger(value) || value < 0) throw new Error(`${label}, forced.${key}: ${String(value)} (must be an integer, 0 or more)`);
  }
  if (typeof tailShare !== "number" || !(tailShare >= 0 && tailShare <= 1)) throw new Error(`${label}, forced.tailShare: ${String(tailShare)} (must be from 0 to 1)`);
  if (tailOf !== undefined && tailOf !== "present" && tailOf !== "prompt") throw new Error(`${label}, forced.tailOf: ${String(tailOf)} (must be present or prompt)`);
  if (apart !== undefined && typeof apart !== "boolean") throw new Error(`${label}, forced.apart: ${String(apart)} (must be true or false)`);
  return { head: head as number, tail: tail as number, tailShare, ...(tailOf && { tailOf }), ...(apart && { apart }), ...(fewest !== undefined && { fewest: fewest as number }) };
}

/** So that no one changes a shipped method by accident. */
function freeze<T>(value: T): T {
  if (typeof value === "object" && value !== null && !Object.isFrozen(value)) Object.values(Object.freeze(value)).forEach(freeze);
  return value;
}
