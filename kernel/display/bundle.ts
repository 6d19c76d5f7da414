import { types } from "node:util";
import type { JsonObject, MimeBundle } from "../../lib/jupyter/messages.js";
import { isBroken } from "./broken.js";
import type { Formatted } from "./format.js";
import { formats } from "./registry.js";
import { asText } from "./text.js";

const displaySymbol = Symbol.for("Jupyter.display");

/**
 * How `value` looks: by its own `Jupyter.display` method, else by the registry, else by `toHTML()`,
 * else as text. Always holds text/plain.
 */
export function toBundle(value: unknown): MimeBundle | Promise<MimeBundle> {
  // A value behind a proxy may throw at whatever it is asked; how it says it looks is the author's business.
  if (!types.isProxy(value) || answers(value)) {
    const own = (value as { [displaySymbol]?: unknown } | null | undefined)?.[displaySymbol];
    if (typeof own === "function") {
      const formatted = own.call(value) as Formatted | Promise<Formatted>;
      return formatted instanceof Promise ? formatted.then((made) => complete(made, value)) : complete(formatted, value);
    }
    for (const format of formats()) {
      const formatted = attempt(() => format(value));
      if (formatted instanceof Promise) return formatted.then((made) => complete(made, value));
      if (formatted) return complete(formatted, value);
    }
  }
  return { data: { "text/plain": asText(value) }, metadata: {} };
}

/** Whether a proxy lets itself be asked what it is. */
function answers(value: unknown): boolean {
  return attempt(() => {
    void (value as { [displaySymbol]?: unknown })[displaySymbol];
    void (value as { constructor?: unknown }).constructor;
    return true;
  }) === true;
}

/** A getter of a value of somebody's may throw: then it is no value of this kind. What is thrown by an interrupt goes on. */
function attempt<T>(work: () => T): T | undefined {
  try {
    return work();
  } catch (error) {
    if (isBroken(error)) throw error;
    return undefined;
  }
}

/** How a value looks, with the text that stands for it everywhere. */
function complete(formatted: Formatted, value: unknown): MimeBundle {
  const bundle = asGiven(formatted);
  bundle.data["text/plain"] ??= asText(value);
  return bundle;
}

/** A bundle as a cell gave it, as the protocol wants it. */
export function asGiven(formatted: Formatted): MimeBundle {
  const isBundle = formatted && typeof formatted.data === "object" && formatted.data !== null && !Object.keys(formatted).some((key) => key.includes("/"));
  const data = (isBundle ? formatted.data : formatted) as Record<string, unknown>;
  const metadata = (isBundle ? (formatted.metadata ?? {}) : {}) as JsonObject;
  const out: JsonObject = {};
  for (const [type, content] of Object.entries(data ?? {})) {
    if (content instanceof Uint8Array) out[type] = Buffer.from(content).toString("base64");
    else if (content !== undefined) out[type] = jsonSafe(content);
  }
  return { data: out, metadata: jsonSafe(metadata) as JsonObject };
}

/** What JSON can hold of `value`: typed arrays become arrays, bigint numbers, cycles an error. */
export function jsonSafe(value: unknown): JsonObject[string] {
  return JSON.parse(
    JSON.stringify(value, (_, each: unknown) => {
      if (typeof each === "bigint") return Number(each);
      if (ArrayBuffer.isView(each) && !(each instanceof DataView)) return [...(each as unknown as Iterable<number>)];
      return each;
    }) ?? "null",
  ) as JsonObject[string];
}
