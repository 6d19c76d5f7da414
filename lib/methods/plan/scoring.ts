import type { ModelConfig } from "../../checkpoint/types.js";
import type { Method } from "../method.js";
import { queriesWanted, type CacheSelection } from "./cache.js";
import type { Stage } from "./stages.js";

/** What of a plan scores tokens. */
interface Scoring {
  readonly method: Method;
  readonly stages: readonly Stage[];
  readonly tokens: readonly number[];
  readonly cache: readonly CacheSelection[] | null;
}

/**
 * Floating-point operations of the products that ways of scoring by attention need beside the model's own: of queries with keys, once more than attention computes
 * them. What trained modules need is counted apart, what else scores there are next to nothing.
 */
export function scoringFlops({ method, stages, tokens, cache }: Scoring, { heads, kvHeads, headDim }: ModelConfig): number {
  const byStage = stages.reduce((sum, { present, tail }) => sum + looking(method.scorer, present, tail) * present, 0);
  const byLayer = (cache ?? []).reduce((sum, { scoring }, layer) => {
    // Keys with all keys beside the window's products.
    if (scoring.kind === "redundancy") return sum + tokens[layer]! * (Math.min(tokens[layer]!, scoring.window) + tokens[layer]! * (kvHeads / heads));
    if (scoring.kind !== "window attention" && scoring.kind !== "accumulated attention") return sum;
    const wanted = queriesWanted(scoring);
    return sum + Math.min(tokens[layer]!, wanted === "all" ? Infinity : wanted) * tokens[layer]!;
  }, 0);
  return 2 * heads * headDim * (byStage + byLayer);
}

/** Tokens whose queries a stage's scorer looks at. */
function looking(scorer: Method["scorer"], present: number, tail: number): number {
  const [kind, ...rest] = (scorer ?? "").split(":");
  switch (kind) {
    case "blocks": return looking(rest.slice(1).join(":"), present, tail);
    case "recent": return tail;
    case "last-query":
    case "last-attention": return 1;
    case "attention": return Math.min(32, present);
    case "window": return Math.min(Number(rest[0] ?? 32), present);
    default: return 0;
  }
}
