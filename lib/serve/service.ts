import { randomUUID } from "node:crypto";
import type { Model, PrefillSettings } from "../runtime/model.js";
import { chatPrompt } from "../runtime/chat.js";
import type { Run } from "../runtime/run.js";
import { ApiError, wrong } from "./api-error.js";
import { ask, checkLength, continueRun, promptLogProbs, type Asked, type Ending, type Piece } from "./generation.js";
import type { TokenLogProbs } from "./log-probs.js";
import type { Metrics } from "./metrics.js";
import { chatLogProb, completionLogProbs, type CompletionLogProbs } from "./pieces.js";
import { messagesOf, type ChatRequest, type CompletionRequest } from "./requests.js";
import type { Turns } from "./turns.js";

/** Tokens that a completion has where its request names no number: the API's own default. */
const COMPLETION_TOKENS = 16;

/** What was kept of a prompt, beside the API's own fields. */
export interface Kept {
  method: string;
  scorer: string | null;
  kv_policy: string;
  prompt_tokens: number;
  /** Of the last block. */
  kept_tokens: number;
  kv_lens: readonly number[];
  prefill_seconds: number;
}

export interface Usage {
  prompt_tokens: number;
  completion_tokens: number;
  total_tokens: number;
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
    readonly metrics: Metrics,
    /** What is pruned where a request says nothing of it. */
    readonly defaults: PrefillSettings,
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
    if (echoed && asked.method.name !== "baseline") {
      throw wrong("echo", `with logprobs asks for the log-probabilities of the prompt's own tokens, which ${asked.method.name} prunes (serve or ask for the method baseline)`);
    }
    if (maxTokens === 0 && !request.echo) throw wrong("max_tokens", "0 (must be positive, or with echo)");
    prompts.forEach((ids, i) => checkLength(this.model, ids, maxTokens, prompts.length > 1 ? `prompt.${i}` : "prompt"));
    const answered = this.#answered("cmpl");
    const { model, turns } = this;
    const choices = request.n ?? 1;
    const service = this;
    async function* parts(signal: AbortSignal): AsyncGenerator<CompletionPart> {
      for (const [p, ids] of prompts.entries()) {
        const prompt = echoed ? await promptLogProbs(turns, model, ids, request.logprobs!, maxTokens, signal) : null;
        const run = prompt ? prompt.run : await service.#prefill(ids, asked, maxTokens, signal);
        answered.kept.push(keptOf(run, ids.length));
        answered.usage.prompt_tokens += ids.length;
        const head = request.echo ? tokenizer.decode(ids) : "";
        for (let choice = 0; choice < choices; choice++) {
          const index = p * choices + choice;
          if (request.echo) yield { index, text: head, logprobs: prompt ? completionLogProbs(tokenizer, ids, prompt.tokens, 0) : null, finish_reason: null };
          let offset = head.length;
          for await (const piece of service.#choice(run, asked, choice, choices, answered, signal)) {
            const logprobs = asked.logprobs === null || piece.reason !== null ? null : completionLogProbs(tokenizer, piece.tokens.map(({ id }) => id), piece.tokens as TokenLogProbs[], offset);
            offset += piece.text.length;
            yield { index, text: piece.text, logprobs, finish_reason: piece.reason };
          }
        }
        run.dispose();
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
    const { ids } = await chatPrompt(this.model, messagesOf(request.messages), Object.keys(variables).length > 0 ? { templateVariables: variables } : {}).catch((error: Error) => {
      throw wrong("messages", error.message);
    });
    const room = this.model.config.maxPositions - ids.length;
    const maxTokens = request.max_completion_tokens ?? request.max_tokens ?? Math.max(1, room);
    const asked = ask(this.model, request, this.defaults, { maxTokens, logprobs: request.logprobs ? (request.top_logprobs ?? 0) : null, seed: request.seed ?? randomSeed() });
    if (maxTokens === 0) throw wrong("max_tokens", "0 (must be positive)");
    checkLength(this.model, ids, maxTokens, "messages");
    const answered = this.#answered("chatcmpl");
    const choices = request.n ?? 1;
    const service = this;
    async function* parts(signal: AbortSignal): AsyncGenerator<ChatPart> {
      const run = await service.#prefill(ids, asked, Math.min(maxTokens, RESERVED), signal);
      answered.kept.push(keptOf(run, ids.length));
      answered.usage.prompt_tokens += ids.length;
      for (let index = 0; index < choices; index++) {
        for await (const piece of service.#choice(run, asked, index, choices, answered, signal)) {
          const logprobs = asked.logprobs === null || piece.reason !== null ? null : (piece.tokens as TokenLogProbs[]).map((each) => chatLogProb(tokenizer, each));
          yield { index, text: piece.text, logprobs, finish_reason: piece.reason };
        }
      }
      run.dispose();
    }
    return { answered, parts };
  }

  async #prefill(ids: readonly number[], asked: Asked, maxTokens: number, signal: AbortSignal): Promise<Run> {
    const run = await this.turns.turn(() => {
      signal.throwIfAborted();
      return this.model.prefill(ids, { ...asked.settings, reserve: maxTokens, signal });
    });
    this.metrics.promptTokens.inc(ids.length);
    this.metrics.promptLength.observe(ids.length);
    this.metrics.keptTokens.inc(run.kv.lengths.at(-1) ?? 0);
    return run;
  }

  async *#choice(run: Run, asked: Asked, choice: number, choices: number, answered: Answered, signal: AbortSignal): AsyncGenerator<Piece & { reason: Ending["reason"] | null }> {
    // The last choice needs the prompt's cache no more.
    const own = choice === choices - 1 ? run : run.fork();
    const release = this.metrics.hold({ get bytes() { return own.kv.bytes; } });
    try {
      const pieces = continueRun(this.turns, own, asked, choice, signal);
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
    return { id: `${kind}-${randomUUID().replaceAll("-", "")}`, created: Math.floor(Date.now() / 1000), model: this.name, usage: { prompt_tokens: 0, completion_tokens: 0, total_tokens: 0 }, kept: [] };
  }
}

/** Tokens that caches have room for from the start; they grow where an answer is longer. */
const RESERVED = 1024;

/** @param run right after its prompt, of `n` tokens */
function keptOf(run: Run, n: number): Kept {
  const { lengths } = run.kv;
  return { method: run.preset.name, scorer: run.scorer, kv_policy: run.kvPolicy, prompt_tokens: n, kept_tokens: lengths.at(-1) ?? n, kv_lens: lengths, prefill_seconds: run.prefillSeconds };
}

const randomSeed = () => Math.floor(Math.random() * 2 ** 32);
