import type { KernelBenchResult } from "../bench/kernel/bench.js";
import type { KernelRound } from "../bench/kernel/measure.js";
import { median } from "../bench/statistics.js";
import type { Table } from "./table.js";

/** A figure and what each kernel reached. */
export interface KernelBenchRow {
  readonly figure: string;
  readonly goal: string;
  /** By kernel; "-" where it was not measured. */
  readonly values: Readonly<Record<string, string>>;
}

type Pick = (round: KernelRound) => readonly number[];

const seconds = (value: number) => `${value.toFixed(2)} s`;
const milliseconds = (value: number) => `${(value * 1000).toFixed(1)} ms`;

/** `sdtp bench kernel`: medians over all rounds. */
export function kernelBenchTable(result: KernelBenchResult): Table<KernelBenchRow> {
  const names = Object.keys(result.rounds);
  const row = (figure: string, goal: string, format: (value: number) => string, pick: Pick): KernelBenchRow => {
    const values = names.map((name) => {
      const samples = (result.rounds[name] ?? []).flatMap(pick).filter((value) => Number.isFinite(value));
      return [name, samples.length > 0 ? format(median(samples)) : "-"];
    });
    return { figure, goal, values: Object.fromEntries(values) };
  };
  const interrupted = [...new Set(Object.values(result.rounds).flatMap((rounds) => rounds.flatMap(({ interrupts }) => Object.keys(interrupts))))];
  const tail = (samples: readonly number[]) => samples.slice(-20);
  const rows = [
    row("ready", "at most 0.9 s", seconds, ({ ready }) => [ready]),
    row("first cell, once ready", "at most 0.6 s", seconds, ({ first }) => [first]),
    row("warm cell, 1+1", "at most 12 ms", milliseconds, ({ warm }) => warm),
    row("completion", "at most 60 ms", milliseconds, ({ completion }) => completion),
    row("a loop of 2e8 additions", "within 3 x of a file", seconds, ({ loop }) => loop),
    row("200,000 printed lines", "within 2 x of ipykernel", seconds, ({ lines }) => [lines]),
    row("a declaring cell, the first 20", "", milliseconds, ({ declaring }) => declaring.slice(0, 20)),
    row(`a declaring cell, the last 20 of ${result.declaring}`, "at most 12 ms", milliseconds, ({ declaring }) => tail(declaring)),
    row("memory after them", "", (bytes) => `${(bytes / 1e6).toFixed(0)} MB`, ({ memory_bytes }) => [memory_bytes ?? NaN]),
    row("restart and two cells", "at most 1.2 s", seconds, ({ restart }) => [restart]),
    ...interrupted.map((what) => row(`interrupt of ${what}`, "", milliseconds, ({ interrupts }) => [interrupts[what] ?? NaN])),
  ];
  const { versions, cpu } = result.environment;
  const rounds = Math.max(...Object.values(result.rounds).map((all) => all.length));
  return {
    title: "Kernels",
    columns: [
      { key: "figure", label: "Figure", value: (each) => each.figure },
      ...names.map((name) => ({ key: name, label: name, value: (each: KernelBenchRow) => each.values[name] ?? "-" })),
      { key: "goal", label: "Goal", value: (each: KernelBenchRow) => each.goal },
    ],
    rows,
    above: [`Medians of ${rounds} rounds in which the kernels took turns; Node ${versions["node"]}, ${cpu.cores} cores of ${cpu.model}, load ${result.load.map((each) => each.toFixed(1)).join(" before, ")} after.`],
    warnings: [],
    facts: () => ({}),
  };
}
