import type { Checkpoint } from "../checkpoint/types.js";
import type { Method } from "../methods/method.js";
import { planOf, type Plan, type PlannedModel } from "../methods/plan/plan.js";
import type { Graphs } from "./graphs.js";
import type { DeviceMemory } from "./home.js";
import { isOutOfMemory, memoryError, memoryLimit, memoryPlan, type MemoryPlan } from "./memory.js";

/** What memory is needed for: a plan's method at any length, and room for so many tokens after the prompt. */
export interface Wanted {
  readonly method: Method;
  readonly reserve: number;
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

  /** @param graphs that are loaded */
  plan(n: number, graphs: number, { method, reserve }: Wanted): MemoryPlan {
    const all = planOf(method, n, this.planned);
    // Where another model chooses, this one never sees the other tokens.
    const plan = method.speculation ? all.again! : all;
    if (this.device) return this.device.plan(this.checkpoint, plan, { reserve, graphs });
    return memoryPlan(this.checkpoint, plan, { reserve, graphs, oneCopy: this.oneCopy(), kvDtype: this.planned.kvDtype });
  }

  /** @throws where the plan does not fit by itself, with what it takes and the longest prompt that would */
  make(key: string, { n, method }: Pick<Plan, "n" | "method">, reserve: number): Promise<void> {
    return this.graphs.makeRoom(key, n, this.limit, (length, graphs) => this.plan(length, graphs, { method, reserve }));
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
