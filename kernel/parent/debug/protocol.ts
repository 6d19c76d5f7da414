import type { JsonObject } from "../../../lib/jupyter/messages.js";

/** A request of the Debug Adapter Protocol: https://microsoft.github.io/debug-adapter-protocol/specification */
export interface DapRequest {
  seq: number;
  command: string;
  args: JsonObject;
}

/** Reads the content of a debug_request. @throws where it is none */
export function asRequest(content: JsonObject): DapRequest {
  const { seq, command, arguments: args = {} } = content;
  if (typeof command !== "string") throw new Error(`command: ${JSON.stringify(command)} (must be a string, such as "debugInfo")`);
  if (typeof args !== "object" || args === null || Array.isArray(args)) throw new Error(`arguments: ${JSON.stringify(args)} (must be an object)`);
  return { seq: typeof seq === "number" ? seq : 0, command, args };
}

export function text(args: JsonObject, name: string): string {
  const value = args[name];
  if (typeof value !== "string") throw new Error(`${name}: ${JSON.stringify(value)} (must be a string)`);
  return value;
}

export function integer(args: JsonObject, name: string): number {
  const value = args[name];
  if (typeof value !== "number" || !Number.isInteger(value)) throw new Error(`${name}: ${JSON.stringify(value)} (must be an integer)`);
  return value;
}

export function path(args: JsonObject): string {
  const { source } = args;
  if (typeof source !== "object" || source === null || Array.isArray(source)) throw new Error(`source: ${JSON.stringify(source)} (must be an object with a path)`);
  return text(source, "path");
}

/** The lines of setBreakpoints. */
export function lines({ breakpoints = [] }: JsonObject): number[] {
  if (!Array.isArray(breakpoints)) throw new Error(`breakpoints: ${JSON.stringify(breakpoints)} (must be a list)`);
  return breakpoints.map((each) => {
    if (typeof each !== "object" || each === null || Array.isArray(each)) throw new Error(`breakpoints: ${JSON.stringify(each)} (must be an object with a line)`);
    return integer(each, "line");
  });
}

export function strings(args: JsonObject, name: string): string[] {
  const value = args[name];
  if (!Array.isArray(value) || !value.every((each) => typeof each === "string")) throw new Error(`${name}: ${JSON.stringify(value)} (must be a list of strings)`);
  return value as string[];
}
