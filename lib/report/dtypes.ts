import { bootstrap } from "../bench/statistics.js";
import { formatBytes } from "../checkpoint/free-space.js";
import type { DtypeRow } from "../evaluate/dtypes.js";
import { mean } from "../evaluate/forced.js";
import type { Column, Table } from "./table.js";

/** What weights and caches are held in, beside what that costs: differences are from the first row, on the same prompts. */
export function dtypesTable({ model, device, threads }: { readonly model: string; readonly device: string; readonly threads: number | undefined }, rows: readonly DtypeRow[]): Table<DtypeRow> {
  const first = rows[0];
  const columns: Column<DtypeRow>[] = [
    { key: "dtype", label: "Weights", value: ({ dtype }) => dtype },
    { key: "kv_dtype", label: "KV cache", value: ({ kv_dtype }) => kv_dtype },
    { key: "weight_bytes", label: "Weights' size", value: ({ weight_bytes }) => weight_bytes, format: formatBytes },
    { key: "of_the_files", label: "Of the files'", value: ({ weight_bytes, file_bytes }) => (file_bytes === undefined ? null : weight_bytes / file_bytes), format: (value) => `${(100 * value).toFixed(0)} %` },
    { key: "weight_error", label: "Weights' error", value: ({ weight_error }) => weight_error ?? null, format: (value) => `${(100 * value).toFixed(2)} %` },
    { key: "kv_bytes", label: "KV size", value: ({ kv_bytes }) => kv_bytes, format: formatBytes },
    { key: "perplexity", label: "Perplexity", value: ({ perplexity }) => perplexity, format: (value) => value.toFixed(3) },
    { key: "perplexity_change", label: "Change (95 %)", value: (row) => (first && row !== first ? change(first, row) : null) },
    { key: "keys_found", label: "Keys found", value: ({ keys_right, prompts }) => keys_right / prompts, format: (value) => `${(100 * value).toFixed(1)} %` },
    { key: "load_seconds", label: "Load (s)", value: ({ load_seconds }) => load_seconds ?? null, format: (value) => value.toFixed(2) },
    { key: "prefill_seconds", label: "Prefill (s)", value: ({ prefill_seconds }) => prefill_seconds, format: (value) => value.toFixed(4) },
    { key: "token_seconds", label: "Token (ms)", value: ({ token_seconds }) => token_seconds, format: (value) => (1e3 * value).toFixed(2) },
  ];
  return {
    title: "Dtypes", columns, rows, warnings: [],
    above: first ? [`Model ${model}, device ${device}, threads ${threads ?? "one a core"}, ${first.prompts} prompts of ${first.length} tokens for each of perplexity (128 tokens after the prompt) and pass keys.`] : [],
    facts: () => ({ model, device, threads: threads ?? null, length: first?.length ?? null, prompts: first?.prompts ?? null }),
  };
}

/** How much perplexity changes, with its interval over prompts. */
function change(first: DtypeRow, row: DtypeRow): string {
  const differences = row.losses.map((loss, i) => loss - first.losses[i]!);
  const { low, high } = bootstrap(differences, mean);
  const percent = (difference: number) => `${difference >= 0 ? "+" : "-"}${Math.abs(100 * (Math.exp(difference) - 1)).toFixed(2)}`;
  return `${percent(mean(differences))} % (${percent(low)} to ${percent(high)})`;
}
