import type { Checkpoint } from "../../checkpoint/types.js";
import { Random } from "../../random.js";
import { shippedProse } from "../prose.js";
import type { Planned } from "./workload.js";

/** Gives the prompt of a request: token ids, or text. */
export type Prompts = (request: Planned) => readonly number[] | string;

/** Words that prose has for a token of the usual vocabularies, where there is no tokenizer to count with. */
const WORDS_A_TOKEN = 0.75;

/**
 * Prompts cut at random places out of the shipped public-domain prose, so that answers are text as well; of synthetic weights,
 * which have no tokenizer, random ids.
 * @param checkpoint whose tokens are counted, and sent as ids; null: words are counted instead, and text is sent
 * @param prefixLen tokens that all of them begin with @param asText send text all the same
 */
export async function promptsOf(checkpoint: Checkpoint | null, prefixLen: number, asText: boolean): Promise<Prompts> {
  if (checkpoint?.synthetic) {
    const { vocabSize } = checkpoint.config;
    const ids = (seed: number, length: number) => {
      const random = new Random(seed);
      return Array.from({ length }, () => random.int(vocabSize));
    };
    const prefix = ids(-1, prefixLen);
    return ({ place, inputLen }) => [...prefix, ...ids(Math.floor(place * 2 ** 32), inputLen)];
  }
  const prose = await shippedProse();
  if (!checkpoint) {
    const words = prose.split(/\s+/).filter((word) => word !== "");
    const size = (tokens: number) => (tokens === 0 ? 0 : Math.max(1, Math.round(tokens * WORDS_A_TOKEN)));
    return (request) => cut(words, size(prefixLen), request.place, size(request.inputLen)).join(" ");
  }
  const tokenizer = await checkpoint.tokenizer();
  const tokens = tokenizer.encode(prose, { addSpecialTokens: false });
  return (request) => {
    const ids = cut(tokens, prefixLen, request.place, request.inputLen);
    return asText ? tokenizer.decode(ids) : ids;
  };
}

/** The beginning, and a piece from a place on; at the end it goes on at the beginning. */
function cut<T>(all: readonly T[], prefix: number, place: number, length: number): T[] {
  const at = (i: number) => all[i % all.length]!;
  const from = Math.floor(place * all.length);
  return [...Array.from({ length: prefix }, (_, i) => at(i)), ...Array.from({ length }, (_, i) => at(from + i))];
}
