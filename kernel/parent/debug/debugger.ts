import { readFile } from "node:fs/promises";
import type { JsonObject } from "../../../lib/jupyter/messages.js";
import type { FromChild, InspectorCall, RunCell } from "../../messages.js";
import { Breakpoints } from "./breakpoints.js";
import { Inspector } from "./inspector.js";
import { asRequest, type DapRequest, integer, lines, path, range, strings, text } from "./protocol.js";
import { sparing } from "./sparing.js";
import { cellPath, PREFIX, Scripts, SEED, SUFFIX } from "./scripts.js";
import { evaluate, type Frame, framesOf, isElsewhere, type Paused, Stop } from "./stop.js";

/** JavaScript has one. */
const THREAD = 1;

/** Where nobody wants to stop. */
const BLACKBOX = ["^node:", "[\\\\/]node_modules[\\\\/]", "[\\\\/]dist[\\\\/](kernel|lib)[\\\\/]"];

const EXCEPTIONS = [
  { filter: "uncaught", label: "Uncaught Exceptions", default: false },
  { filter: "all", label: "All Exceptions", default: false },
];

const TYPESCRIPT = "text/typescript";

const NAME = /^[\p{ID_Start}$_][\p{ID_Continue}$\u200c\u200d]*$/u;

export interface DebuggerHost {
  /** A request to V8's inspector of the execution process. @param ends what stands still there is to end as soon as it goes on */
  inspect(call: InspectorCall, ends: boolean): void;
  /** Lets a cell run that was held. */
  letGo(run: number): void;
  /** A debug_event for all clients. */
  event(content: JsonObject): void;
  /** Whether what is thrown at a place of a text is caught in the function around it. */
  isCaught(text: string, line: number, column: number): Promise<boolean>;
}

/** Milliseconds in which the answer to a step arrives: JupyterLab forgets where it stands with it, so that a stop that is told before would not be seen. */
const AFTER_REPLY = 50;

/** Bodies of replies that failed: JupyterLab reads the list without looking whether there is one, as when a thread went on before it had asked all it shows. */
const EMPTY: Readonly<Record<string, JsonObject>> = { scopes: { scopes: [] }, variables: { variables: [] }, inspectVariables: { variables: [] }, stackTrace: { stackFrames: [] }, setBreakpoints: { breakpoints: [] }, modules: { modules: [] } };

/**
 * Answers debug_request: the Debug Adapter Protocol, with what Jupyter adds to it (debugInfo, dumpCell, inspectVariables,
 * richInspectVariables). Source: https://jupyter-client.readthedocs.io/en/stable/messaging.html#debug-request
 * It lives in the kernel process and so answers while the process that runs cells stands at a breakpoint. Variables can be
 * looked at without a session. Until a client attaches, V8's debugger is off and cells run as without one.
 */
export class Debugger {
  /** What ran: noted from the start, so that breakpoints can be set in functions of cells that ran before. */
  readonly scripts = new Scripts();
  readonly #host: DebuggerHost;
  readonly #inspector: Inspector;
  readonly #breakpoints: Breakpoints;
  /** Cells' texts by their paths, as the front end gave them. */
  readonly #dumped = new Map<string, string>();
  /** Cells that are held, by their runs. */
  readonly #held = new Map<number, string>();
  /** The notebook's variables. */
  readonly #globals: () => Promise<JsonObject[]>;
  #started = false;
  #typed = true;
  #attached = false;
  /** Whether the process of now knows. */
  #enabled = false;
  #skipping = false;
  #filters: string[] = [];
  #stop: Stop | undefined;
  /** Why it will stop, where that was asked for. */
  #asked: "step" | "pause" | undefined;
  /** A step goes on until it comes to another line: a line may be several statements for V8, and so may an `await`. */
  #step: { method: string; from: Frame[] } | undefined;
  /** Until whoever had it go on has the answer. */
  #answered: Promise<unknown> = Promise.resolve();
  #seq = 0;

  constructor(host: DebuggerHost) {
    this.#host = host;
    this.#inspector = new Inspector((call, ends) => host.inspect(call, ends));
    this.#breakpoints = new Breakpoints(this.#inspector, this.scripts);
    this.#globals = sparing(() => this.#inspector.hook<JsonObject[]>("globals", []), () => this.#stop === undefined);
  }

