import type { Cell } from "./cells.js";
import type { StoredCell } from "./store.js";

export interface SweepProgress {
  /** Share of the whole work that is done, from 0 to 1. */
  readonly share: number;
  /** What was done last. */
  readonly label: string;
  /** Estimate from the cells that were measured; null before the first. */
  readonly secondsLeft: number | null;
  readonly cells: number;
  readonly cellsDone: number;
}

/** Keeps count of the work done and of how long it took. */
export class Teller {
  private total = 0;
  private finished = 0;
  private inFlight = 0;
  private cells = 0;
  private cellsDone = 0;
  private seconds = 0;
  private cost = 0;

  constructor(private readonly onProgress: ((progress: SweepProgress) => void) | undefined) {}

  begin(cells: readonly Cell[], known: readonly StoredCell[]): void {
    this.cells = cells.length;
    this.total = cells.reduce((sum, { cost }) => sum + cost, 0);
    for (const cell of known) this.count(cell);
    this.say(this.share(), `${this.cellsDone} of ${this.cells} cells found`);
  }

  run(cost: number, label: string): void {
    this.inFlight += cost;
    this.say(this.share(), label);
  }

  done(cell: StoredCell): void {
    this.inFlight = 0;
    this.count(cell);
    this.say(this.share(), cell.label);
  }

  say(share: number, label: string): void {
    const left = this.total - this.finished - this.inFlight;
    this.onProgress?.({ share, label, secondsLeft: this.cost > 0 ? this.estimate(left) : null, cells: this.cells, cellsDone: this.cellsDone });
  }

  /** Seconds that work of this cost is expected to take; 0 where nothing is known. */
  estimate(cost: number): number {
    return this.cost > 0 ? (cost * this.seconds) / this.cost : 0;
  }

  private count({ cost, seconds, rows }: StoredCell): void {
    this.finished += cost;
    this.cellsDone++;
    // One that failed ended early: its time says nothing.
    if (rows.some(({ error }) => error !== null)) return;
    this.cost += cost;
    this.seconds += seconds;
  }

  private share(): number {
    return Math.min(1, (this.finished + this.inFlight) / this.total);
  }
}
