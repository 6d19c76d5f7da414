import { randomUUID } from "node:crypto";
import type { Model, PrefillSettings } from "../runtime/model.js";
import { chatPrompt } from "../runtime/chat.js";
import type { Run } from "../runtime/run.js";
import { ApiError, wrong } from "./api-error.js";
import { contextOf, opening, type ContextDefaults } from "./context.js";
import { ask, checkLength, continueRun, type Asked, type Ending, type Piece } from "./generation.js";
import type { TokenLogProbs } from "./log-probs.js";
import type { Metrics } from "./metrics.js";
import { chatLogProb, completionLogProbs, type CompletionLogProbs } from "./pieces.js";
import { messagesOf, type ChatRequest, type CompletionRequest } from "./requests.js";
import type { Prompt, Prompts, Started } from "./prompts.js";
import type { Steps } from "./steps.js";
import type { Turns } from "./turns.js";

/** Tokens that a completion has where its request names no number: the API's own default. */
const COMPLETION_TOKENS = 16;

/** What was kept of a prompt, beside the API's own fields. */
export interface Kept {
  method: string;
  scorer: string | null;
  kv_policy: string;
  prompt_tokens: number;
  /** Tokens at the prompt's start that were pruned; the rest was appended to what was kept of them. 0: nothing was pruned. */
  context_tokens: number;
  /** Of the whole prompt, in the last block's cache. */
  kept_tokens: number;
  kv_lens: readonly number[];
  prefill_seconds: number;
}

export interface Usage {
  prompt_tokens: number;
  completion_tokens: number;
  total_tokens: number;
  /** Of the prompts: what other requests' caches held. */
  prompt_tokens_details: { cached_tokens: number };
}

/** A part of a completion: of one choice. */
export interface CompletionPart {
  index: number;
  text: string;
  logprobs: CompletionLogProbs | null;
  finish_reason: Ending["reason"] | null;
}

export interface ChatPart {
  index: number;
  text: string;
  logprobs: ReturnType<typeof chatLogProb>[] | null;
  finish_reason: Ending["reason"] | null;
}

/** What a request became, apart from its parts. */
export interface Answered {
  readonly id: string;
  readonly created: number;
  readonly model: string;
  usage: Usage;
  /** One for each prompt. */
  kept: Kept[];
}

/** Answers requests with one model. */
export class Service {
  constructor(
    readonly model: Model,
    readonly turns: Turns,
    readonly steps: Steps,
    readonly prompts: Prompts,
    readonly metrics: Metrics,
    /** What is pruned where a request says nothing of it. */
    readonly defaults: PrefillSettings & ContextDefaults,
    /** The name under which the model is served. */
    readonly name: string,
  ) {}

  /** What a completion's request asks for, checked as a whole before anything runs. @throws ApiError */
  async completion(request: CompletionRequest): Promise<{ answered: Answered; parts: (signal: AbortSignal) => AsyncGenerator<CompletionPart> }> {
    this.#checkModel(request.model);
    const tokenizer = await this.model.tokenizer();
    const given = typeof request.prompt === "string" ? [request.prompt] : typeof request.prompt[0] === "number" ? [request.prompt as number[]] : (request.prompt as (string | number[])[]);
    const prompts = given.map((each) => (typeof each === "string" ? tokenizer.encode(each) : each));
    const maxTokens = request.max_tokens ?? COMPLETION_TOKENS;
    const asked = ask(this.model, request, this.defaults, { maxTokens, logprobs: request.logprobs ?? null, seed: request.seed ?? randomSeed() });
    const echoed = request.echo === true && request.logprobs != null;
    const contexts = prompts.map((ids) => contextOf(this.model, asked.method, ids.length, request, this.defaults, null));
    if (echoed && contexts.some((context, i) => context === prompts[i]!.length)) {
      throw wrong("echo", `with logprobs asks for the log-probabilities of the prompt's own tokens, which ${asked.method.name} prunes (sdtp.context_tokens or sdtp.tail_tokens say which of them are context: the others are scored after what is kept of it; or ask for the method baseline)`);
    }
    if (maxTokens === 0 && !request.echo) throw wrong("max_tokens", "0 (must be positive, or with echo)");
    prompts.forEach((ids, i) => checkLength(this.model, ids, maxTokens, prompts.length > 1 ? `prompt.${i}` : "prompt"));
    const answered = this.#answered("cmpl");
    const choices = request.n ?? 1;
    const service = this;
    async function* parts(signal: AbortSignal): AsyncGenerator<CompletionPart> {
      for (const [p, ids] of prompts.entries()) {
        const prompt = { ids, method: asked.method, settings: asked.settings, context: contexts[p]!, reserve: Math.min(maxTokens, RESERVED) };
        const scored = echoed ? await service.prompts.score(prompt, request.logprobs!, signal) : null;
        const started = scored ?? (await service.prompts.start(prompt, signal));
        let whole = false;
        try {
          service.#count(prompt, started, answered);
          const head = request.echo ? tokenizer.decode(ids) : "";
          for (let choice = 0; choice < choices; choice++) {
            const index = p * choices + choice;
            if (request.echo) yield { index, text: head, logprobs: scored ? completionLogProbs(tokenizer, ids, scored.tokens, 0) : null, finish_reason: null };
            let offset = head.length;
            for await (const piece of service.#choice(started.run, asked, choice, choices, answered, signal)) {
              const logprobs = asked.logprobs === null || piece.reason !== null ? null : completionLogProbs(tokenizer, piece.tokens.map(({ id }) => id), piece.tokens as TokenLogProbs[], offset);
              offset += piece.text.length;
              yield { index, text: piece.text, logprobs, finish_reason: piece.reason };
            }
          }
          whole = true;
        } finally {
          started.end(whole);
        }
      }
    }
    return { answered, parts };
  }

