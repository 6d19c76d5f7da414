// What `verifyRun` checks of caches whose heads hold other tokens each.
import type { TokenPlan } from "../methods/plan/plan.js";
import type { CacheResult, Run } from "../runtime/run.js";
import { differs } from "./difference.js";

/** Each head's choice: as `choiceHolds`, over its layer's tokens. With budgets by head, the lowest that stayed in any head is above the highest that fell, beyond what each keeps in any case. */
export function cacheChoiceHolds(selections: readonly CacheResult[], { cache, shared }: Pick<TokenPlan, "cache" | "shared">): string | null {
  if (selections.some(({ scores }) => !scores)) return null;
  const planned = cache!;
  // The least that stayed in any head of any layer, and the most that fell, beside what each keeps in any case.
  let [least, most] = [Infinity, -Infinity];
  selections.forEach(({ present, kept, scores }, layer) => {
    const { head, tail, safe } = planned[layer]!;
    let [lowest, highest] = [Infinity, -Infinity];
    kept.forEach((positions, h) => {
      const stays = new Set(positions);
      const row = scores!.subarray(h * present.length, (h + 1) * present.length);
      const free = [...present.keys()].filter((i) => i >= head && i < present.length - tail);
      const missing = [...present.keys()].find((i) => (i < head || i >= present.length - tail) && !stays.has(present[i]!));
      if (missing !== undefined) differs(`layer ${layer}, head ${h} dropped position ${present[missing]}, which always stays`);
      const left = free.filter((i) => stays.has(present[i]!)).map((i) => row[i]!).sort((a, b) => b - a);
      const stayed = (safe === null ? left : left.slice(Math.max(0, safe - head - tail))).at(-1) ?? Infinity;
      const fell = free.filter((i) => !stays.has(present[i]!)).reduce((most, i) => Math.max(most, row[i]!), -Infinity);
      [least, most] = [Math.min(least, stayed), Math.max(most, fell)];
      if (safe === null && fell > stayed) differs(`layer ${layer}, head ${h} dropped a token of score ${fell} and kept one of ${stayed}`);
      [lowest, highest] = [Math.min(lowest, stayed), Math.max(highest, fell)];
    });
    if (safe !== null && shared !== "heads" && highest > lowest) differs(`layer ${layer} dropped a token of score ${highest} and kept one of ${lowest} in another head`);
  });
  if (shared === "heads" && most > least) differs(`a token of score ${most} was dropped, and one of ${least} kept in another head or layer`);
  return "in every head forced tokens stayed, and no token that fell scores above one that had to win its place";
}

/** Each head holds tokens that its layer computed, as the choice says where it is known, then the generated ones. */
export function headsHold({ kv, selections, ids, position, plan }: Run): string {
  if (plan.decoding) return cutHeadsHold({ kv, selections, ids, position });
  kv.layers.forEach((layer, l) => {
    for (let head = 0; head < layer.kvHeads; head++) {
      const held = layer.headPositions(head);
      const generated = position - ids.length;
      const prompt = held.subarray(0, held.length - generated);
      const of = `layer ${l}, head ${head}`;
      const chosen = selections?.[l]?.kept[head];
      const present = selections ? new Set(selections[l]!.present) : null;
      prompt.forEach((at, slot) => {
        if (slot > 0 && at <= prompt[slot - 1]!) differs(`${of} holds position ${at} after ${prompt[slot - 1]} (must be ascending)`);
        if (at >= ids.length || (present && !present.has(at))) differs(`${of} holds position ${at}, which the layer did not compute`);
        if (chosen && chosen[slot] !== at) differs(`${of}, slot ${slot} holds position ${at} (must be ${chosen[slot]})`);
      });
      for (let i = 0; i < generated; i++) {
        if (held[prompt.length + i] !== ids.length + i) differs(`${of}, slot ${prompt.length + i} holds position ${held[prompt.length + i]} (must be ${ids.length + i})`);
      }
    }
  });
  return "every head holds tokens of the prompt that its layer computed, in order, and then the generated ones";
}

/** As `headsHold`, where caches are cut while decoding: any of the tokens chosen after the prompt and of those generated may be gone, none else there. */
function cutHeadsHold({ kv, selections, ids, position }: Pick<Run, "kv" | "selections" | "ids" | "position">): string {
  kv.layers.forEach((layer, l) => {
    for (let head = 0; head < layer.kvHeads; head++) {
      const chosen = selections ? new Set(selections[l]!.kept[head]) : null;
      layer.headPositions(head).forEach((at, slot, held) => {
        if (slot > 0 && at <= held[slot - 1]!) differs(`layer ${l}, head ${head} holds position ${at} after ${held[slot - 1]} (must be ascending)`);
        if (at >= position || (at < ids.length && chosen && !chosen.has(at))) differs(`layer ${l}, head ${head} holds position ${at}, which was not there`);
      });
    }
  });
  return "every head holds tokens that were chosen after the prompt or generated since, in order";
}
