import { timingSafeEqual } from "node:crypto";
import { Hono, type Context } from "hono";
import { bodyLimit } from "hono/body-limit";
import { streamSSE } from "hono/streaming";
import { unlessAborted } from "../ambient-signal.js";
import { ahead } from "./ahead.js";
import { ApiError, wrong } from "./api-error.js";
import { jsonBody } from "./json-body.js";
import { guardChat, guardCompletion } from "./guards.js";
import { chatRequest, completionRequest } from "./requests.js";
import { tokenizerRoutes } from "./tokenizer-routes.js";
import type { Answered, ChatPart, CompletionPart, Service } from "./service.js";
import { RETRY_AFTER } from "./turns.js";

export interface AppOptions {
  /** Token that requests must bring as `Authorization: Bearer …`; default: none is asked for. */
  readonly apiKey?: string;
  /** Milliseconds after which a request ends with an error. */
  readonly timeout: number;
  /** Bytes of a request's body at most. */
  readonly bodyLimit: number;
  /** Told of errors that are the server's own. */
  readonly onError?: (error: Error) => void;
}

/** What needs no key: nothing of the model is in it. */
const OPEN = new Set(["/health", "/metrics"]);

/** How one route writes parts of answers. */
interface Shape<Part> {
  readonly object: string;
  readonly chunk: string;
  readonly whole: (parts: readonly Part[]) => object[];
  readonly delta: (part: Part, first: boolean) => object;
}

/** Routes that ask the model, by what is counted of them. */
const ASKING = ["/v1/completions", "/v1/chat/completions"];

/** The API's routes. https://platform.openai.com/docs/api-reference */
export function createApp(service: Service, options: AppOptions): Hono {
  const app = new Hono();
  const started = Math.floor(Date.now() / 1000);
  const entry = { id: service.name, object: "model", created: started, owned_by: "sdtp-notebook", max_model_len: service.model.config.maxPositions };

  app.onError((error, c) => {
    const known = error instanceof ApiError ? error : new ApiError(500, error.message, { type: "server_error" });
    if (known.status === 500) options.onError?.(error);
    if (known.status === 429) c.header("Retry-After", String(RETRY_AFTER));
    if (known.status === 401) c.header("WWW-Authenticate", "Bearer");
    return c.json(known.body, known.status as 400);
  });
  app.notFound((c) => {
    const { method, path } = c.req;
    const others = [...new Set(app.routes.filter((route) => route.method !== "ALL" && route.path === path).map((route) => route.method))];
    if (others.length === 0) return c.json(new ApiError(404, `${method} ${path}: there is no such route`, { code: "unknown_url" }).body, 404);
    return c.json(new ApiError(405, `${method} ${path}: must be ${others.join(" or ")}`, { code: "method_not_supported" }).body, 405, { Allow: others.join(", ") });
  });
  for (const route of ASKING) {
    app.use(route, async (c, next) => {
      await next();
      // An answer that goes on is counted where it ends.
      if (!c.res.headers.get("Content-Type")?.startsWith("text/event-stream")) service.metrics.requests.inc({ route, status: String(c.res.status) });
    });
  }
  app.use(async (c, next) => {
    if (OPEN.has(c.req.path)) return next();
    if (options.apiKey !== undefined && !isKey(c.req.header("Authorization"), options.apiKey)) {
      throw new ApiError(401, "Incorrect API key provided", { code: "invalid_api_key" });
    }
    await next();
  });
  app.use(bodyLimit({ maxSize: options.bodyLimit, onError: () => { throw new ApiError(413, `the request is larger than ${options.bodyLimit} bytes`); } }));
  app.get("/health", (c) => c.json({ status: "ok" }));
  app.get("/metrics", async (c) => c.body(await service.metrics.text(), 200, { "Content-Type": service.metrics.contentType }));
  app.get("/v1/models", (c) => c.json({ object: "list", data: [entry] }));
  app.get("/v1/models/:name{.+}", (c) => {
    const name = c.req.param("name");
    if (name !== service.name) throw new ApiError(404, `The model \`${name}\` does not exist`, { param: "model", code: "model_not_found" });
    return c.json(entry);
  });

  tokenizerRoutes(app, service.model);
  app.post("/v1/completions", async (c) => {
    const request = completionRequest(await jsonBody(c));
    await guardCompletion(service.model, service.defaults, request);
    const prepared = await service.completion(request);
    return respond(c, "/v1/completions", request, prepared, completions);
  });
  app.post("/v1/chat/completions", async (c) => {
    const request = chatRequest(await jsonBody(c));
    await guardChat(service.model, service.defaults, request);
    const prepared = await service.chat(request);
    return respond(c, "/v1/chat/completions", request, prepared, chats);
  });

  async function respond<Part extends CompletionPart | ChatPart>(
    c: Context, route: string, request: { stream?: boolean | null | undefined; stream_options?: { include_usage?: boolean | null | undefined } | null | undefined },
    { answered, parts }: { answered: Answered; parts: (signal: AbortSignal) => AsyncGenerator<Part> }, shape: Shape<Part>,
  ): Promise<Response> {
    const arrived = performance.now();
    const timeout = AbortSignal.timeout(options.timeout);
    const signal = AbortSignal.any([c.req.raw.signal, timeout]);
    const { metrics, turns } = service;
    let status = "200";
    async function* timed(): AsyncGenerator<Part> {
      const times = metrics.request(arrived);
      for await (const part of parts(signal)) {
        // The last part of a choice has nothing but why it ended.
        if (part.finish_reason === null) times.part(part.index);
        yield part;
      }
      times.end(answered.usage.completion_tokens);
    }
    const failed = (error: Error): ApiError => {
      const known = error instanceof ApiError ? error
        : timeout.aborted ? new ApiError(504, `the request took longer than ${options.timeout / 1e3} s`, { type: "timeout" })
        : /^scorer\b/.test(error.message) ? wrong("sdtp.scorer", error.message)
        : signal.aborted ? new ApiError(499, "the client went away", { type: "client_closed" })
        : new ApiError(500, error.message, { type: "server_error" });
      if (known.status === 500) options.onError?.(error);
      status = String(known.status);
      return known;
    };
    const head = { id: answered.id, created: answered.created, model: answered.model };
    const usage = () => ({ ...answered.usage, total_tokens: answered.usage.prompt_tokens + answered.usage.completion_tokens });
    const kept = () => ({ sdtp: answered.kept.length === 1 ? answered.kept[0] : answered.kept });

    if (!request.stream) {
      try {
        const all: Part[] = await turns.admit(signal, async () => {
          const found: Part[] = [];
          for await (const part of timed()) found.push(part);
          return found;
        });
        return c.json({ ...head, object: shape.object, choices: shape.whole(all), usage: usage(), ...kept() });
      } catch (error) {
        throw failed(error as Error);
      }
    }
    // A place among those that run is had before the first byte goes out: a refusal has its own status.
    let begin!: () => void;
    let over!: () => void;
    const begun = new Promise<void>((resolve) => (begin = resolve));
    const done = new Promise<void>((resolve) => (over = resolve));
    const place = turns.admit(signal, () => (begin(), done));
    try {
      await Promise.race([begun, place]);
    } catch (error) {
      throw failed(error as Error);
    }
    return streamSSE(c, async (stream) => {
      const gone = new AbortController();
      stream.onAbort(() => gone.abort());
      const seen = new Set<number>();
      const withUsage = request.stream_options?.include_usage === true;
      // A client that reads nothing more is not waited for longer than any other.
      const write = (data: object) => unlessAborted(stream.writeSSE({ data: JSON.stringify(data) }), signal);
      const ending = (part: Part) => !withUsage && part.finish_reason !== null;
      try {
        for await (const part of ahead(timed())) {
          gone.signal.throwIfAborted();
          signal.throwIfAborted();
          const first = !seen.has(part.index);
          seen.add(part.index);
          await write({ ...head, object: shape.chunk, choices: [shape.delta(part, first)], ...(withUsage && { usage: null }), ...(ending(part) && kept()) });
        }
        // Without a choice only for those who asked for it: others look at the first one.
        if (withUsage) await write({ ...head, object: shape.chunk, choices: [], usage: usage(), ...kept() });
        await stream.writeSSE({ data: "[DONE]" });
      } catch (error) {
        const known = gone.signal.aborted ? new ApiError(499, "the client went away") : failed(error as Error);
        status = String(known.status);
        if (!gone.signal.aborted) void stream.writeSSE({ data: JSON.stringify(known.body) }).catch(() => {});
      } finally {
        over();
        await place;
        metrics.requests.inc({ route, status });
      }
    });
  }
  return app;
}

