import { randomUUID } from "node:crypto";
import { Channels } from "./channels.js";
import type { ConnectionInfo } from "./connection.js";
import type {
  Channel,
  CheckReply,
  CommInfoReply,
  CompleteReply,
  ExecuteReply,
  ExecuteRequest,
  HistoryReply,
  InputRequest,
  InspectReply,
  IsCompleteReply,
  KernelInfoReply,
  Message,
} from "./messages.js";
import { createHeader } from "./wire.js";

/** How long to wait and how to stop waiting. Neither stops the kernel: {@link KernelClient.interrupt} does. */
export interface WaitOptions {
  /** Milliseconds; without it, for ever. Rejects with a {@link KernelTimeout}. */
  timeout?: number;
  signal?: AbortSignal;
}

export interface ExecuteOptions extends WaitOptions, Partial<Omit<ExecuteRequest, "code" | "allow_stdin">> {
  /** Called for every message on iopub that this request caused, in order, before the result resolves. */
  onOutput?: (message: Message) => void;
  /** Answers `input`; without it the request forbids asking. */
  onInput?: (request: InputRequest) => string | Promise<string>;
  /** Metadata of the request, such as JupyterLab's `cellId`. */
  metadata?: Message["metadata"];
  /** The subshell that answers, by its id (JEP 91); default the kernel's own shell. */
  subshell?: string;
}

/** Nothing came in time. */
export class KernelTimeout extends Error {
  override name = "KernelTimeout";
}

/** The kernel's process is gone, or the client was closed, while an answer was awaited. */
export class KernelDied extends Error {
  override name = "KernelDied";
}

interface Pending {
  reply?: Message;
  idle: boolean;
  onOutput?: (message: Message) => void;
  onInput?: (request: InputRequest) => string | Promise<string>;
  settle: (error?: Error) => void;
}

/** Milliseconds after which a kernel that starts is asked again: its answer may have come before we listened. */
const ASK_AGAIN = 100;

/**
 * A client of one running kernel, of ours or any other. Requests may overlap; each promise resolves
 * when the reply and the idle status that belong to it have both arrived, so all output has too.
 */
export class KernelClient {
  readonly session = randomUUID();
  readonly #channels: Channels;
  readonly #pending = new Map<string, Pending>();
  readonly #listeners = new Set<(channel: Channel, message: Message) => void>();
  #iopubSeen = false;
  #closed: Error | undefined;

  constructor(connection: ConnectionInfo) {
    this.#channels = new Channels(connection, (channel, message) => this.#receive(channel, message));
  }

