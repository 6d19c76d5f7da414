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
  /** Cells that are being measured, and, of those done, those with rows that failed. */
  readonly running: number;
  readonly failed: number;
}

/** Keeps count of the work done and of how long it took. */
export class Teller {
  private total = 0;
  private finished = 0;
  private cells = 0;
  private cellsDone = 0;
  private failed = 0;
  private seconds = 0;
  private cost = 0;
  /** Cost that is done of each cell that is being measured, by key. */
  private readonly inFlight = new Map<string, number>();

  constructor(private readonly onProgress: ((progress: SweepProgress) => void) | undefined) {}

  begin(cells: readonly Cell[], known: readonly StoredCell[]): void {
    this.cells = cells.length;
    this.total = cells.reduce((sum, { cost }) => sum + cost, 0);
    for (const cell of known) this.count(cell);
    this.say(this.share(), `${this.cellsDone} of ${this.cells} cells found`);
  }

  start({ key }: Pick<Cell, "key">): void {
    if (!this.inFlight.has(key)) this.inFlight.set(key, 0);
  }

  /** Work of this cost was done on a cell. */
  run({ key }: Pick<Cell, "key">, cost: number, label: string): void {
    this.reach({ key }, (this.inFlight.get(key) ?? 0) + cost, label);
  }

  /** So much of a cell is done. */
  reach({ key }: Pick<Cell, "key">, cost: number, label: string): void {
    this.inFlight.set(key, cost);
    this.say(this.share(), label);
  }

  /** A cell is being measured no more, and is not done. */
  dropped({ key }: Pick<Cell, "key">): void {
    this.inFlight.delete(key);
  }

  done({ key }: Pick<Cell, "key">, stored: StoredCell): void {
    this.inFlight.delete(key);
    this.count(stored);
    this.say(this.share(), stored.label);
  }

  say(share: number, label: string): void {
    const left = this.total - this.finished - this.begun();
    const secondsLeft = this.cost > 0 ? this.estimate(left) / Math.max(1, this.inFlight.size) : null;
    this.onProgress?.({ share, label, secondsLeft, cells: this.cells, cellsDone: this.cellsDone, running: this.inFlight.size, failed: this.failed });
  }

  /** Seconds that work of this cost is expected to take, one after the other; 0 where nothing is known. */
  estimate(cost: number): number {
    return this.cost > 0 ? (cost * this.seconds) / this.cost : 0;
  }

  private count({ cost, seconds, rows }: StoredCell): void {
    this.finished += cost;
    this.cellsDone++;
    // One that failed ended early: its time says nothing.
    if (rows.some(({ error }) => error !== null)) {
      this.failed++;
      return;
    }
    this.cost += cost;
    this.seconds += seconds;
  }

  private begun(): number {
    return [...this.inFlight.values()].reduce((sum, cost) => sum + cost, 0);
  }

  private share(): number {
    return Math.min(1, (this.finished + this.begun()) / this.total);
  }
}

/** What a sweep is at, in words: `3 of 12 cells done, 2 running, 1 failed: keep07, 4096 tokens, repeat 2 of 5`. */
export function sweepLabel({ cells, cellsDone, running, failed, label }: SweepProgress): string {
  return `${cellsDone} of ${cells} cells done${running > 1 ? `, ${running} running` : ""}${failed > 0 ? `, ${failed} failed` : ""}: ${label}`;
}
