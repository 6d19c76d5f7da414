import { randomUUID } from "node:crypto";
import { Kernel } from "../../jupyter/launch.js";
import { PROTOCOL_VERSION, type Message } from "../../jupyter/messages.js";
import { Sockets } from "../../jupyter/sockets.js";
import { createHeader, decode, Signer } from "../../jupyter/wire.js";
import type { ChosenKernel } from "../../notebook/run/kernel.js";
import { Executions, type Execution } from "./executions.js";
import { Link, partsAfterSignature, type Wire } from "./link.js";

export interface KernelModel {
  id: string;
  name: string;
  last_activity: string;
  execution_state: string;
  connections: number;
}

/** What the lab does when something happens to a kernel. */
export interface KernelEvents {
  /** An execution printed something or ended. */
  progressed(kernel: LabKernel, execution: Execution): void;
  /** A tab is no longer there. */
  left(kernel: LabKernel, session: string): void;
  died(kernel: LabKernel): void;
}

/** A kernel that dies so often without a cell that succeeded stays dead. */
const RESTARTS = 3;

/** Milliseconds that a tab may be away before its way to the kernel is forgotten. */
const FORGET = 10 * 60_000;

/** Messages whose loss leaves no tab waiting. */
const DISPOSABLE = new Map<string, "stream" | "display">([["stream", "stream"], ["display_data", "display"], ["update_display_data", "display"]]);

/** A kernel with any number of tabs. What it sends on iopub goes to all of them, in one order. */
export class LabKernel {
  readonly id = randomUUID();
  readonly executions = new Executions();
  readonly #links = new Map<string, Link>();
  readonly #signer: Signer;
  readonly #iopub: Sockets;
  #heard = () => {};
  #lastActivity = new Date();
  #state = "starting";
  #restarts = 0;
  /** The process ends because it is told to. */
  #ending = false;

  private constructor(readonly chosen: ChosenKernel, readonly kernel: Kernel, readonly events: KernelEvents) {
    this.#signer = new Signer(kernel.connection.key, kernel.connection.signature_scheme);
    this.#iopub = new Sockets(kernel.connection, (_, frames) => this.#broadcast(frames), ["iopub"]);
    this.#watch();
  }

  /** @param cwd the notebook's folder @throws where the kernel does not start, with what it wrote */
  static async start(chosen: ChosenKernel, cwd: string, events: KernelEvents): Promise<LabKernel> {
    const kernel = await Kernel.start({
      spec: chosen.spec,
      ...(chosen.resourceDir !== undefined && { resourceDir: chosen.resourceDir }),
      cwd,
      kernelName: chosen.name,
      // By this a kernel knows whose it is, and ends when that process does.
      env: { JPY_PARENT_PID: String(process.pid) },
    });
    const started = new LabKernel(chosen, kernel, events);
    await started.#listening();
    return started;
  }

