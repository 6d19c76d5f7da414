// A plan whose prompt goes through the blocks in pieces: activations are those of a piece, whatever its length. Where a stage stands, the hidden states of all
// tokens wait for it; what it keeps of them goes on, in pieces again.
import { Tensor } from "onnxruntime-node";
import { stateOutput } from "../../decoder/piece.js";
import type { StateName } from "../../decoder/stage.js";
import type { RotaryTables } from "../../decoder/rotary.js";
import type { Plan } from "../../methods/plan/plan.js";
import type { Scorer } from "../../methods/scorer.js";
import { overflowAdvice } from "../compute-dtype.js";
import { allFinite } from "../finite.js";
import type { PieceableCache } from "../home.js";
import type { LoadedGraph } from "../loaded-graph.js";
import type { ComputeOptions, PrefillContext, Prefilled } from "../prefill.js";
import { allPositions, presentPositions } from "../present.js";
import { rotaryFeeds } from "../rotary-feeds.js";
import { int64 } from "../int64.js";
import { graphsOf, segmentsOf, withGraphs, type Segment } from "./segments.js";
import { choiceOf, keepRows, stateWidth } from "./stage.js";

type Rows = ReturnType<RotaryTables["rows"]>;

interface Way extends Pick<ComputeOptions, "reserve" | "signal" | "onProgress"> {
  /** Of each of the prompt's tokens. */
  readonly rotaries: Rows;
  /** Tokens to make room for, by layer. */
  readonly capacities: readonly number[];
  /** Positions that the cache is to know the tokens by; null: their places. */
  readonly known: Int32Array | null;
  readonly upToStage: boolean;
}

interface Gone {
  readonly kept: readonly Int32Array[];
  readonly scores: readonly Float32Array[];
  readonly logits: Float32Array | null;
}

/** Loads what a plan in pieces needs. @param beside as of `warm` */
export async function warmPieces(context: PrefillContext, plan: Plan, scorer: Scorer | null, beside: () => Promise<void>): Promise<void> {
  const graphs = graphsOf(segmentsOf(context, plan, scorer, plan.again !== null));
  await context.room.make(graphs[0]!.key, plan, 0);
  await beside();
  for (const graph of graphs) await context.graphs.load(graph);
}

/** As `compute`, in the pieces of the plan. */
export async function computeInPieces(context: PrefillContext, ids: readonly number[], plan: Plan, scorer: Scorer | null, options: ComputeOptions): Promise<Prefilled> {
  const { reserve, grows, length = ids.length, known, restored = false } = options;
  const { config } = context.diagnosed.checkpoint;
  const more = grows ? 0 : reserve;
  const rotaries = restored ? context.rotaries.rows(known!, length) : context.rotaries.prompt(ids.length, length);
  const { cache, kept, scores, logits, seconds } = await through(context, ids, plan, scorer, { ...options, rotaries, capacities: plan.tokens.map((count) => count + more), known: known ?? null, upToStage: false });
  const started = performance.now();
  const positions = presentPositions(plan.stages, kept, ids.length, config.layers);
  const left = plan.evicts ? kept.at(-1)! : null;
  const kv = left && cache.lengths.some((held) => held > left.length) ? await cache.keeping(positions.map(() => left), more) : cache;
  if (kv !== cache) cache.dispose();
  return { results: {}, kept, scores, positions, selections: null, kv, aux: null, logits: logits!, prefillSeconds: seconds + (performance.now() - started) / 1e3 };
}

/** As `choose`, in the pieces of the plan. */
export async function chooseInPieces(context: PrefillContext, ids: readonly number[], plan: Plan, scorer: Scorer, options: Pick<ComputeOptions, "reserve" | "signal" | "onProgress">): Promise<{ kept: Int32Array; scores: Float32Array; seconds: number }> {
  const capacities = plan.tokens.map((_, layer) => (layer <= plan.stages[0]!.afterLayer ? ids.length : 0));
  const { cache, kept, scores, seconds } = await through(context, ids, plan, scorer, { ...options, rotaries: context.rotaries.prompt(ids.length), capacities, known: null, upToStage: true });
  cache.dispose();
  return { kept: kept[0]!, scores: scores[0]!, seconds };
}