  /** What a chat's request asks for, checked as a whole before anything runs. @throws ApiError */
  async chat(request: ChatRequest): Promise<{ answered: Answered; parts: (signal: AbortSignal) => AsyncGenerator<ChatPart> }> {
    this.#checkModel(request.model);
    const tokenizer = await this.model.tokenizer();
    const tools = request.tool_choice === "none" ? undefined : (request.tools ?? undefined);
    const variables = { ...request.chat_template_kwargs, ...(tools && { tools }) };
    const messages = messagesOf(request.messages);
    const template = Object.keys(variables).length > 0 ? { templateVariables: variables } : {};
    const { ids } = await chatPrompt(this.model, messages, template).catch((error: Error) => {
      throw wrong("messages", error.message);
    });
    const room = this.model.config.maxPositions - ids.length;
    const maxTokens = request.max_completion_tokens ?? request.max_tokens ?? Math.max(1, room);
    const asked = ask(this.model, request, this.defaults, { maxTokens, logprobs: request.logprobs ? (request.top_logprobs ?? 0) : null, seed: request.seed ?? randomSeed() });
    if (maxTokens === 0) throw wrong("max_tokens", "0 (must be positive)");
    checkLength(this.model, ids, maxTokens, "messages");
    const context = contextOf(this.model, asked.method, ids.length, request, this.defaults, await opening(this.model, messages, template, ids));
    const answered = this.#answered("chatcmpl");
    const choices = request.n ?? 1;
    const service = this;
    async function* parts(signal: AbortSignal): AsyncGenerator<ChatPart> {
      const prompt = { ids, method: asked.method, settings: asked.settings, context, reserve: Math.min(maxTokens, RESERVED) };
      const started = await service.prompts.start(prompt, signal);
      let whole = false;
      try {
        service.#count(prompt, started, answered);
        for (let index = 0; index < choices; index++) {
          for await (const piece of service.#choice(started.run, asked, index, choices, answered, signal)) {
            const logprobs = asked.logprobs === null || piece.reason !== null ? null : (piece.tokens as TokenLogProbs[]).map((each) => chatLogProb(tokenizer, each));
            yield { index, text: piece.text, logprobs, finish_reason: piece.reason };
          }
        }
        whole = true;
      } finally {
        started.end(whole);
      }
    }
    return { answered, parts };
  }

  /** A prompt that went through the model. */
  #count({ ids, context }: Prompt, { run, cached, seconds }: Started, answered: Answered): void {
    answered.kept.push(keptOf(run, ids.length, context, seconds));
    answered.usage.prompt_tokens += ids.length;
    answered.usage.prompt_tokens_details.cached_tokens += cached;
    this.metrics.promptTokens.inc(ids.length);
    this.metrics.promptLength.observe(ids.length);
    this.metrics.cachedTokens.inc(cached);
    this.metrics.keptTokens.inc(run.kv.lengths.at(-1) ?? 0);
  }

  async *#choice(run: Run, asked: Asked, choice: number, choices: number, answered: Answered, signal: AbortSignal): AsyncGenerator<Piece & { reason: Ending["reason"] | null }> {
    // The last choice needs the prompt's cache no more.
    const own = choice === choices - 1 ? run : run.fork();
    const release = this.metrics.hold({ get bytes() { return own.kv.bytes; } });
    try {
      const pieces = continueRun(this.steps, own, asked, choice, signal);
      for (let next = await pieces.next(); ; next = await pieces.next()) {
        if (next.done) {
          const { reason, tokens } = next.value;
          answered.usage.completion_tokens += tokens;
          this.metrics.generatedTokens.inc(tokens);
          yield { text: "", tokens: [], reason };
          return;
        }
        yield { ...next.value, reason: null };
      }
    } finally {
      release();
      if (own !== run) own.dispose();
    }
  }

  #checkModel(name: string): void {
    if (name !== this.name) throw new ApiError(404, `The model \`${name}\` does not exist (served: ${this.name})`, { param: "model", code: "model_not_found" });
  }

  #answered(kind: string): Answered {
    return { id: `${kind}-${randomUUID().replaceAll("-", "")}`, created: Math.floor(Date.now() / 1000), model: this.name, usage: { prompt_tokens: 0, completion_tokens: 0, total_tokens: 0, prompt_tokens_details: { cached_tokens: 0 } }, kept: [] };
  }
}

/** Tokens that caches have room for from the start; they grow where an answer is longer. */
const RESERVED = 1024;

/** @param run right after its prompt, of `n` tokens @param seconds that it took */
function keptOf(run: Run, n: number, context: number, seconds: number): Kept {
  const { lengths } = run.kv;
  return { method: run.preset.name, scorer: run.scorer, kv_policy: run.kvPolicy, prompt_tokens: n, context_tokens: context, kept_tokens: lengths.at(-1) ?? n, kv_lens: lengths, prefill_seconds: seconds };
}

const randomSeed = () => Math.floor(Math.random() * 2 ** 32);
