import { Agent, request as httpRequest, type ClientRequest, type IncomingMessage } from "node:http";
import { Agent as SecureAgent, request as httpsRequest } from "node:https";
import { EventLines } from "./event-lines.js";
import type { Kind, Planned } from "./workload.js";

/**
 * How a request ended: its answer came whole; its client went away, as it was to; it was refused as wrong (4xx); there was no
 * room for it (429, 503); the server said that it took too long (408, 504); that it failed (5xx, or an error in the middle of the
 * stream); or nothing said how it ended: the connection broke, the stream stopped before its end, or nothing came within the
 * client's time limit.
 */
export type Ending = "completed" | "cancelled" | "refused" | "busy" | "timed_out" | "failed" | "lost";

/** A request and what became of it; times in seconds. */
export interface Sample {
  readonly index: number;
  readonly kind: Kind;
  readonly defect: string | null;
  /** After the start of the measurement. */
  readonly start: number;
  readonly ended: Ending;
  readonly status: number | null;
  readonly error: string | null;
  readonly prompt_tokens: number | null;
  readonly output_tokens: number;
  /** To the first piece of text; null where none came. */
  readonly ttft: number | null;
  /** Between pieces of text. */
  readonly itl: readonly number[];
  /** To the last piece of the answer, or to how else it ended. */
  readonly e2el: number;
}

/** A server's route. */
export interface Target {
  readonly url: URL;
  readonly headers: Readonly<Record<string, string>>;
  /** Seconds after which an answer that has not ended counts as lost. */
  readonly timeout: number;
  readonly agent: Agent;
}

/** @param url of the route */
export function target(url: string, headers: Readonly<Record<string, string>>, timeout: number): Target {
  const to = new URL(url);
  const options = { keepAlive: true, maxSockets: Infinity };
  return { url: to, headers, timeout, agent: to.protocol === "https:" ? new SecureAgent(options) : new Agent(options) };
}

/** What the stream has said so far. */
interface Answer {
  ttft: number | null;
  itl: number[];
  last: number;
  pieces: number;
  prompt_tokens: number | null;
  completion_tokens: number | null;
  finished: boolean;
  error: string | null;
  timedOut: boolean;
}

/**
 * Sends a request and reads its stream to whatever end it has.
 * @param begin `performance.now()` at the start of the measurement @param offset seconds that were measured before it
 * @returns null where `signal` ended it: then nothing is known of it
 */
export function ask({ url, headers, timeout, agent }: Target, planned: Planned, body: Buffer, begin: number, offset: number, signal: AbortSignal): Promise<Sample | null> {
  return new Promise((resolve) => {
    const sent = performance.now();
    const since = () => (performance.now() - sent) / 1e3;
    const answer: Answer = { ttft: null, itl: [], last: 0, pieces: 0, prompt_tokens: null, completion_tokens: null, finished: false, error: null, timedOut: false };
    const timers: NodeJS.Timeout[] = [];
    let over = false;
    const end = (ended: Ending | null, status: number | null, error: string | null) => {
      if (over) return;
      over = true;
      timers.forEach(clearTimeout);
      signal.removeEventListener("abort", stop);
      if (ended !== "completed") request.destroy();
      const { index, kind, defect } = planned;
      resolve(ended === null ? null : {
        index, kind, defect, start: offset + (sent - begin) / 1e3, ended, status, error, prompt_tokens: answer.prompt_tokens,
        output_tokens: answer.completion_tokens ?? answer.pieces, ttft: answer.ttft, itl: answer.itl, e2el: ended === "completed" ? answer.last : since(),
      });
    };
    const stop = () => end(null, null, null);
    let request: ClientRequest;
    /** @param fresh by a connection of its own */
    const send = (fresh: boolean) => {
      request = (url.protocol === "https:" ? httpsRequest : httpRequest)(url, { method: "POST", agent: fresh ? false : agent, headers: { ...headers, "Content-Type": "application/json", "Content-Length": body.length } });
      let answered = false;
      request.on("error", (error) => {
        // A server may close a connection that was idle at the moment at which it is used again: it has not seen this request.
        if (!over && !answered && !fresh && request.reusedSocket) send(true);
        else end("lost", null, error.message);
      });
      // Handed to the system: the server is to see it before its client goes away.
      request.on("finish", () => {
        if (planned.cancelAfter === 0) timers.push(setTimeout(() => end("cancelled", null, null), planned.patience * 1e3));
      });
      request.on("response", (response) => {
        answered = true;
        read(response, {
          stream: (event) => {
            take(answer, event, since());
            if (planned.cancelAfter !== null && answer.pieces > 0 && answer.pieces >= planned.cancelAfter) end("cancelled", response.statusCode!, null);
          },
          end: (text) => {
            const status = response.statusCode!;
            if (status !== 200) end(endingOf(status), status, messageOf(text));
            else if (answer.error !== null) end(answer.timedOut ? "timed_out" : "failed", status, answer.error);
            else end(answer.finished ? "completed" : "lost", status, answer.finished ? null : "the stream ended before the answer did");
          },
          broken: (error) => end("lost", response.statusCode!, error.message),
        });
      });
      request.end(body);
    };
    signal.addEventListener("abort", stop);
    timers.push(setTimeout(() => end("lost", null, `nothing ended it within ${timeout} s`), timeout * 1e3));
    send(false);
  });
}

/** Reads a stream of events, or the text of an error. */
function read(response: IncomingMessage, to: { stream: (event: Record<string, unknown>) => void; end: (text: string) => void; broken: (error: Error) => void }): void {
  const lines = new EventLines();
  let text = "";
  response.setEncoding("utf8");
  response.on("data", (piece: string) => {
    if (response.statusCode !== 200) text += piece.slice(0, 10_000 - text.length);
    else for (const event of lines.push(piece)) to.stream(event);
  });
  response.on("end", () => to.end(text));
  response.on("error", to.broken);
  response.on("aborted", () => to.broken(new Error("the connection was closed before the answer's end")));
}

/** One event of the stream. https://platform.openai.com/docs/api-reference/completions */
function take(answer: Answer, event: Record<string, unknown>, now: number): void {
  const { choices, usage, error } = event as { choices?: { text?: string; delta?: { content?: string | null }; finish_reason?: string | null }[]; usage?: { prompt_tokens?: number; completion_tokens?: number } | null; error?: { message?: string; type?: string } };
  if (error) {
    answer.error = error.message ?? JSON.stringify(error);
    answer.timedOut = error.type === "timeout";
  }
  if (usage) {
    answer.prompt_tokens = usage.prompt_tokens ?? answer.prompt_tokens;
    answer.completion_tokens = usage.completion_tokens ?? answer.completion_tokens;
  }
  for (const choice of choices ?? []) {
    if (choice.finish_reason) answer.finished = true;
    const isText = Boolean(choice.text ?? choice.delta?.content);
    if (isText) {
      if (answer.ttft === null) answer.ttft = now;
      else answer.itl.push(now - answer.last);
      answer.pieces++;
    }
    if (isText || choice.finish_reason) answer.last = now;
  }
}

function endingOf(status: number): Ending {
  if (status === 429 || status === 503) return "busy";
  if (status === 408 || status === 504) return "timed_out";
  return status < 500 ? "refused" : "failed";
}

function messageOf(text: string): string {
  try {
    const { error } = JSON.parse(text) as { error?: { message?: string } | string };
    return (typeof error === "string" ? error : error?.message) ?? text.slice(0, 300);
  } catch {
    return text.slice(0, 300);
  }
}
