import { turnsByLength } from "../decoder/rotary.js";
import type { Method } from "../methods/method.js";
import type { Model, PrefillSettings } from "../runtime/model.js";
import type { Run } from "../runtime/run.js";
import { logProbs, type TokenLogProbs } from "./log-probs.js";
import type { PrefixCache, PrefixKind } from "./prefix-cache.js";
import type { Steps } from "./steps.js";

/** A prompt, and what is to happen to it. */
export interface Prompt {
  readonly ids: readonly number[];
  readonly method: Method;
  readonly settings: PrefillSettings;
  /** Tokens at its start that are pruned as one, the rest being appended to what is kept of them; 0: nothing is pruned. */
  readonly context: number;
  /** Tokens to make room for after it. */
  readonly reserve: number;
}

/** A prompt whose own tokens were scored. */
export interface Scored extends Started {
  /** Log-probabilities of its tokens; of the first, and of those in a pruned context, none. */
  readonly tokens: readonly (TokenLogProbs | null)[];
}

/** A prompt that went through the model. */
export interface Started {
  readonly run: Run;
  /** Tokens that were not computed: another request's cache held them. */
  readonly cached: number;
  /** Seconds until its first logits, those that others had in between among them. */
  readonly seconds: number;
  /** To be called once, at the request's end. @param whole it ended as it should: its cache may serve others */
  end(whole: boolean): void;
}

/** Tokens whose logits are read at a time: all at once would be the vocabulary times the prompt. */
const SCORED_PIECE = 256;

/** Takes prompts through a model: in pieces where that is possible, from what other requests' caches hold of them, the rest only. */
export class Prompts {
  constructor(
    private readonly model: Model,
    private readonly steps: Steps,
    private readonly prefixes: PrefixCache,
    private readonly pieceTokens: number,
  ) {}

  /** @param until only so many tokens; default: all */
  async start({ ids: all, method, settings, context, reserve }: Prompt, signal: AbortSignal, until = all.length): Promise<Started> {
    const started = performance.now();
    const ids = until === all.length ? all : all.slice(0, until);
    const kind: PrefixKind = { pruning: context === 0 ? "" : JSON.stringify([method.name, settings.scorer instanceof Object ? settings.scorer.key : settings.scorer, settings.kvPolicy]), context };
    // Where frequencies change with the length, keys depend on the pieces in which they were computed.
    const byLength = turnsByLength(this.model.config);
    let [run, cached]: [Run | null, number] = [null, 0];
    let contextLogits: Float32Array | null = null;
    const found = byLength ? null : await this.steps.whole(async () => {
      const best = this.prefixes.find(kind, ids);
      if (best) run = this.model.rewound(best.run, best.length, { room: 0, ...(best.logits && { logits: best.logits }) });
      return best;
    });
    if (found) [cached, contextLogits] = [found.length, found.contextLogits];
    else {
      const head = context > 0 ? context : byLength ? ids.length : Math.min(ids.length, this.pieceTokens);
      run = await this.#whole(ids.slice(0, head), { ...settings, reserve: ids.length - head + reserve, grows: true, signal });
      if (context > 0) contextLogits = run.logits;
    }
    const own = run!;
    const hide = byLength ? () => {} : this.prefixes.share(kind, own, ids.length, contextLogits);
    let logits: Float32Array = own.logits;
    const end = (whole: boolean) => {
      hide();
      if (whole && !byLength) this.prefixes.put(kind, own, ids.length, contextLogits, logits);
      else own.dispose();
    };
    try {
      await this.steps.extend(own, ids.slice(own.position), signal);
      logits = own.logits;
    } catch (error) {
      end(false);
      throw error;
    }
    return { run: own, cached, seconds: (performance.now() - started) / 1e3, end };
  }

  /** Log-probabilities of a prompt's tokens given those before them; with a pruned context those of the tokens after it, given what was kept of it. */
  async score(prompt: Prompt, count: number, signal: AbortSignal): Promise<Scored> {
    const { ids, context, reserve } = prompt;
    const started = performance.now();
    const from = Math.max(context, 1);
    // What follows a context differs from request to request: it is kept without.
    const begun = context > 0 ? await this.start({ ...prompt, reserve: 0 }, signal, from) : null;
    const run = begun ? begun.run.fork({ room: 0 }) : await this.#whole(ids.slice(0, 1), { reserve: ids.length - from + reserve, grows: true, signal });
    const end = (whole: boolean) => {
      run.dispose();
      begun?.end(whole);
    };
    const tokens: (TokenLogProbs | null)[] = Array.from({ length: from }, () => null);
    let before = run.logits;
    try {
      await this.steps.extend(run, ids.slice(from), signal, (logits, first, last) => {
        const size = logits.length / (last - first);
        for (let i = first; i < last; i++) tokens.push(logProbs(i === first ? before : logits.subarray((i - first - 1) * size, (i - first) * size), ids[from + i]!, count));
        before = logits.slice(-size);
      }, Math.min(this.pieceTokens, SCORED_PIECE));
    } catch (error) {
      end(false);
      throw error;
    }
    return { run, cached: begun?.cached ?? 0, seconds: (performance.now() - started) / 1e3, end, tokens };
  }

  /** In one run of the model. What other requests left goes where there is no memory for it otherwise. */
  async #whole(ids: readonly number[], settings: PrefillSettings): Promise<Run> {
    const once = () => this.steps.whole(() => {
      settings.signal?.throwIfAborted();
      return this.model.prefill(ids, settings);
    });
    try {
      return await once();
    } catch (error) {
      if (this.prefixes.entries === 0 || !/^memory:/.test((error as Error).message)) throw error;
      this.prefixes.clear();
      return once();
    }
  }
}
