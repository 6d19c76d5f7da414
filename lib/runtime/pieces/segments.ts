import { pieceGraph, type BlockRange } from "../../decoder/piece.js";
import { stageGraph, stageNeeds, type StageNeeds, type StateName } from "../../decoder/stage.js";
import type { Plan } from "../../methods/plan/plan.js";
import type { Scorer } from "../../methods/scorer.js";
import type { GraphToLoad } from "../home.js";
import type { LoadedGraph } from "../loaded-graph.js";
import { partOf } from "../graph-parts.js";
import type { PrefillContext } from "../prefill.js";

/** Blocks in a row that see the same tokens, and the stage after them. Each block's weights are in one of these graphs. */
export interface Segment extends BlockRange {
  readonly graph: GraphToLoad;
  readonly stage: SegmentStage | null;
}

export interface SegmentStage {
  readonly index: number;
  readonly needs: StageNeeds;
  readonly graph: GraphToLoad;
}

/** The way of a plan in pieces. @param upToStage only the blocks before the first stage, and that */
export function segmentsOf({ diagnosed }: Pick<PrefillContext, "diagnosed">, { pieces, stages }: Pick<Plan, "pieces" | "stages">, scorer: Scorer | null, upToStage: boolean): Segment[] {
  const { config } = diagnosed.checkpoint;
  const { inPlace, tiled } = pieces!;
  const last = config.layers - 1;
  const unit = `pieces ${inPlace} ${tiled} ${stages.map(({ afterLayer }) => afterLayer).join(",")} ${scorer?.key ?? ""}`;
  const segment = (range: BlockRange, index: number | null): Segment => {
    const { from, to } = range;
    // After the last block a token's saliency is zero by construction: the scores of the stage before go on.
    const options = index === null ? null : { stage: index, afterLayer: to, scorer: to === last && index > 0 ? null : scorer };
    const needs: StageNeeds = options?.scorer ? stageNeeds(config, options) : { states: [], keys: false };
    // What a stage keeps goes on from its hidden states, whatever was looked at.
    const states: StateName[] = index !== null && to < last && !needs.states.includes("hidden") ? ["hidden", ...needs.states] : [...needs.states];
    return {
      ...range,
      graph: { key: partOf(unit, `blocks ${from} ${to} ${states.join(" ")}`), prompt: true, build: (g, weights) => pieceGraph(g, weights, config, { ...range, inPlace, tiled, states, kvDtype: diagnosed.kvDtype }) },
      stage: options && { index: index!, needs: { ...needs, states }, graph: { key: partOf(unit, `stage ${index}`), build: (g, weights) => void stageGraph(g, weights, config, options) } },
    };
  };
  const segments = stages.map(({ afterLayer }, index) => segment({ from: index === 0 ? 0 : stages[index - 1]!.afterLayer + 1, to: afterLayer }, index));
  if (upToStage) return segments.slice(0, 1);
  const from = (stages.at(-1)?.afterLayer ?? -1) + 1;
  return from <= last ? [...segments, segment({ from, to: last }, null)] : segments;
}

/** All graphs of a way. */
export const graphsOf = (segments: readonly Segment[]): GraphToLoad[] => segments.flatMap(({ graph, stage }) => (stage ? [graph, stage.graph] : [graph]));

/** Works with several graphs, none of which is released meanwhile. */
export async function withGraphs<T>({ graphs }: Pick<PrefillContext, "graphs">, [first, ...rest]: readonly GraphToLoad[], work: (loaded: ReadonlyMap<string, LoadedGraph>) => Promise<T>, loaded = new Map<string, LoadedGraph>()): Promise<T> {
  if (!first) return work(loaded);
  return graphs.use(first, false, (graph) => withGraphs({ graphs }, rest, work, loaded.set(first.key, graph)));
}
