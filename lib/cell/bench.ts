import type { EngineOptions, EngineResult } from "../bench/engine/engine.js";
import type { FailedCell } from "../bench/sweep/command.js";
import type { Profile, ProfileOptions } from "../bench/profile.js";
import type { SweepEnd, SweepOptions, SweepRow } from "../bench/sweep/sweep.js";
import { shownTable } from "../report/views/table.js";
import { shown, type Shown } from "../report/views/view.js";
import { live, withProgress } from "./live.js";
import { cellSignal } from "./notebook.js";
import { sweepBody } from "./sweep-body.js";
import { table2 } from "./tables.js";

/** In a cell, whether progress shows; default true. */
export interface Showing {
  readonly show?: boolean;
}

/** Cells measured by the workers of a queue (`sdtp worker`) instead of this machine. */
export interface OnQueue {
  /** URL of its server: `redis://HOST`, `rediss://HOST` with TLS. */
  readonly queue?: string;
  /** Queues of other names on the same server have nothing to do with each other. Default `sdtp`. */
  readonly queueName?: string;
}

/**
 * Measures the full cross product of models, configurations, lengths, scorers, …, a row a configuration, as rows come.
 * Configurations of a cell of the product take turns in a process of their own, the baseline always with them. What is
 * done is kept in `folder`, and the same call finds it there: interrupt it, come back, run the cell again.
 * In a notebook a progress bar and a table fill while it runs; interrupting the cell stops it with nothing lost but the
 * measurement in flight. A measurement that fails is a row with its `error`.
 *
 * Seconds, ratios, bytes: `row.prefill_seconds`, `row.prefill_speedup`, `row.kv_reduction`, `row.peak_memory_bytes`, …
 * @throws on bad input, before anything runs
 * @example
 * const rows: sdtp.SweepRow[] = [];
 * for await (const row of sdtp.sweep({ configs: ["baseline", "keep07", "sdtp"], lengths: [1024, 4096], scorers: ["norm", "recency"] })) rows.push(row);
 * sdtp.frame(rows)
 */
export async function* sweep(options: SweepOptions & OnQueue & Showing = {}): AsyncGenerator<SweepRow, SweepEnd, undefined> {
  const { show, onProgress, onFailed, queue, queueName, ...rest } = options;
  const signal = cellSignal(options.signal);
  const output = live(show);
  const { sweep: measure, sweepLabel } = await import("../bench/sweep/sweep.js");
  const rows: SweepRow[] = [];
  const failed: FailedCell[] = [];
  let end: SweepEnd | undefined;
  const all: SweepOptions = {
    ...rest,
    ...(signal && { signal }),
    onFailed(cell) {
      failed.push(cell);
      onFailed?.(cell);
    },
    onProgress(progress) {
      output?.update(progress.share, sweepLabel(progress), progress.secondsLeft);
      onProgress?.(progress);
    },
  };
  let said = "";
  const cells = queue === undefined ? measure(all) : (await import("../queue/sweep.js")).queueSweep({ ...all, queue, queueName, onMessage: (message) => output?.show(sweepBody(rows, failed, (said = message))) });
  try {
    for (;;) {
      const step = await cells.next();
      if (step.done) return (end = step.value);
      rows.push(step.value);
      output?.show(sweepBody(rows, failed, said));
      yield step.value;
    }
  } finally {
    // What is in flight ends, and a queue is let go of, where no more rows are asked for.
    await cells.return(undefined as never);
    output?.end(end ? `${end.measured} cells measured, ${end.found} found${end.left > 0 ? `, ${end.left} left: the time is up` : ""}` : `stopped after ${rows.length} rows; what was measured is kept`);
  }
}

/**
 * Measures prefill and 128 decoded tokens (or prefill alone) of configurations at several prompt lengths, the baseline
 * with them in turn, each length in a process of its own. Shows Table 2; see also `verification`, `chart` and `writeResults`.
 * @throws on bad input, before anything runs. A length that fails is in `errors`, and the others go on.
 * @example
 * const measured = await sdtp.profile({ configs: ["keep09", "keep07"], lengths: [1024, 4096], repeats: 3 });
 * sdtp.chart.speedup(measured)
 */
export async function profile(options: ProfileOptions & Showing = {}): Promise<Shown<Profile>> {
  const { show, onProgress, onLength, ...rest } = options;
  const signal = cellSignal(options.signal);
  const { profile: measure } = await import("../bench/profile.js");
  const found = await withProgress(show, { done: () => "measured" }, async (output) => {
    const all = await measure({
      ...rest,
      ...(signal && { signal }),
      onProgress(share, label) {
        output?.update(share, label);
        onProgress?.(share, label);
      },
      async onLength(length, soFar) {
        if (output && soFar.results.size > 0) output.show(table2(soFar));
        await onLength?.(length, soFar);
      },
    });
    output?.show({ html: "", text: "" });
    return all;
  });
  return shownProfile(found);
}

function shownProfile(found: Profile): Shown<Profile> {
  const failures = found.errors.map(({ length, config, error }) => `failed: ${config} at ${length}: ${error}`).join("\n");
  if (found.results.size === 0) return shown(found, { title: "Profile", text: failures, html: () => `<pre>${failures}</pre>` });
  const table = table2(found);
  return shown(found, { title: table.title, text: [table.text, failures].join("\n").trim(), html: () => `${table.html}${failures && `<pre>${failures}</pre>`}` });
}

/**
 * The engine's speed in figures that depend little on the machine: operations a second in prefill, a decode run against
 * one read of all it needs, peak memory, and what pruning costs where nothing is pruned. Takes a minute or more.
 * @example
 * await sdtp.benchEngine({ length: 2048, memoryLength: 4096, repeats: 5 })
 */
export async function benchEngine(options: EngineOptions & Showing = {}): Promise<Shown<EngineResult>> {
  const { show, onProgress, ...rest } = options;
  const signal = cellSignal(options.signal);
  const { benchEngine: measure } = await import("../bench/engine/engine.js");
  const result = await withProgress(show, { done: () => "measured" }, (output) =>
    measure({ ...rest, ...(signal && { signal }), onProgress: (share, label) => { output?.update(share, label); onProgress?.(share, label); } }),
  );
  const { engineTable } = await import("../report/engine.js");
  const table = shownTable(engineTable(result));
  return shown(result, { title: table.title, text: table.text, html: () => table.html });
}
