import type { FromChild, InspectorCall } from "../../messages.js";

/** A value as V8's inspector tells it. */
export interface RemoteObject {
  type: string;
  subtype?: string;
  className?: string;
  value?: unknown;
  unserializableValue?: string;
  description?: string;
  objectId?: string;
}

interface Evaluated {
  result: RemoteObject;
  exceptionDetails?: { text: string; exception?: RemoteObject };
}

interface Waiting {
  resolve(result: never): void;
  reject(error: Error): void;
}

export const HOOK = `globalThis[Symbol.for("sdtp.debug")]`;

/** V8's inspector of the execution process, and the functions that the process has for a debugger (child/variables.ts). */
export class Inspector {
  readonly #waiting = new Map<number, Waiting>();
  #count = 0;

  /** @param send a request to the process */
  constructor(readonly send: (call: InspectorCall, ends: boolean) => void) {}

  /**
   * @param ends JavaScript that stands still is to end as soon as it goes on
   * @throws what the inspector says against the request, or that the process ended
   */
  post<Result = unknown>(method: string, params: object = {}, ends = false): Promise<Result> {
    const id = ++this.#count;
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject });
      this.send({ id, method, params }, ends);
    });
  }

  answered({ id, result, error }: FromChild & { type: "inspector" }): void {
    const waiting = this.#waiting.get(id);
    this.#waiting.delete(id);
    if (error !== undefined) waiting?.reject(new Error(error));
    else waiting?.resolve(result as never);
  }

  /** The process ended. */
  lost(): void {
    const lost = [...this.#waiting.values()];
    this.#waiting.clear();
    for (const { reject } of lost) reject(new Error("debugger: the process that runs cells ended"));
  }

  /**
   * Calls a function of child/variables.ts.
   * @param given its arguments: what JSON can hold, or values of the process
   * @param waits for a promise that it returns
   * @returns its result, which must be something that JSON can hold
   * @throws what it throws
   */
  async hook<Result>(name: string, given: (RemoteObject | string | number | boolean)[], waits = false): Promise<Result> {
    const { result: hook } = await this.post<Evaluated>("Runtime.evaluate", { expression: HOOK });
    const functionDeclaration = `function (...given) { return this.${name}(...given) }`;
    const evaluated = await this.post<Evaluated>("Runtime.callFunctionOn", { objectId: hook.objectId, functionDeclaration, arguments: given.map(asArgument), returnByValue: true, silent: true, awaitPromise: waits });
    return (checked(evaluated).value ?? null) as Result;
  }

  /** Evaluates an expression in a frame of a process that stands, or globally. @throws what it throws */
  async evaluate(expression: string, callFrameId: string | undefined): Promise<RemoteObject> {
    const how = { expression, silent: true };
    return checked(await (callFrameId === undefined ? this.post<Evaluated>("Runtime.evaluate", how) : this.post<Evaluated>("Debugger.evaluateOnCallFrame", { ...how, callFrameId })));
  }
}

function asArgument(value: RemoteObject | string | number | boolean): object {
  if (typeof value !== "object") return { value };
  if (value.objectId !== undefined) return { objectId: value.objectId };
  return value.unserializableValue === undefined ? { value: value.value } : { unserializableValue: value.unserializableValue };
}

function checked({ result, exceptionDetails }: Evaluated): RemoteObject {
  if (!exceptionDetails) return result;
  const { exception, text } = exceptionDetails;
  throw new Error((exception?.description ?? String(exception?.value ?? text)).split("\n")[0]?.replace(/^Error: /, ""));
}