async function through(context: PrefillContext, ids: readonly number[], plan: Plan, scorer: Scorer | null, way: Way): Promise<Gone & { readonly cache: PieceableCache; readonly seconds: number }> {
  const { home, room, diagnosed } = context;
  const segments = segmentsOf(context, plan, scorer, way.upToStage);
  const graphs = graphsOf(segments);
  await room.make(graphs[0]!.key, plan, way.reserve);
  return withGraphs(context, graphs, async (loaded) => {
    const started = performance.now();
    const cache = home.inPieces!.empty(diagnosed.checkpoint.config, way.capacities);
    try {
      const gone = await walk(context, ids, plan, segments, cache, loaded, way);
      return { cache, ...gone, seconds: (performance.now() - started) / 1e3 };
    } catch (error) {
      cache.dispose();
      throw error;
    }
  }).catch((error: unknown) => {
    throw room.explain(error, ids.length, { method: plan.method, reserve: way.reserve, piece: plan.pieces!.tokens });
  });
}

async function walk({ diagnosed }: PrefillContext, ids: readonly number[], plan: Plan, segments: readonly Segment[], cache: PieceableCache, loaded: ReadonlyMap<string, LoadedGraph>, { rotaries, known, signal, onProgress }: Way): Promise<Gone> {
  const { checkpoint: { config }, accuracy } = diagnosed;
  const piece = plan.pieces!.tokens;
  const [kept, scores]: [Int32Array[], Float32Array[]] = [[], []];
  let present = allPositions(ids.length);
  let [hidden, carried, logits]: [Float32Array | null, Float32Array | null, Float32Array | null] = [null, null, null];
  // A segment's share of the work is that of its blocks' tokens.
  const shares = segments.map(({ from, to }) => (to - from + 1) * (plan.again ? ids.length : plan.tokens[from]!));
  const all = shares.reduce((sum, share) => sum + share, 0);
  let before = 0;
  for (const [index, segment] of segments.entries()) {
    const { graph, from, to, stage } = segment;
    // Hidden states take the places of those that the segment was given: they are behind it.
    const states = new Map<StateName, Float32Array>((stage?.needs.states ?? []).map((name) => [name, name === "hidden" && hidden ? hidden : new Float32Array(present.length * stateWidth(config, name))]));
    const part = cache.part(from, to);
    for (let at = 0; at < present.length; at += piece) {
      signal?.throwIfAborted();
      const places = present.subarray(at, at + piece);
      const feeds: Record<string, Tensor> = {
        ...(from === 0 ? { ids: int64(Array.from(places, (place) => ids[place]!), [1, places.length]) } : { hidden: new Tensor("float32", hidden!.subarray(at * config.hiddenSize, (at + places.length) * config.hiddenSize), [1, places.length, config.hiddenSize]) }),
        positions: int64(places),
        ...rotaryFeeds(rowsAt(rotaries, places)),
      };
      const results = await part.step(loaded.get(graph.key)!, feeds, config, Array.from(places, (place) => (known ? known[place]! : place)), signal);
      for (const [name, rows] of states) rows.set(results[stateOutput(name)]!.data as Float32Array, at * stateWidth(config, name));
      logits = (results["logits"]?.data as Float32Array | undefined) ?? null;
      onProgress?.((before + (shares[index]! * Math.min(at + piece, present.length)) / present.length) / all);
    }
    before += shares[index]!;
    if (logits && !allFinite(logits)) throw new Error(`logits: ${logits.find((value) => !Number.isFinite(value))} (${overflowAdvice(accuracy) ?? "of a prompt in pieces; one that is taken as a whole tells in which block numbers went wrong"})`);
    if (!stage) continue;
    const choice = await choiceOf(loaded.get(stage.graph.key)!, config, plan, segment, { present, states, cache: part, carried }, signal);
    scores.push(choice.scores);
    carried = Float32Array.from(choice.rows, (row) => choice.scores[row]!);
    present = Int32Array.from(choice.rows, (row) => present[row]!);
    kept.push(present);
    hidden = states.get("hidden") ?? null;
    if (hidden) keepRows(hidden, choice.rows, config.hiddenSize);
  }
  return { kept, scores, logits };
}

/** Rotary rows of some of the tokens. */
function rowsAt(rotaries: Rows, places: Int32Array): Rows {
  return new Map([...rotaries].map(([name, { data, shape: [, width] }]) => {
    const rows = new Float32Array(places.length * width);
    places.forEach((place, i) => rows.set(data.subarray(place * width, (place + 1) * width), i * width));
    return [name, { data: rows, shape: [places.length, width] as const }];
  }));
}
