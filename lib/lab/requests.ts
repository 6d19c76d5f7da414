import type { Context } from "hono";
import { Refusal } from "./refusal.js";

/** What follows `prefix` in the address, decoded once, without slashes around it. @throws Refusal */
export function pathAfter(c: Context, prefix: string): string {
  const { pathname } = new URL(c.req.url);
  try {
    return decodeURIComponent(pathname.slice(prefix.length)).replace(/^\/+|\/+$/g, "");
  } catch {
    throw new Refusal(400, `${pathname}: is not UTF-8`);
  }
}

/** The request's JSON object, `{}` where it has none. @throws Refusal */
export async function body<T extends object>(c: Context): Promise<T> {
  const text = await c.req.text();
  let value: unknown;
  try {
    value = text === "" ? {} : JSON.parse(text);
  } catch (error) {
    throw new Refusal(400, `body: is no JSON (${(error as Error).message})`);
  }
  if (value === null || typeof value !== "object" || Array.isArray(value)) throw new Refusal(400, "body: must be a JSON object");
  return value as T;
}
