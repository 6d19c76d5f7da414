import { metricNames, type MetricName } from "../bench/serve/figures.js";
import type { ServeBenchResult } from "../bench/serve/result.js";
import type { Column, Table } from "./table.js";

/** One latency of `sdtp bench serve`, in milliseconds. */
export interface ServeBenchRow {
  readonly metric: MetricName;
  readonly latencies: Readonly<Record<string, number | null>>;
}

const labels: Readonly<Record<MetricName, string>> = {
  ttft: "TTFT: time to first token (ms)",
  tpot: "TPOT: time per output token after the first (ms)",
  itl: "ITL: inter-token latency (ms)",
  e2el: "E2EL: end-to-end latency (ms)",
};

const words = { completed: "completed", cancelled: "cancelled by their clients", refused: "refused as wrong", busy: "told to come again", timed_out: "timed out", failed: "failed", lost: "lost" } as const;
const mb = (bytes: number) => (bytes / 1e6).toFixed(0);

/** What came of a load, and the latencies of requests that were completed. @param metrics which latencies to show */
export function serveBenchTable(result: ServeBenchResult, metrics: readonly MetricName[] = metricNames): Table<ServeBenchRow> {
  const { figures, settings, memory, stretches, server_counts: counts, goodput, environment } = result;
  const column = (key: string, label: string): Column<ServeBenchRow> => ({ key, label, value: ({ metric, latencies }) => latencies[`${key}_${metric}_ms`] ?? null, format: (value) => value.toFixed(2) });
  const endings = Object.entries(figures.endings).filter(([, count]) => count > 0).map(([ending, count]) => `${count} ${words[ending as keyof typeof words]}`);
  const { random_range_ratio: ratio } = settings;
  const around = (length: number) => (ratio === 0 ? `${length}` : `${Math.max(1, Math.floor(length * (1 - ratio)))} to ${Math.ceil(length * (1 + ratio))}`);
  const sent = result.requests.length;
  const objectives = Object.entries(goodput ?? {}).map(([name, value]) => `${name} ${value} ms`).join(", ");
  const busy = stretches.map(({ processors_busy_with_others: others }) => others).filter((others) => others !== null);
  const above = [
    `Model ${result.model_id} at ${settings.base_url ?? "a server of its own"}, ${settings.endpoint}, seed ${settings.seed}; ${environment.cpu.cores} cores of ${environment.cpu.model}${busy.length > 0 ? `, of which other programs kept ${busy.map((each) => each.toFixed(1)).join(", ")} busy` : ""}.`,
    `Prompts of ${around(settings.random_input_len)} tokens${settings.random_prefix_len > 0 ? ` after ${settings.random_prefix_len} that they share` : ""}, answers of ${around(settings.random_output_len)}; request rate ${settings.request_rate}${settings.request_rate === "inf" ? "" : `/s, burstiness ${settings.burstiness}`}, at most ${settings.max_concurrency ?? "all"} at once, ${figures.max_concurrent_requests} at the most.`,
    `${sent} of ${settings.num_prompts} requests: ${endings.join(", ")}.`,
    `Duration ${figures.duration.toFixed(2)} s${stretches.length > 1 ? ` in ${stretches.length} stretches` : ""}; input tokens ${figures.total_input_tokens}, output tokens ${figures.total_output_tokens}.`,
    `Request throughput ${figures.request_throughput.toFixed(2)} req/s, output token throughput ${figures.output_throughput.toFixed(2)} tok/s, total token throughput ${figures.total_token_throughput.toFixed(2)} tok/s.`,
    ...(figures.request_goodput === null ? [] : [`Request goodput ${figures.request_goodput.toFixed(2)} req/s (${objectives}).`]),
    ...(memory?.figures ? [`Memory of the server ${mb(memory.figures.first_bytes)} MB at the start, ${memory.figures.quarters_bytes.map(mb).join(", ")} MB in the four quarters of the time (medians), ${mb(memory.figures.peak_bytes)} MB at the most: the last quarter ${(100 * memory.figures.growth).toFixed(1)} % over the second.`] : []),
    ...(counts ? [`The server counts ${counts.ended} requests that ended, of ${counts.sent}; ${counts.running ?? "-"} run, ${counts.waiting ?? "-"} wait, caches hold ${mb(counts.kv_cache_bytes ?? 0)} MB.`] : []),
  ];
  return {
    title: "Serving",
    columns: [
      { key: "metric", label: "Latency", value: ({ metric }) => labels[metric] },
      column("mean", "Mean"), column("std", "Std"),
      ...result.percentiles.map((p) => column(`p${p}`, `P${p}`)),
    ],
    rows: metrics.map((metric) => ({ metric, latencies: figures.latencies })),
    above,
    warnings: warnings(result),
    facts: () => ({ model: result.model_id, completed: figures.completed, request_throughput: figures.request_throughput, output_throughput: figures.output_throughput, request_goodput: figures.request_goodput }),
  };
}

function warnings({ figures: { endings, malformed_answered }, complete, requests, settings, environment, stretches, server_counts: counts }: ServeBenchResult): string[] {
  const found: string[] = [];
  const first = (ended: string) => requests.find((request) => request.ended === ended && request.kind !== "malformed")?.error ?? "";
  if (!complete) found.push(`stopped after ${requests.length} of ${settings.num_prompts} requests; the same command goes on with the others`);
  if (endings.lost > 0) found.push(`${endings.lost} requests were lost (${first("lost")})`);
  if (endings.failed > 0) found.push(`${endings.failed} requests failed (${first("failed")})`);
  const refused = requests.filter(({ kind, ended }) => ended === "refused" && kind !== "malformed");
  if (refused.length > 0) found.push(`${refused.length} requests were refused though nothing was wrong with them (${refused[0]!.error})`);
  if (endings.busy > 0) found.push(`${endings.busy} requests found no room and are in no latency: give --max-concurrency, or the server a longer queue`);
  if (malformed_answered > 0) found.push(`${malformed_answered} malformed requests were answered as if nothing was wrong with them`);
  if (counts && counts.ended !== counts.sent) found.push(`the server counted ${counts.ended} requests of ${counts.sent}: others asked it too, or it did not see some`);
  const most = Math.max(0, ...stretches.map(({ processors_busy_with_others: others }) => others ?? 0));
  if (most > 0.1 * environment.cpu.cores) found.push(`other programs kept ${most.toFixed(1)} of ${environment.cpu.cores} processors busy meanwhile: a quiet machine is faster`);
  return found;
}
