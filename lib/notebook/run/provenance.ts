import { cpus, totalmem } from "node:os";
import { environment, gitCommit } from "../../bench/environment.js";
import type { JsonObject, KernelInfoReply } from "../../jupyter/index.js";
import { recorded, type Values } from "../parameters/parameter.js";
import type { Cell, Notebook } from "../types.js";

/** What papermill records of a cell, under its key. */
export interface CellRecord {
  start_time: string | null;
  end_time: string | null;
  /** Seconds. */
  duration: number | null;
  /** Whether the cell stopped the run; null: not run. */
  exception: boolean | null;
  status: "pending" | "running" | "completed" | "failed";
}

export const PENDING: CellRecord = { start_time: null, end_time: null, duration: null, exception: null, status: "pending" };

/** How a run ended. */
export type RunStatus = "running" | "completed" | "failed" | "died" | "timeout" | "interrupted";

export function recordCell(cell: Cell, record: CellRecord): void {
  cell.metadata.papermill = { ...record };
}

export function cellRecord(cell: Cell): Partial<CellRecord> {
  return (cell.metadata.papermill ?? {}) as Partial<CellRecord>;
}

/** What a run is told of in the notebook's metadata: `papermill` as papermill has it, the rest under `sdtp`. */
export interface RunRecord {
  input: string;
  output: string;
  values: Values;
  start: Date;
  /** Folder of the notebook, for its git commit. */
  folder: string;
  kernel: { name: string; info: KernelInfoReply };
}

export function recordRun(notebook: Notebook, { input, output, values, start, folder, kernel }: RunRecord): void {
  const { versions, platform } = environment();
  notebook.metadata.papermill = {
    default_parameters: {},
    environment_variables: {},
    ...(notebook.metadata.papermill as JsonObject | undefined),
    input_path: input,
    output_path: output,
    parameters: recorded(values),
    start_time: start.toISOString(),
    end_time: null,
    duration: null,
    exception: null,
  };
  notebook.metadata.sdtp = {
    ...(notebook.metadata.sdtp as JsonObject | undefined),
    run: {
      status: "running" satisfies RunStatus,
      versions,
      kernel: { name: kernel.name, implementation: kernel.info.implementation, version: kernel.info.implementation_version },
      git_commit: gitCommit(folder),
      machine: { platform, cpu: cpus()[0]?.model.trim() ?? "unknown", cores: cpus().length, memory_bytes: totalmem() },
    },
  };
}

export function recordEnd(notebook: Notebook, status: RunStatus, end: Date): void {
  const papermill = notebook.metadata.papermill as JsonObject;
  papermill.end_time = end.toISOString();
  papermill.duration = (end.getTime() - Date.parse(String(papermill.start_time))) / 1e3;
  papermill.exception = status === "completed" ? null : true;
  const { run } = notebook.metadata.sdtp as { run: JsonObject };
  run.status = status;
}
