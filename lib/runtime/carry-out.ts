// A plan is carried out as a whole, or in pieces where it says so.
import type { Plan } from "../methods/plan/plan.js";
import type { Scorer } from "../methods/scorer.js";
import { chooseWhole, computeWhole, planGraph, type ComputeOptions, type PrefillContext, type Prefilled } from "./prefill.js";

const inPieces = () => import("./pieces/compute.js");

/** The prompt through the model, and the compaction of its cache. */
export async function compute(context: PrefillContext, ids: readonly number[], plan: Plan, scorer: Scorer | null, options: ComputeOptions): Promise<Prefilled> {
  return plan.pieces ? (await inPieces()).computeInPieces(context, ids, plan, scorer, options) : computeWhole(context, ids, plan, scorer, options);
}

/** The tokens that a plan's first pass keeps, where the prompt is to start anew on them. */
export async function choose(context: PrefillContext, ids: readonly number[], plan: Plan, scorer: Scorer, options: Pick<ComputeOptions, "reserve" | "signal" | "onProgress">): ReturnType<typeof chooseWhole> {
  return plan.pieces ? (await inPieces()).chooseInPieces(context, ids, plan, scorer, options) : chooseWhole(context, ids, plan, scorer, options);
}

/** Loads the graphs of a plan. @param beside begins what is loaded beside them, once there is room */
export async function warm(context: PrefillContext, plan: Plan, scorer: Scorer | null, beside = async () => {}): Promise<void> {
  if (plan.pieces) return (await inPieces()).warmPieces(context, plan, scorer, beside);
  const graph = planGraph(context, plan, scorer);
  await context.room.make(graph.key, plan, 0);
  await beside();
  await context.graphs.load(graph);
}
