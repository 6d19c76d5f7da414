import paperTable2 from "./reference/paper_table2.json" with { type: "json" };
import upstreamLatency from "./reference/upstream_latency.json" with { type: "json" };
import type { Table2Row } from "./rows.js";

/** Results that others have published, to be put beside measured ones. */
export type PublishedName = "paper" | "python";

export interface Published {
  /** As columns and methods name it. */
  readonly label: string;
  /** Where the numbers are from and on what they were measured. */
  readonly source: string;
  /** All of it as rows. */
  readonly rows: readonly Table2Row[];
  /** The row to put beside a measured configuration at a length. */
  readonly beside: (config: string, length: number) => Table2Row | undefined;
}

const nothing = { variant: "", decode: null, total: null, prefillSpeedup: null, endToEndSpeedup: null, kvReduction: null, prefillFlops: null, endToEndFlops: null, idealPrefillSpeedup: null, peakMemory: null, kvBytes: null, device: null, noise: { prefill: false, endToEnd: false }, metadata: null };

/** Table 2 of arXiv:2504.04514v2. Its one pruned method, ten stages of 0.9, stands beside every measured configuration. */
function paper(): Published {
  const rows = paperTable2.rows.flatMap(({ length, baseline, sdtp }) => {
    const times = (m: typeof baseline) => ({
      prefill: m.latency_prefill_s,
      decode: m.latency_end2end_s - m.latency_prefill_s,
      total: m.latency_end2end_s,
      prefillFlops: m.tflops_prefill * 1e12,
      endToEndFlops: m.tflops_e2e * 1e12,
      peakMemory: m.memory_gb * 1e9,
    });
    return [
      { ...nothing, length, config: "baseline", method: "Baseline (paper)", ...times(baseline) },
      {
        ...nothing,
        length,
        config: "sdtp",
        method: "SDTP (paper)",
        ...times(sdtp),
        prefillSpeedup: baseline.latency_prefill_s / sdtp.latency_prefill_s,
        endToEndSpeedup: baseline.latency_end2end_s / sdtp.latency_end2end_s,
        idealPrefillSpeedup: baseline.tflops_prefill / sdtp.tflops_prefill,
      },
    ];
  });
  return {
    label: "Paper",
    source: `${paperTable2.source}. Its SDTP is the preset sdtp, stages of 0.9 after ten blocks; FLOPs are in the paper's counting.`,
    rows,
    beside: (config, length) => rows.find((row) => row.length === length && (row.config === "baseline") === (config === "baseline")),
  };
}

/** Latencies of the Python implementation, beside the configurations of the same names. */
function python(): Published {
  const rows = Object.entries(upstreamLatency.configs).flatMap(([config, { results }]) =>
    Object.entries(results).map(([length, { sdtp, speedup, kv_reduction }]): Table2Row => ({
      ...nothing,
      length: Number(length),
      config,
      method: `SDTP (${config}, Python)`,
      prefill: sdtp.prefill_latency_seconds,
      decode: sdtp.decode_latency_seconds,
      total: sdtp.total_latency_seconds,
      prefillSpeedup: speedup.prefill,
      endToEndSpeedup: speedup.total,
      kvReduction: kv_reduction,
      peakMemory: sdtp.memory_gb * 1e9,
    })),
  );
  return { label: "Python", source: upstreamLatency.source, rows, beside: (config, length) => rows.find((row) => row.length === length && row.config === config) };
}

export const published: Readonly<Record<PublishedName, () => Published>> = { paper, python };
