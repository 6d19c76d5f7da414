import { createHash } from "node:crypto";
import { loadSince } from "../../lib/bench/load.js";
import type { Prompt } from "../../lib/bench/prompt.js";
import type { Start } from "./environments.js";
import { offline, readThrough } from "./models.js";
import type { Visit } from "./plan.js";
import { type Loaded, PeerProcess, type Ran } from "./process.js";
import type { Sample, Settings } from "./samples.js";

/** Tokens of the run that does not count, after its first: what is made at a first decode run is made then. */
const WARM_TOKENS = 8;

export interface VisitOptions {
  readonly start: Start;
  /** The model's folder or file. */
  readonly path: string;
  readonly prompt: Prompt;
  readonly settings: Settings;
  readonly commit: string | null;
  /** Seconds after which it is given up. */
  readonly timeout: number;
  readonly signal: AbortSignal;
}

/**
 * One process of a peer: loaded, run once on other tokens to be warm (from the start of the process to its first token is measured there), then run for
 * the sample. @throws where it ends, answers with an error, was fed something else, or takes too long; the signal's reason
 */
export async function visit({ model, length, row, round }: Visit, { start, path, prompt, settings, commit, timeout, signal }: VisitOptions): Promise<Sample> {
  const { ids } = prompt;
  // The same tokens from back to front: what a peer may keep of a prompt that it has seen is of no use to it for the next one.
  const others = [...ids].reverse();
  const newTokens = settings.new_tokens;
  await readThrough(path);
  signal.throwIfAborted();
  const started = performance.now();
  const threads = String(settings.threads);
  const peer = new PeerProcess(start, { ...offline, OMP_NUM_THREADS: threads, MKL_NUM_THREADS: threads });
  let timer: NodeJS.Timeout | undefined;
  let abort = () => {};
  const given = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`not done in ${Math.round(timeout)} s`)), timeout * 1e3);
    abort = () => reject(signal.reason as Error);
    signal.addEventListener("abort", abort);
  });
  given.catch(() => {});
  const work = async (): Promise<{ loaded: Loaded; ran: Ran; busy: number | null }> => {
    peer.send({ op: "load", model: path, threads: settings.threads, maxTokens: ids.length + newTokens, settings: row.settings });
    peer.send({ op: "run", ids: others, newTokens: WARM_TOKENS });
    const loaded = await peer.loaded();
    const warm = await peer.ran();
    const [load, cpu] = [loadSince(), peer.cpuSeconds];
    peer.send({ op: "run", ids, newTokens });
    const ran = await peer.ran();
    const now = peer.cpuSeconds;
    const busy = cpu === null || now === null ? null : load(now - cpu);
    for (const [fed, given] of [[warm.fed, hashOf(others)], [ran.fed, prompt.hash]]) if (fed !== given) throw new Error(`prompt: was fed other tokens than the ${ids.length} given (sha256 ${fed}, not ${given})`);
    return { loaded, ran, busy };
  };
  try {
    const { loaded, ran, busy } = await Promise.race([work(), given]);
    return {
      model, length, row: row.id, round, time: new Date().toISOString(), commit, versions: loaded.versions, settings: loaded.settings,
      prefill_seconds: rounded(ran.prefill), decode_seconds: ran.decode.map(rounded), tokens: ran.tokens, prompt_sha256: prompt.hash,
      start_to_first_token_seconds: rounded(peer.firstToken!), peak_memory_bytes: peer.peakMemory, load: busy, visit_seconds: rounded((performance.now() - started) / 1e3),
    };
  } finally {
    clearTimeout(timer);
    signal.removeEventListener("abort", abort);
    peer.kill();
  }
}

const hashOf = (ids: readonly number[]): string => createHash("sha256").update(JSON.stringify(ids)).digest("hex");

/** Microseconds are as far as clocks go. */
const rounded = (seconds: number): number => Number(seconds.toFixed(6));
