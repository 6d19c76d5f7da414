import type { Checkpoint } from "../checkpoint/types.js";
import type { Method } from "../methods/method.js";
import { planOf, type Plan, type PlannedModel, type PlanSettings } from "../methods/plan/plan.js";
import { PIECE_TOKENS, wholeOnly } from "../methods/plan/pieces-plan.js";
import type { Graphs } from "./graphs.js";
import type { DeviceMemory } from "./home.js";
import { isOutOfMemory, memoryError, memoryLimit, memoryPlan, type MemoryPlan } from "./memory.js";

/** What memory is needed for: a plan's method at any length, and room for so many tokens after the prompt. */
export interface Wanted {
  readonly method: Method;
  readonly reserve: number;
  /** See `PrefillSettings`. */
  readonly piece?: number | "whole" | undefined;
}

/** Sees to it that a prompt fits into memory before anything is spent. */
export class Room {
  constructor(
    private readonly checkpoint: Checkpoint,
    private readonly planned: PlannedModel,
    private readonly graphs: Graphs,
    private readonly given: number | undefined,
    private readonly oneCopy: () => boolean,
    private readonly device: DeviceMemory | null,
  ) {}

  /** What a prompt takes, as a whole or in pieces, whichever it would be. @param graphs that are loaded */
  plan(n: number, graphs: number, { method, reserve, piece }: Wanted): MemoryPlan {
    return this.taken(planOf(method, n, this.planned, { piece: this.pieceOf(n, method, { piece, reserve }) }), graphs, reserve);
  }

  /**
   * In pieces of how many tokens a prompt is to be taken: as asked; else in such of `PIECE_TOKENS` where it can be, and does not fit as a whole. Null: as a whole.
   * @param settings the plan's others
   */
  pieceOf(n: number, method: Method, { piece, reserve = 0, ...settings }: { readonly piece?: number | "whole" | undefined; readonly reserve?: number } & Omit<PlanSettings, "piece">): number | null {
    if (piece === "whole") return null;
    if (piece !== undefined) return piece;
    // Of few tokens most of what is taken is not theirs.
    if (this.planned.way == null || n < 2 * PIECE_TOKENS) return null;
    const whole = planOf(method, n, this.planned, settings);
    if (wholeOnly(whole, this.planned.way, whole.capture !== null) !== null) return null;
    return this.taken(whole, 2, reserve).total > this.limit ? PIECE_TOKENS : null;
  }

  private taken(all: Plan, graphs: number, reserve: number): MemoryPlan {
    // Where another model chooses, this one never sees the other tokens.
    const plan = all.method.speculation ? all.again! : all;
    if (this.device) return this.device.plan(this.checkpoint, plan, { reserve, graphs });
    return memoryPlan(this.checkpoint, plan, { reserve, graphs, oneCopy: this.oneCopy(), kvDtype: this.planned.kvDtype });
  }

  /** @throws where the plan does not fit by itself, with what it takes and the longest prompt that would */
  make(key: string, { n, method, pieces }: Pick<Plan, "n" | "method" | "pieces">, reserve: number): Promise<void> {
    const piece = pieces?.tokens ?? "whole";
    return this.graphs.makeRoom(key, n, this.limit, (length, graphs) => this.plan(length, graphs, { method, reserve, piece }));
  }

  /** An error that says that memory ran out gets the plan's numbers; others stay as they are. */
  explain(error: unknown, n: number, wanted: Wanted): unknown {
    if (!isOutOfMemory(error)) return error;
    const graphs = Math.max(2, this.graphs.keys.length);
    return memoryError(n, (length) => this.plan(length, graphs, wanted), this.limit, error);
  }

  private get limit(): number {
    // How much a GPU has, ONNX Runtime does not say: some drivers do.
    return this.given ?? this.device?.limit ?? (this.planned.cpu ? memoryLimit() : Infinity);
  }
}
