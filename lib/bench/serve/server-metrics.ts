/** What a server tells of itself at `/metrics`, where it has it. https://prometheus.io/docs/instrumenting/exposition_formats */
export interface ServerMetrics {
  readonly resident: number | null;
  /** Of servers of this package: requests that have ended, that run and that wait, and bytes of caches. */
  readonly ended: number | null;
  readonly running: number | null;
  readonly waiting: number | null;
  readonly kvCacheBytes: number | null;
}

/** @returns null where there is no such page */
export async function serverMetrics(base: string, headers: Readonly<Record<string, string>>): Promise<ServerMetrics | null> {
  const response = await fetch(`${base}/metrics`, { headers, signal: AbortSignal.timeout(30_000) }).catch(() => null);
  return response?.ok ? parseMetrics(await response.text()) : null;
}

export function parseMetrics(text: string): ServerMetrics {
  /** The sum over all labels. */
  const value = (name: string): number | null => {
    const found = [...text.matchAll(new RegExp(`^${name}(?:\\{.*\\})? (\\S+)`, "gm"))].map((match) => Number(match[1]));
    return found.length === 0 ? null : found.reduce((sum, each) => sum + each, 0);
  };
  return {
    resident: value("process_resident_memory_bytes"),
    ended: value("sdtp:requests_total"),
    running: value("sdtp:num_requests_running"),
    waiting: value("sdtp:num_requests_waiting"),
    kvCacheBytes: value("sdtp:kv_cache_bytes"),
  };
}