  get model(): KernelModel {
    return { id: this.id, name: this.chosen.name, last_activity: this.#lastActivity.toISOString(), execution_state: this.#state, connections: [...this.#links.values()].filter((link) => link.attached).length };
  }

  /** A tab is there. */
  isLive(session: string): boolean {
    return this.#links.get(session)?.attached === true;
  }

  /** Connects a tab. @returns what to do with its messages, and when it goes */
  connect(session: string, wire: Wire): { receive(bytes: Buffer): Promise<void>; closed(): void } {
    let link = this.#links.get(session);
    if (!link) {
      link = new Link(session, this.kernel.connection, this.#signer, (channel, parts) => this.#sent(channel, parts));
      this.#links.set(session, link);
    }
    const connected = link;
    connected.attach(wire);
    return {
      receive: (bytes) => connected.receive(bytes),
      closed: () => {
        if (!connected.detach(wire)) return;
        this.events.left(this, session);
        setTimeout(() => void (connected.attached || this.#links.get(session) !== connected || (this.#links.delete(session), connected.close("away"))), FORGET).unref();
      },
    };
  }

  /**
   * Tells a tab, among the outputs, that it has been told of all that came before.
   * @returns the message's id; undefined where the tab is not there
   */
  mark(session: string): string | undefined {
    const link = this.#links.get(session);
    if (!link?.attached) return undefined;
    const header = { ...createHeader("sdtp_mark", this.id, "sdtp lab"), version: PROTOCOL_VERSION };
    link.deliver("iopub", [header, {}, {}, {}].map((part) => Buffer.from(JSON.stringify(part))));
    return header.msg_id;
  }

  interrupt(): Promise<void> {
    return this.kernel.interrupt({ timeout: 10_000 }).catch(() => undefined);
  }

  /** A new process; variables are gone. */
  async restart(): Promise<void> {
    this.#ending = true;
    this.#died("the kernel was restarted");
    await this.#renew();
    this.#restarts = 0;
  }

  /** Ends the process and the tabs' connections. */
  async shutdown(): Promise<void> {
    this.#ending = true;
    this.#died("the kernel was shut down");
    await this.kernel.shutdown();
    await this.#iopub.close();
    await Promise.all([...this.#links.values()].map((link) => link.close("the kernel was shut down")));
    this.#links.clear();
    this.#state = "dead";
  }

  async #renew(): Promise<void> {
    this.#state = "restarting";
    try {
      await this.kernel.restart();
      await this.#listening();
    } finally {
      this.#ending = false;
    }
    this.#watch();
    this.#state = "idle";
  }

  /** Waits until messages on iopub arrive here: outputs before that would be lost. */
  async #listening(): Promise<void> {
    let heard = false;
    this.#heard = () => (heard = true);
    while (!heard) {
      await this.kernel.client.kernelInfo({ timeout: 30_000 });
      if (!heard) await new Promise((resolve) => setTimeout(resolve, 20));
    }
    this.#heard = () => {};
  }

  /** A process that ends by itself is started again, and the tabs are told. */
  #watch(): void {
    const { exited } = this.kernel;
    void exited.then(async () => {
      if (this.#ending || this.kernel.exited !== exited) return;
      this.#died("the kernel ended while the cell ran");
      this.events.died(this);
      if (this.#restarts++ >= RESTARTS) return this.#say("dead");
      this.#say("restarting");
      this.#ending = true;
      await this.#renew().then(() => this.#say("idle"), () => this.#say("dead"));
    });
  }

  #died(reason: string): void {
    const running = this.executions.all().filter(({ done }) => !done);
    this.executions.died(reason);
    for (const execution of running) this.events.progressed(this, execution);
  }

  /** A status of the server's own, to every tab. */
  #say(state: string): void {
    this.#state = state;
    const header = { ...createHeader("status", this.id, "sdtp lab"), version: PROTOCOL_VERSION };
    const parts = [header, {}, {}, { execution_state: state }].map((part) => Buffer.from(JSON.stringify(part)));
    for (const link of this.#links.values()) link.deliver("iopub", parts);
  }

  #broadcast(frames: Buffer[]): void {
    this.#heard();
    let message: Message;
    try {
      message = decode(frames, this.#signer);
    } catch {
      return;
    }
    this.#lastActivity = new Date();
    const { msg_type: type } = message.header;
    if (type === "status") this.#state = String(message.content.execution_state);
    if (type === "execute_input") this.#restarts = 0;
    const execution = this.executions.received(message);
    const parts = partsAfterSignature(frames);
    for (const link of this.#links.values()) link.deliver("iopub", parts, DISPOSABLE.get(type));
    if (execution) this.events.progressed(this, execution);
  }

  #sent(channel: string, parts: readonly Buffer[]): void {
    this.#lastActivity = new Date();
    if (channel !== "shell") return;
    const [header, , metadata, content] = parts;
    this.executions.sent(JSON.parse(String(header)), JSON.parse(String(metadata)), () => JSON.parse(String(content)));
  }
}
