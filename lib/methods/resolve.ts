import { isDeepStrictEqual } from "node:util";
import { methodNames, methods } from "./all.js";
import { compose } from "./compose.js";
import { checkedMethod, type Method, type MethodStage, type UserMethod } from "./method.js";
import { cascade, keep } from "./sdtp.js";

/**
 * A method by what a user writes for it, or a user's own plain object made whole.
 *
 * As text: the name of one that is shipped; `keepNN` and `cascadeNN` with any share (`keep05` and `keep50` keep half, `keep085` 85 %);
 * stages of one's own, `BLOCK:SHARE` parted by commas, stated for a model of 32 blocks or for so many after a slash: `4:0.7,16:0.5/30`,
 * a number above 1 being a number of tokens; the budget of one that cuts down caches after a colon: `snapkv:0.25`, `snapkv:1024`, `gemfilter:512`;
 * two together, `sdtp+h2o:0.4`.
 *
 * @throws on an unknown name, a field that is missing or out of range, stages out of order, and a user's
 *   method that takes a shipped name for something else (its results would be filed under the wrong name).
 * @example
 * sdtp.resolvePreset("keep07").stages
 */
export function resolveMethod(given: string | UserMethod): Method {
  if (typeof given === "string") return named(given);
  const method = checkedMethod(given);
  const shipped = lookup(method.name) ?? family(method.name);
  if (shipped && !sameButPolicy(shipped, method)) throw new Error(`preset name: ${method.name} (is a shipped preset with other stages; choose another name)`);
  return method;
}

/** Forms of text that `resolveMethod` takes, for messages and help. */
export const methodForms = "any keepNN, what it keeps after a colon as in snapkv:0.25 or gemfilter:1024, two together as in sdtp+h2o:0.4, or stages as in 4:0.7,16:0.5/32 (block:share or tokens, of so many blocks)";

function named(text: string): Method {
  const parts = text.split("+");
  if (parts.length > 1 && parts.every((part) => part !== "")) return parts.map(named).reduce(compose);
  const found = lookup(text) ?? family(text) ?? inline(text) ?? budgeted(text);
  if (!found) throw new Error(`preset: ${text} (known: ${methodNames.join(", ")}; ${methodForms})`);
  return found;
}

function lookup(name: string): Method | undefined {
  return Object.hasOwn(methods, name) ? methods[name] : undefined;
}

/** `keep05`: 0.5; `keep50`: 0.50; `keep085`: 0.85. */
function family(name: string): Method | undefined {
  const [, kind, digits] = /^(keep|cascade)(\d+)$/.exec(name) ?? [];
  if (kind === undefined || digits === undefined) return undefined;
  const ratio = Number(digits.startsWith("0") ? `0.${digits.slice(1)}` : `0.${digits}`);
  if (digits.length < 2 || digits.length > 4 || !(ratio > 0)) return undefined;
  return kind === "keep" ? keep(name, ratio) : cascade(name, ratio);
}

/** `4:0.7,16:0.5/30`. */
function inline(text: string): Method | undefined {
  if (!/^\d+:/.test(text)) return undefined;
  const [list, depth = "32", ...more] = text.split("/");
  const stages = list!.split(",").map((part): MethodStage => {
    const [, afterBlock, amount] = /^(\d+):(\d*\.?\d+)$/.exec(part) ?? [];
    if (afterBlock === undefined || amount === undefined) throw new Error(`preset: ${JSON.stringify(part)} in ${text} (must be BLOCK:SHARE, as in 4:0.7, or BLOCK:TOKENS, as in 4:1024)`);
    return { afterBlock: Number(afterBlock), ...(Number(amount) > 1 ? { tokens: Number(amount) } : { ratio: Number(amount) }) };
  });
  if (more.length > 0 || !/^\d+$/.test(depth)) throw new Error(`preset: ${text} (after the slash must stand the number of blocks that it is stated for)`);
  const name = `${stages.map(({ afterBlock, ratio, tokens }) => `${afterBlock}-${ratio ?? tokens}`).join("_")}_of${depth}`;
  return checkedMethod({ name, stages, baseDepth: Number(depth) });
}

/** `snapkv:0.25`, `snapkv:1024`: what caches keep; of a method that leaves them alone what its one stage does: `gemfilter:512`. */
function budgeted(text: string): Method | undefined {
  const [, name, number] = /^([^:]+):(\d*\.?\d+)$/.exec(text) ?? [];
  const method = name === undefined ? undefined : lookup(name);
  if (!method) return undefined;
  const amount = Number(number) > 1 ? { tokens: Number(number) } : { ratio: Number(number) };
  const named = { ...method, name: `${name}-${Number(number)}` };
  if (method.cache) return checkedMethod({ ...named, cache: { ...method.cache, amount }, ...(method.decoding && { decoding: { ...method.decoding, amount } }) });
  if (method.revives) return checkedMethod({ ...named, stages: method.stages.map(({ afterBlock }) => ({ afterBlock, ...amount })) });
  if (method.speculation) return checkedMethod({ ...named, stages: [{ afterBlock: -1, ...amount }] });
  if (method.scorer !== undefined && method.stages.length > 1) throw new Error(`preset: ${text} (${name} has ${method.stages.length} stages with amounts of their own: it takes none after a colon)`);
  if (method.scorer === undefined || method.stages.length !== 1) return undefined;
  return checkedMethod({ ...named, stages: [{ afterBlock: method.stages[0]!.afterBlock, ...amount }] });
}

/** What caches keep may be chosen for a method; its results say which. */
function sameButPolicy(a: Method, b: Method): boolean {
  return isDeepStrictEqual({ ...a, kvPolicy: null }, { ...b, kvPolicy: null });
}
