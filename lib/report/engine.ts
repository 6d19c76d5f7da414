import type { EngineResult } from "../bench/engine/engine.js";
import { dtypeLabel, lengthLabel } from "./label.js";
import type { Table } from "./table.js";

/** One figure of `sdtp bench engine` and what is aimed at. */
export interface EngineRow {
  readonly figure: string;
  readonly value: string;
  readonly target: string;
  readonly met: boolean;
  readonly how: string;
}

const percent = (share: number) => `${(100 * share).toFixed(1)} %`;

/** The targets hold for `engineModel` with two threads of its own; elsewhere they are a yardstick. */
export function engineTable(result: EngineResult): Table<EngineRow> {
  const [n, memoryN] = [lengthLabel(result.length), lengthLabel(result.memory_length)];
  const overhead = (name: "keep07" | "sdtp", target: number): EngineRow => {
    const { share, interval } = result.overhead[name];
    return { figure: `pruning with r = 1, ${name}, at ${n}`, value: percent(share), target: `below ${percent(target)}`, met: share < target, how: `95 % interval ${percent(interval.low)} to ${percent(interval.high)}` };
  };
  const rows: EngineRow[] = [
    { figure: `prefill at ${n}`, value: `${result.prefill_gflops_per_second.toFixed(0)} GFLOP/s`, target: "200 or more", met: result.prefill_gflops_per_second >= 200, how: `${(result.prefill_flops / 1e9).toFixed(0)} GFLOP in ${result.prefill_seconds.toFixed(3)} s; a matrix product alone: ${result.matrix_gflops_per_second.toFixed(0)} GFLOP/s` },
    { figure: `decode at ${n} / one read`, value: `${result.decode_ratio.toFixed(2)} x`, target: "2 or less", met: result.decode_ratio <= 2, how: `${(result.decode_seconds * 1e3).toFixed(1)} ms for ${(result.decode_bytes / 1e6).toFixed(0)} MB, read once in ${(result.decode_read_seconds * 1e3).toFixed(1)} ms at ${(result.bandwidth_bytes_per_second / 1e9).toFixed(1)} GB/s` },
    { figure: `peak memory at ${memoryN}`, value: `${(result.peak_memory_bytes / 1e9).toFixed(2)} GB`, target: "below 2 GB", met: result.peak_memory_bytes < 2e9, how: "largest resident size of a process that did this alone" },
    overhead("keep07", 0.02),
    overhead("sdtp", 0.05),
  ];
  return {
    title: "Engine",
    columns: [
      { key: "figure", label: "Figure", value: (row) => row.figure },
      { key: "value", label: "Value", value: (row) => row.value },
      { key: "target", label: "Target", value: (row) => row.target },
      { key: "met", label: "Met", value: (row) => (row.met ? "yes" : "no") },
      { key: "how", label: "Of", value: (row) => row.how },
    ],
    rows,
    above: [`Model ${result.model}, device ${result.device}, dtype ${dtypeLabel(result)}, threads ${result.threads}, medians of ${result.repeats} runs.${result.synthetic_weights ? " Synthetic weights." : ""}`],
    warnings: [],
    facts: () => ({}),
  };
}