  /** Every message that arrives, whoever caused it. Returns a function that ends it. */
  onMessage(listener: (channel: Channel, message: Message) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /**
   * Resolves when the kernel answers and its iopub messages reach us: outputs before the subscription
   * is established would be lost without a trace, so nothing should be executed before this.
   */
  async ready(options: WaitOptions = {}): Promise<KernelInfoReply> {
    const deadline = performance.now() + (options.timeout ?? Infinity);
    for (;;) {
      const left = deadline - performance.now();
      if (left <= 0) throw new KernelTimeout(`kernel: not ready within ${options.timeout} ms`);
      try {
        const info = await this.kernelInfo({ ...options, timeout: Math.min(left, this.#iopubSeen ? left : ASK_AGAIN) });
        if (this.#iopubSeen) return info;
      } catch (error) {
        if (!(error instanceof KernelTimeout)) throw error;
      }
    }
  }

  async kernelInfo(options: WaitOptions = {}): Promise<KernelInfoReply> {
    return (await this.request("shell", "kernel_info_request", {}, options)).content as unknown as KernelInfoReply;
  }

  /** Runs `code`. A cell that throws is a reply with `status: "error"`, not a rejection. */
  async execute(code: string, options: ExecuteOptions = {}): Promise<ExecuteReply> {
    const content: ExecuteRequest = {
      code,
      silent: options.silent ?? false,
      store_history: options.store_history ?? !options.silent,
      user_expressions: options.user_expressions ?? {},
      allow_stdin: options.onInput !== undefined,
      stop_on_error: options.stop_on_error ?? true,
    };
    const reply = await this.request("shell", "execute_request", content, options);
    return { ...(reply.content as unknown as ExecuteReply), ...(Object.keys(reply.metadata).length > 0 && { metadata: reply.metadata }) };
  }

  /** Completions at `cursor` (Unicode code points; default the end). */
  async complete(code: string, cursor = codePoints(code), options: WaitOptions = {}): Promise<CompleteReply> {
    const reply = await this.request("shell", "complete_request", { code, cursor_pos: cursor }, options);
    return reply.content as unknown as CompleteReply;
  }

  async inspect(code: string, cursor = codePoints(code), detail: 0 | 1 = 0, options: WaitOptions = {}): Promise<InspectReply> {
    const content = { code, cursor_pos: cursor, detail_level: detail };
    return (await this.request("shell", "inspect_request", content, options)).content as unknown as InspectReply;
  }

  /**
   * Compiles the cells of a notebook and runs none; what the kernel runs stays as it is. For our own kernel.
   * @throws Error for a kernel that does not know the request
   */
  async check(cells: string[], options: WaitOptions = {}): Promise<CheckReply> {
    const { content } = await this.request("control", "sdtp_check_request", { cells }, options);
    if (content.status !== "ok") throw new Error(`check: ${String(content.evalue ?? "the kernel cannot check cells")}`);
    return content as unknown as CheckReply;
  }

  async isComplete(code: string, options: WaitOptions = {}): Promise<IsCompleteReply> {
    return (await this.request("shell", "is_complete_request", { code }, options)).content as unknown as IsCompleteReply;
  }

  /** `query` holds the fields of a history_request. */
  async history(query: Message["content"], options: WaitOptions = {}): Promise<HistoryReply> {
    return (await this.request("shell", "history_request", query, options)).content as unknown as HistoryReply;
  }

  async commInfo(target?: string, options: WaitOptions = {}): Promise<CommInfoReply> {
    const content = target === undefined ? {} : { target_name: target };
    return (await this.request("shell", "comm_info_request", content, options)).content as unknown as CommInfoReply;
  }

  /** Stops what the kernel runs, by a message on control. */
  async interrupt(options: WaitOptions = {}): Promise<void> {
    await this.request("control", "interrupt_request", {}, options);
  }

  /** Asks the kernel to end. With `restart` it only says so to other clients: start the process again. */
  async shutdown(restart = false, options: WaitOptions = {}): Promise<void> {
    await this.request("control", "shutdown_request", { restart }, options, true);
  }

  /** Makes a subshell, where the kernel has any (`supported_features`): its requests are answered beside those of others. Resolves with its id. @throws Error where it has none */
  async createSubshell(options: WaitOptions = {}): Promise<string> {
    const { content } = await this.request("control", "create_subshell_request", {}, options);
    if (content.status !== "ok") throw new Error(`subshell: ${String(content.evalue ?? "the kernel has none")}`);
    return String(content.subshell_id);
  }

  /** Deletes a subshell; what it runs is interrupted. @throws Error where there is none of that id */
  async deleteSubshell(id: string, options: WaitOptions = {}): Promise<void> {
    const { content } = await this.request("control", "delete_subshell_request", { subshell_id: id }, options);
    if (content.status !== "ok") throw new Error(String(content.evalue));
  }

  /** Ids of the kernel's subshells. */
  async subshells(options: WaitOptions = {}): Promise<string[]> {
    const { content } = await this.request("control", "list_subshell_request", {}, options);
    return (content.subshell_id ?? []) as string[];
  }

  /** Milliseconds of a heartbeat's round trip. @throws where there is none within `timeout` ms. */
  heartbeat(timeout?: number): Promise<number> {
    return this.#channels.heartbeat(timeout);
  }

  /** Sends a message that has no reply (comm messages). Returns its header. */
  async send(channel: "shell" | "control", msgType: string, content: object, { metadata = {}, buffers = [] }: Partial<Pick<Message, "metadata" | "buffers">> = {}) {
    const header = createHeader(msgType, this.session);
    await this.#channels.send(channel, { header, parent_header: {}, metadata, content, buffers, identities: [] });
    return header;
  }

  /**
   * Sends a request and resolves with its reply, once idle was seen as well.
   * @param replyOnly do not wait for idle (a kernel that shuts down may not send it any more)
   */
  request(
    channel: "shell" | "control",
    msgType: string,
    content: object,
    options: ExecuteOptions = {},
    replyOnly = false,
  ): Promise<Message> {
    const header = { ...createHeader(msgType, this.session), ...(options.subshell !== undefined && { subshell_id: options.subshell }) };
    return new Promise<Message>((resolve, reject) => {
      if (this.#closed) return reject(this.#closed);
      if (options.signal?.aborted) return reject(options.signal.reason as Error);
      const abort = () => pending.settle(options.signal?.reason as Error);
      const timer =
        options.timeout === undefined || options.timeout === Infinity
          ? undefined
          : setTimeout(
              () => pending.settle(new KernelTimeout(`${msgType}: no answer within ${Math.round(options.timeout ?? 0)} ms`)),
              options.timeout,
            );
      const pending: Pending = {
        idle: replyOnly,
        settle: (error) => {
          if (!error && !(pending.reply && pending.idle)) return;
          clearTimeout(timer);
          options.signal?.removeEventListener("abort", abort);
          this.#pending.delete(header.msg_id);
          if (pending.reply && !error) resolve(pending.reply);
          else reject(error);
        },
      };
      if (options.onOutput) pending.onOutput = options.onOutput;
      if (options.onInput) pending.onInput = options.onInput;
      this.#pending.set(header.msg_id, pending);
      options.signal?.addEventListener("abort", abort, { once: true });
      const metadata = options.metadata ?? {};
      void this.#channels.send(channel, { header, parent_header: {}, metadata, content, buffers: [], identities: [] });
    });
  }

  /** Rejects everything that is awaited with `reason`; used when the kernel's process ends. */
  abandon(reason: Error): void {
    for (const pending of [...this.#pending.values()]) pending.settle(reason);
  }

  async close(): Promise<void> {
    this.#closed ??= new KernelDied("client: closed");
    this.abandon(this.#closed);
    await this.#channels.close();
  }

  #receive(channel: Channel, message: Message): void {
    if (channel === "iopub") this.#iopubSeen = true;
    const pending = this.#pending.get(String(message.parent_header.msg_id ?? ""));
    if (pending) this.#dispatch(channel, message, pending);
    for (const listener of this.#listeners) listener(channel, message);
  }

  #dispatch(channel: Channel, message: Message, pending: Pending): void {
    if (channel === "stdin") {
      void this.#answer(message, pending);
    } else if (channel === "iopub") {
      pending.onOutput?.(message);
      if (message.header.msg_type === "status" && message.content.execution_state === "idle") {
        pending.idle = true;
        pending.settle();
      }
    } else {
      pending.reply = message;
      pending.settle();
    }
  }

  async #answer(message: Message, pending: Pending): Promise<void> {
    if (message.header.msg_type !== "input_request" || !pending.onInput) return;
    const value = await pending.onInput(message.content as unknown as InputRequest);
    await this.#channels.send("stdin", {
      header: createHeader("input_reply", this.session),
      parent_header: message.header,
      metadata: {},
      content: { status: "ok", value },
      buffers: [],
      identities: [],
    });
  }
}

function codePoints(text: string): number {
  return [...text].length;
}
