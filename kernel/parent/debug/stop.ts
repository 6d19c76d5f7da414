import { Script } from "node:vm";
import type { JsonObject } from "../../../lib/jupyter/messages.js";
import { type Inspector, type RemoteObject } from "./inspector.js";
import type { Position, Script as Source, Scripts } from "./scripts.js";

interface CallFrame {
  callFrameId: string;
  functionName: string;
  location: { scriptId: string; lineNumber: number; columnNumber?: number };
  scopeChain: { type: string; object: RemoteObject }[];
}

/** What V8 says where it stands still. */
export interface Paused {
  reason: string;
  callFrames: CallFrame[];
  hitBreakpoints?: string[];
  data?: RemoteObject;
}

export interface Frame {
  id: number;
  frame: CallFrame;
  script: Source;
  position: Position;
}

/** Numbers of frames: those of an earlier stop are never taken for those of a later one. */
let count = 0;

/** Frames of cells and of the notebook's modules, innermost first; the kernel's own are left out. */
export function framesOf({ callFrames }: Paused, scripts: Scripts): Frame[] {
  return callFrames.flatMap((frame) => {
    const { scriptId, lineNumber, columnNumber = 0 } = frame.location;
    const script = scripts.script(scriptId);
    const position = scripts.original(scriptId, lineNumber, columnNumber);
    return script && position ? [{ id: ++count, frame, script, position }] : [];
  });
}

/** Whether the innermost frame is on another line than before, or in another call. */
export function isElsewhere(now: Frame[], before: Frame[]): boolean {
  const [a, b] = [now[0], before[0]];
  return now.length !== before.length || a?.script !== b?.script || a?.position.line !== b?.position.line;
}

/** A process that stands still. */
export class Stop {
  constructor(
    readonly frames: Frame[],
    readonly inspector: Inspector,
  ) {}

  stackTrace(): JsonObject {
    const stackFrames = this.frames.map(({ id, frame, script, position }) => ({
      id,
      name: frame.functionName || script.name,
      ...position,
      source: { name: script.name, path: script.path },
    }));
    return { stackFrames, totalFrames: stackFrames.length };
  }

  async scopes(frameId: number): Promise<JsonObject> {
    const { scopeChain } = this.#frame(frameId).frame;
    const isOuter = ({ type }: { type: string }) => /^(closure|script|module|global)$/.test(type);
    const scope = async (name: string, chain: CallFrame["scopeChain"]) => ({ name, expensive: false, variablesReference: await this.inspector.hook<number>("scope", chain.map(({ object }) => object)) });
    const outer = scopeChain.filter((each) => isOuter(each) && each.type !== "global");
    return {
      scopes: [
        await scope("Locals", scopeChain.filter((each) => !isOuter(each))),
        ...(outer.length > 0 ? [await scope("Closure", outer)] : []),
        { name: "Globals", expensive: false, variablesReference: await this.inspector.hook<number>("globalScope", []) },
      ],
    };
  }

  callFrame(frameId: number): string {
    return this.#frame(frameId).frame.callFrameId;
  }

  /** @throws for a frame of an earlier stop */
  #frame(id: number): Frame {
    const found = this.frames.find((each) => each.id === id);
    if (!found) throw new Error(`frameId: ${id} (must be one of the last stackTrace)`);
    return found;
  }
}

const NAMES = /[\p{ID_Start}$_][\p{ID_Continue}$\u200c\u200d]*/gu;

/**
 * Evaluates JavaScript in a frame, or where none is given among the notebook's variables. Variables of cells that the frame's
 * code does not use are found and assigned to as well, and what is preloaded.
 * @throws what it throws
 */
export async function evaluate(inspector: Inspector, code: string, callFrameId: string | undefined): Promise<RemoteObject> {
  const names = [...new Set(code.match(NAMES))];
  await inspector.hook("lend", names);
  try {
    return await inspector.evaluate(isExpression(code) ? `(${code}\n)` : code, callFrameId);
  } finally {
    await inspector.hook("takeBack", names).catch(() => undefined);
  }
}

/** Whether code that begins like a block is an object. */
function isExpression(code: string): boolean {
  if (!/^\s*\{/.test(code)) return false;
  try {
    new Script(`(${code}\n)`);
    return true;
  } catch {
    return false;
  }
}