  /** The content of the reply to a debug_request. Never throws. */
  async answer(content: JsonObject): Promise<JsonObject> {
    const reply = { seq: ++this.#seq, type: "response", request_seq: typeof content.seq === "number" ? content.seq : 0, command: String(content.command ?? "") };
    try {
      return { ...reply, success: true, body: await this.#handle(asRequest(content)) };
    } catch (error) {
      return { ...reply, success: false, message: (error as Error).message, body: EMPTY[reply.command] ?? {} };
    }
  }

  /** Makes the process ready for a cell. @returns whether the cell must be held until breakpoints are set in it */
  async ready(): Promise<boolean> {
    if (!this.#attached) return false;
    try {
      if (!this.#enabled) await this.#enable();
      if (this.#skipping) await this.#skip(false);
    } catch {
      // The process ended; the cell finds that out.
      return false;
    }
    return true;
  }

  /** A cell that must be held is about to be sent. */
  sends({ run, name }: RunCell): void {
    this.#held.set(run, name);
  }

  /** What the execution process has to say. */
  received(message: FromChild & { type: "inspector" | "inspector-event" | "held" }): void {
    if (message.type === "inspector") this.#inspector.answered(message);
    else if (message.type === "held") void this.#place(message.run);
    else if (message.method === "Debugger.scriptParsed") this.scripts.parsed(String(message.params.url), String(message.params.scriptId));
    else if (message.method === "Debugger.paused") void this.#paused(message.params as unknown as Paused);
    else if (message.method === "Debugger.resumed") this.#resumed();
  }

  /** What runs is interrupted: nothing stops any more until the next cell. @returns whether it stands still, and is ended here */
  interrupted(): boolean {
    if (!this.#enabled) return false;
    void this.#skip(true).catch(() => undefined);
    const stands = this.#stop !== undefined;
    if (stands) void this.#inspector.post("Debugger.resume", {}, true).catch(() => undefined);
    return stands;
  }

  /** The execution process ended. */
  lost(): void {
    this.#inspector.lost();
    this.scripts.clear();
    this.#breakpoints.forgetPlaces();
    this.#held.clear();
    this.#enabled = this.#skipping = false;
    this.#resumed();
  }

  async #handle({ command, args }: DapRequest): Promise<JsonObject> {
    switch (command) {
      case "debugInfo":
        return { isStarted: this.#started, hashMethod: "Murmur2", hashSeed: SEED, tmpFilePrefix: PREFIX, tmpFileSuffix: SUFFIX, breakpoints: this.#breakpoints.list(), stoppedThreads: this.#stop ? [THREAD] : [], richRendering: true, exceptionPaths: [], copyToGlobals: false };
      case "inspectVariables":
        return { variables: this.#shown(await this.#globals()) };
      case "richInspectVariables":
        return this.#rich(text(args, "variableName"), args);
      case "variables": {
        const from = typeof args.start === "number" ? args.start : 0;
        return { variables: this.#shown(await this.#inspector.hook<JsonObject[]>("variables", [integer(args, "variablesReference"), from, ...(typeof args.count === "number" && args.count > 0 ? [args.count] : [])])) };
      }
      case "dumpCell": {
        const sourcePath = cellPath(text(args, "code"));
        this.#dumped.set(sourcePath, text(args, "code"));
        return { sourcePath };
      }
      case "source": {
        const content = this.#dumped.get(path(args)) ?? this.scripts.text(path(args));
        return content === undefined ? this.#file(path(args)) : { content, mimeType: TYPESCRIPT };
      }
      case "modules": {
        const modules = this.scripts.modules();
        return { modules: modules.slice(...range(args, "startModule", "moduleCount")), totalModules: modules.length };
      }
      case "threads":
        return { threads: [{ id: THREAD, name: "cells" }] };
      case "initialize":
        this.#started = true;
        this.#typed = args.clientID !== "jupyterlab";
        this.#event("initialized");
        return { supportsConfigurationDoneRequest: true, supportsModulesRequest: true, exceptionBreakpointFilters: EXCEPTIONS };
    }
    if (!this.#started) throw new Error(`command: ${command} (not supported, or the debugger was not started: initialize)`);
    return this.#inSession({ seq: 0, command, args });
  }

  /** Requests that need a debugger that was started. */
  async #inSession({ command, args }: DapRequest): Promise<JsonObject> {
    switch (command) {
      case "attach":
        this.#attached = true;
        await this.#enable();
        return {};
      case "configurationDone":
        return {};
      case "setBreakpoints":
        return { breakpoints: await this.#breakpoints.replace(path(args), lines(args)) };
      case "setExceptionBreakpoints": {
        const filters = strings(args, "filters");
        const unknown = filters.find((each) => !EXCEPTIONS.some(({ filter }) => filter === each));
        if (unknown !== undefined) throw new Error(`filters: ${JSON.stringify(unknown)} (must be uncaught or all)`);
        this.#filters = filters;
        if (this.#enabled) await this.#pauseOnExceptions();
        return { breakpoints: filters.map(() => ({ verified: true })) };
      }
      case "stackTrace":
        return this.#stop?.stackTrace() ?? { stackFrames: [], totalFrames: 0 };
      case "scopes":
        return this.#stopped(command).scopes(integer(args, "frameId"));
      case "evaluate":
        return this.#evaluate(args);
      case "pause":
        this.#asked = "pause";
        await this.#inspector.post("Debugger.pause");
        return {};
      case "continue":
        return this.#go(command, "Debugger.resume");
      case "next":
        return this.#go(command, "Debugger.stepOver");
      case "stepIn":
        return this.#go(command, "Debugger.stepInto");
      case "stepOut":
        return this.#go(command, "Debugger.stepOut");
      case "disconnect":
        return this.#disconnect();
      default:
        throw new Error(`command: ${command} (not supported by this kernel)`);
    }
  }

  /** The text of a file whose code runs. @throws for any other */
  async #file(wanted: string): Promise<JsonObject> {
    if (!this.scripts.modules().some((module) => module.path === wanted)) throw new Error(`source: ${wanted} (no cell has this path, and no module that runs)`);
    const content = await readFile(wanted, "utf8").catch((error: NodeJS.ErrnoException) => {
      throw new Error(`source: ${wanted} (cannot be read: ${error.code})`);
    });
    return { content, mimeType: /\.[cm]?tsx?$/.test(wanted) ? TYPESCRIPT : "text/javascript" };
  }

  async #evaluate(args: JsonObject): Promise<JsonObject> {
    const expression = text(args, "expression");
    try {
      const value = await evaluate(this.#inspector, expression, this.#callFrame(args));
      const { value: result, type, variablesReference } = await this.#inspector.hook<{ value: string; type: string; variablesReference: number }>("describe", ["", value]);
      return { result, type, variablesReference };
    } catch (error) {
      // Of a console that sees the reply fail, JupyterLab shows no reason.
      if (args.context !== "repl") throw error;
      return { result: `Uncaught ${(error as Error).message}`, type: "error", variablesReference: 0 };
    }
  }

  /** JupyterLab shows a variable's type in the place of its value, unless it is one of Python's. */
  #shown(variables: JsonObject[]): JsonObject[] {
    return this.#typed ? variables : variables.map(({ type, ...variable }) => variable);
  }

  async #enable(): Promise<void> {
    await this.#inspector.post("Debugger.enable");
    await this.#inspector.post("Debugger.setBlackboxPatterns", { patterns: BLACKBOX });
    this.#enabled = true;
    await this.#pauseOnExceptions();
  }

  /** Every exception of a cell is caught by the kernel at last, so that V8 knows of no uncaught one: which are is for {@link #isWanted} to tell. */
  #pauseOnExceptions(): Promise<unknown> {
    return this.#inspector.post("Debugger.setPauseOnExceptions", { state: this.#filters.length > 0 ? "all" : "none" });
  }

  async #skip(skip: boolean): Promise<void> {
    this.#skipping = skip;
    await this.#inspector.post("Debugger.setSkipAllPauses", { skip });
  }

  async #disconnect(): Promise<JsonObject> {
    this.#started = this.#attached = this.#enabled = false;
    this.#filters = [];
    this.#breakpoints.clear();
    if (this.#stop) await this.#inspector.post("Debugger.resume").catch(() => undefined);
    await this.#inspector.post("Debugger.disable");
    this.scripts.clear();
    this.#resumed();
    this.#typed = true;
    this.#event("terminated");
    return {};
  }

  #stopped(command: string): Stop {
    if (!this.#stop) throw new Error(`${command}: nothing stands at a breakpoint`);
    return this.#stop;
  }

  #callFrame({ frameId }: JsonObject): string | undefined {
    return typeof frameId === "number" && this.#stop ? this.#stop.callFrame(frameId) : undefined;
  }

  async #go(command: string, method: string): Promise<JsonObject> {
    const { frames } = this.#stopped(command);
    this.#asked = command === "continue" ? undefined : "step";
    this.#step = command === "next" || command === "stepIn" ? { method, from: frames } : undefined;
    await this.#inspector.post(method);
    this.#answered = new Promise((resolve) => setTimeout(resolve, AFTER_REPLY));
    return command === "continue" ? { allThreadsContinued: true } : {};
  }

  async #rich(name: string, args: JsonObject): Promise<JsonObject> {
    if (!NAME.test(name)) return { data: {}, metadata: {} };
    const frame = this.#callFrame(args);
    if (frame === undefined) return this.#inspector.hook<JsonObject>("richGlobal", [name, this.#stop === undefined], this.#stop === undefined);
    return this.#inspector.hook<JsonObject>("rich", [await evaluate(this.#inspector, name, frame), false]);
  }

  /** Sets the breakpoints of a cell that was compiled and waits, and lets it go. */
  async #place(run: number): Promise<void> {
    const name = this.#held.get(run);
    this.#held.delete(run);
    try {
      if (name !== undefined && this.#enabled) await this.#breakpoints.place(await this.scripts.id(name));
    } catch {
      // The process ended.
    }
    this.#host.letGo(run);
  }

  async #paused(paused: Paused): Promise<void> {
    const frames = framesOf(paused, this.scripts);
    const isException = paused.reason === "exception" || paused.reason === "promiseRejection";
    try {
      if (frames[0]?.frame !== paused.callFrames[0]) {
        // A step led into code that nobody wrote here, or out of the cell.
        const isBehind = this.scripts.script(paused.callFrames[0]?.location.scriptId ?? "") !== undefined;
        return void (await this.#inspector.post(isException || isBehind || frames.length === 0 ? "Debugger.resume" : "Debugger.stepOut"));
      }
      if (!isException && (paused.hitBreakpoints?.length ?? 0) === 0 && this.#step && !isElsewhere(frames, this.#step.from)) return void (await this.#inspector.post(this.#step.method));
      if (isException && !(await this.#isWanted(frames))) return void (await this.#inspector.post("Debugger.resume"));
    } catch {
      return;
    }
    this.#step = undefined;
    const stop = (this.#stop = new Stop(frames, this.#inspector));
    const reason = isException ? "exception" : (paused.hitBreakpoints?.length ?? 0) > 0 ? "breakpoint" : (this.#asked ?? "breakpoint");
    this.#asked = undefined;
    await this.#answered;
    if (this.#stop !== stop) return;
    this.#event("stopped", { reason, threadId: THREAD, allThreadsStopped: true, ...(isException && { text: paused.data?.description?.split("\n")[0] ?? String(paused.data?.value) }) });
  }

  async #isWanted(frames: Stop["frames"]): Promise<boolean> {
    if (this.#filters.includes("all")) return true;
    for (const { script, position } of frames) if (script.text !== undefined && (await this.#host.isCaught(script.text, position.line, position.column))) return false;
    return true;
  }

  #resumed(): void {
    if (!this.#stop) return;
    this.#stop = undefined;
    this.#event("continued", { threadId: THREAD, allThreadsContinued: true });
  }

  #event(event: string, body: JsonObject = {}): void {
    this.#host.event({ type: "event", seq: ++this.#seq, event, body });
  }
}