function isKey(header: string | undefined, key: string): boolean {
  const [given, wanted] = [Buffer.from(header ?? ""), Buffer.from(`Bearer ${key}`)];
  return given.length === wanted.length && timingSafeEqual(given, wanted);
}

/** Parts of one choice, in order. */
function byChoice<Part extends { index: number }>(parts: readonly Part[]): Part[][] {
  const choices: Part[][] = [];
  for (const part of parts) (choices[part.index] ??= []).push(part);
  return choices;
}

const completions: Shape<CompletionPart> = {
  object: "text_completion",
  chunk: "text_completion",
  whole: (parts) => byChoice(parts).map((choice, index) => {
    const found = choice.flatMap(({ logprobs }) => logprobs ?? []);
    const logprobs = found.length === 0 ? null : {
      tokens: found.flatMap(({ tokens }) => tokens),
      token_logprobs: found.flatMap(({ token_logprobs }) => token_logprobs),
      top_logprobs: found.flatMap(({ top_logprobs }) => top_logprobs),
      text_offset: found.flatMap(({ text_offset }) => text_offset),
    };
    return { index, text: choice.map(({ text }) => text).join(""), logprobs, finish_reason: choice.at(-1)!.finish_reason };
  }),
  delta: (part) => part,
};

const chats: Shape<ChatPart> = {
  object: "chat.completion",
  chunk: "chat.completion.chunk",
  whole: (parts) => byChoice(parts).map((choice, index) => {
    const content = choice.flatMap(({ logprobs }) => logprobs ?? []);
    const logprobs = choice.some((part) => part.logprobs) ? { content, refusal: null } : null;
    return { index, message: { role: "assistant", content: choice.map(({ text }) => text).join(""), refusal: null }, logprobs, finish_reason: choice.at(-1)!.finish_reason };
  }),
  delta: ({ index, text, logprobs, finish_reason }, first) => ({ index, delta: { ...(first && { role: "assistant" }), content: text }, logprobs: logprobs && { content: logprobs, refusal: null }, finish_reason }),
};
