import type { Context } from "hono";
import { ApiError } from "./api-error.js";

/** Arrays and objects within each other at most: tools are described by schemas, which need some; JSON.parse takes seconds for millions. */
const DEEPEST = 200;

/** A request's body. @throws ApiError where it does not come whole, or is no JSON */
export async function jsonBody(c: Context): Promise<unknown> {
  let bytes: Uint8Array;
  try {
    bytes = new Uint8Array(await c.req.arrayBuffer());
  } catch (error) {
    if (error instanceof ApiError) throw error;
    throw new ApiError(499, `the client went away before its request had come (${(error as Error).message})`, { type: "client_closed" });
  }
  let text: string;
  try {
    text = new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    throw new ApiError(400, "the body is not UTF-8 text");
  }
  if (depth(bytes) > DEEPEST) throw new ApiError(400, `the body is nested deeper than ${DEEPEST} arrays and objects`);
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new ApiError(400, `the body is not JSON (${(error as Error).message})`);
  }
}

const [QUOTE, BACKSLASH] = [0x22, 0x5c];

/** How deep arrays and objects are within each other, by their brackets outside of strings. */
function depth(json: Uint8Array): number {
  let [now, deepest] = [0, 0];
  for (let at = 0; at < json.length; at++) {
    const byte = json[at]!;
    if (byte === QUOTE) {
      for (at++; at < json.length && json[at] !== QUOTE; at++) if (json[at] === BACKSLASH) at++;
    } else if (byte === 0x5b || byte === 0x7b) deepest = Math.max(deepest, ++now);
    else if (byte === 0x5d || byte === 0x7d) now--;
  }
  return deepest;
}
