import type { Planned } from "./workload.js";
import { defects } from "./defects.js";
import type { Prompts } from "./prompts.js";

export const backends = ["openai", "openai-chat"] as const;
/** By which route a server is asked: completions, or chat completions. */
export type Backend = (typeof backends)[number];

/** How a server is asked. */
export interface Asking {
  readonly backend: Backend;
  /** What the server calls the model. */
  readonly model: string;
  /** Ask that answers go on past end-of-sequence tokens, to the length that was planned; not every server knows it. */
  readonly ignoreEos: boolean;
  readonly temperature: number | null;
  /** Further fields of each request. */
  readonly extraBody: Readonly<Record<string, unknown>>;
}

export const endpoints: Readonly<Record<Backend, string>> = { openai: "/v1/completions", "openai-chat": "/v1/chat/completions" };

/** The bytes of a request. @param longest positions of the model, for prompts that are too long */
export function bodyOf(request: Planned, { backend, model, ignoreEos, temperature, extraBody }: Asking, prompts: Prompts, longest: number): Buffer {
  const prompt = prompts(request);
  const body = {
    model,
    ...(backend === "openai" ? { prompt } : { messages: [{ role: "user", content: prompt }] }),
    max_tokens: request.outputLen,
    ...(temperature !== null && { temperature }),
    ...(ignoreEos && { ignore_eos: true }),
    stream: true,
    stream_options: { include_usage: true },
    ...extraBody,
  };
  return request.defect === null ? Buffer.from(JSON.stringify(body)) : defects[request.defect]!(body, longest);
}

/** `http://host:port` of what may be given with `/v1` or a slash behind it. @throws where it is no address */
export function baseOf(url: string): string {
  let parsed: URL;
  try {
    parsed = new URL(url);
  } catch {
    throw new Error(`base url: ${url} (must be like http://127.0.0.1:8000)`);
  }
  if (!/^https?:$/.test(parsed.protocol)) throw new Error(`base url: ${url} (must begin with http:// or https://)`);
  return url.replace(/\/+$/, "").replace(/\/v1$/, "");
}

/** Models that a server has, as it names them. */
export interface ServedModel {
  readonly id: string;
  /** Positions, where it tells. */
  readonly longest: number | null;
}

/** Waits until a server answers. @param seconds how long at most @throws what is wrong, where it does not */
export async function servedModels(base: string, headers: Readonly<Record<string, string>>, seconds: number, signal: AbortSignal): Promise<ServedModel[]> {
  const until = performance.now() + 1e3 * seconds;
  for (;;) {
    signal.throwIfAborted();
    let wrong: string;
    try {
      const response = await fetch(`${base}/v1/models`, { headers, signal: AbortSignal.any([signal, AbortSignal.timeout(30_000)]) });
      const text = await response.text();
      if (response.ok) return (JSON.parse(text) as { data: { id: string; max_model_len?: number; meta?: { n_ctx?: number; n_ctx_train?: number } }[] }).data.map(({ id, max_model_len: longest, meta }) => ({ id, longest: longest ?? meta?.n_ctx ?? meta?.n_ctx_train ?? null }));
      wrong = `${response.status} ${text.slice(0, 200)}`;
      if (response.status === 401 || response.status === 403) throw new Refused(`base url: ${base} (asks for a key: give --api-key or OPENAI_API_KEY)`);
    } catch (error) {
      if (error instanceof Refused) throw error;
      signal.throwIfAborted();
      const { message, cause } = error as Error & { cause?: Error };
      wrong = cause?.message ?? message;
    }
    if (performance.now() >= until) throw new Error(`base url: ${base} (no models are to be had at ${base}/v1/models: ${wrong || "no answer"})`);
    await new Promise((resolve) => setTimeout(resolve, 500));
  }
}

class Refused extends Error {}
