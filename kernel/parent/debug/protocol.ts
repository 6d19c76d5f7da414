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

/** From where and to where in a list: all of it where no count is given, or 0. */
export function range(args: JsonObject, start: string, count: string): [number, number] {
  const [from, many] = [start, count].map((name) => {
    const value = args[name] === undefined ? 0 : integer(args, name);
    if (value < 0) throw new Error(`${name}: ${value} (must not be negative)`);
    return value;
  }) as [number, number];
  return [from, many === 0 ? Infinity : from + many];
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
