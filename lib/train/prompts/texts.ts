import type { Random } from "../../random.js";
import type { Maker, Source } from "./line.js";

/** Prose and its continuation. */
export const continuation: Maker = (random, { prose }, budget) => {
  const response = Math.max(8, Math.min(64, budget >> 3));
  const [prompt, rest] = prose.excerpt(random, budget - response, response);
  return { kind: "prose", prompt, response: rest, plain: true };
};

/** Prose whose sentences are to be finished: three of them, as they stand in the text. */
export const questions: Maker = (random, source, budget) => {
  const { text, sentences } = passage(random, source, budget - 150);
  const asked = random.sample(sentences, Math.min(sentences.length, 3));
  const parts = asked.map((sentence) => {
    const words = sentence.split(" ");
    const at = Math.min(5, words.length >> 1);
    return { begin: words.slice(0, at).join(" "), rest: words.slice(at, at + 24).join(" ") };
  });
  const question = parts.map(({ begin }, i) => `${i + 1}. Where it says "${begin}", what follows?`).join("\n");
  return { kind: "questions", prompt: `${text}\n\nAnswer from the text above.\n${question}`, response: parts.map(({ rest }, i) => `${i + 1}. ${rest}`).join("\n") };
};

/** Prose, of which the beginnings of sentences, evenly over the text, are to be given in order. */
export const summaries: Maker = (random, source, budget) => {
  const { text, sentences } = passage(random, source, budget - 150);
  const count = Math.min(sentences.length, 6);
  const picked = Array.from({ length: count }, (_, i) => sentences[Math.floor(((i + 0.5) * sentences.length) / count)]!);
  const response = picked.map((sentence) => `- ${sentence.split(" ").slice(0, 16).join(" ")}`).join("\n");
  return { kind: "summaries", prompt: `Outline the following text in ${count} points, each in the words with which a sentence of it begins.\n\n${text}\n\nOutline:`, response };
};

/** The text is to be said again from a place on: what reconstructs a context (as in KVzip, arXiv:2505.23416). */
export const repeat: Maker = (random, source, budget) => {
  const { text } = passage(random, source, budget - 130);
  const words = text.split(" ");
  const start = random.int(Math.max(1, words.length - 70));
  const begin = words.slice(start, start + 5).join(" ");
  return { kind: "repeat", prompt: `${text}\n\nRepeat the part of the text above that begins with "${begin}", word for word.`, response: words.slice(start, start + 70).join(" ") };
};

/** A stretch of prose and those of its sentences that are neither cut nor very short. */
function passage(random: Random, { prose }: Source, tokens: number): { text: string; sentences: string[] } {
  const [text] = prose.excerpt(random, Math.max(48, tokens), 0);
  const found = text.split(/(?<=[.!?]["')\]]*)\s+/).slice(0, -1).filter((sentence) => sentence.split(" ").length >= 6);
  return { text, sentences: found.length > 0 ? found : [text] };
}
