import type { Comparison, ComparisonResult } from "../bench/compare.js";
import { conditions } from "./conditions.js";
import { lengthLabel, methodLabel } from "./label.js";
import type { Table } from "./table.js";

/** Two result sets, A and B, latency by latency; the conditions are those of A, and what differs in B is said. */
export function comparisonTable({ comparisons, differences, metadata }: ComparisonResult): Table<Comparison> {
  const seconds = (value: number) => value.toFixed(4);
  const beyond = comparisons.filter(({ verdict }) => verdict === "faster" || verdict === "slower");
  const few = comparisons.some(({ verdict }) => verdict === "few");
  return {
    title: "Comparison",
    columns: [
      { key: "length", label: "Length", value: (row) => row.length, format: lengthLabel, width: 6 },
      { key: "method", label: "Method", value: (row) => methodLabel(row.config) },
      { key: "measure", label: "Latency", value: (row) => row.measure },
      { key: "a_seconds", label: "A (s)", value: (row) => row.a, format: seconds },
      { key: "b_seconds", label: "B (s)", value: (row) => row.b, format: seconds },
      { key: "ratio", label: "B / A", value: (row) => row.ratio, format: (value) => value.toFixed(3) },
      { key: "interval", label: "95 % Interval", value: (row) => `${row.interval.low.toFixed(3)} to ${row.interval.high.toFixed(3)}` },
      { key: "p", label: "p", value: (row) => row.p, format: (value) => value.toPrecision(2) },
      { key: "verdict", label: "B Is", value: (row) => (row.verdict === "few" ? "unknown (too few repeats)" : row.verdict) },
    ],
    rows: comparisons,
    above: [...conditions(metadata.a.map((each) => ({ config: each.config, metadata: each }))), `${beyond.length} of ${comparisons.length} latencies differ beyond noise.`, ...differences.map((difference) => `A and B differ in ${difference}.`)],
    warnings: few ? ["at least 4 repeats of each are needed to tell a difference from noise"] : [],
    facts: ({ config, interval }) => ({ config, interval_low: interval.low, interval_high: interval.high }),
  };
}
