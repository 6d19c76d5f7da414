import { checkedMethod, type Method } from "./method.js";

/**
 * Two methods on one prompt: the stages of one, the cache budget of the other. Each layer's cache then keeps of the tokens that its block computed what the budget
 * says, whatever the stages' own policy.
 * @throws where both have stages, or both a budget
 */
export function compose(a: Method, b: Method): Method {
  const name = `${a.name}+${b.name}`;
  for (const [part, has] of [["stages", (method: Method) => method.stages.length > 0], ["a cache budget", (method: Method) => method.cache !== undefined]] as const) {
    if (has(a) && has(b)) throw new Error(`preset ${name}: both have ${part} (one of them must leave it to the other)`);
  }
  const [staged, other] = a.stages.length > 0 ? [a, b] : [b, a];
  const { cache, decoding } = staged.cache ? staged : other;
  return checkedMethod({ ...staged, name, ...(cache && { cache, kvPolicy: "retain" }), ...(decoding && { decoding }) });
}
