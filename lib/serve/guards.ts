/** What of a request is looked at before anything is spent on it: whoever asks may be anybody. */
import type { Tokenizer } from "../checkpoint/tokenizer.js";
import { optionalChatTemplate } from "../checkpoint/chat-template.js";
import { resolveMethod } from "../methods/resolve.js";
import type { Model, PrefillSettings } from "../runtime/model.js";
import { shippedPruners } from "../runtime/pruners.js";
import { resolveScorer } from "../runtime/scorers.js";
import { wrong } from "./api-error.js";
import type { ChatRequest, CompletionRequest, SamplingRequest } from "./requests.js";

/** Sequences that one request may ask for. */
const MOST_SEQUENCES = 1024;

/** Characters of all texts of one request: cutting them into tokens keeps all others waiting. */
const MOST_CHARACTERS = 4 * 2 ** 20;

/** @throws ApiError with the field that is wrong */
export async function guardCompletion(model: Model, defaults: PrefillSettings, request: CompletionRequest): Promise<void> {
  const { prompt, n } = request;
  const prompts = typeof prompt === "string" || typeof prompt[0] === "number" ? [prompt] : (prompt as (string | number[])[]);
  const sequences = prompts.length * (n ?? 1);
  if (sequences > MOST_SEQUENCES) throw wrong(prompts.length > 1 ? "prompt" : "n", `${sequences} completions (at most ${MOST_SEQUENCES} in one request)`);
  const texts = prompts.flatMap((each, i): [string, string][] => (typeof each === "string" ? [[prompts.length > 1 ? `prompt.${i}` : "prompt", each]] : []));
  await guardTexts(model, texts);
  await guardPruning(model, defaults, request);
}

/** @throws ApiError with the field that is wrong */
export async function guardChat(model: Model, defaults: PrefillSettings, request: ChatRequest): Promise<void> {
  // The error of the template itself names folders of this machine.
  if ((await optionalChatTemplate(model.checkpoint)) === null) throw wrong("messages", "the model has no chat template, as a base model has none (ask /v1/completions)");
  await guardTexts(model, textsOf(request.messages));
  await guardPruning(model, defaults, request);
}

/** The texts of a conversation, with the names of their fields. */
export function textsOf(messages: ChatRequest["messages"]): [string, string][] {
  return messages.flatMap(({ content }, i) => [content ?? []].flat().map((part): [string, string] => [`messages.${i}.content`, typeof part === "string" ? part : part.text]));
}

/** Refuses texts that have more tokens than the model has positions whatever they are. @param texts with the names of their fields @throws ApiError */
export async function guardTexts(model: Model, texts: readonly (readonly [string, string])[]): Promise<void> {
  const all = texts.reduce((sum, [, text]) => sum + text.length, 0);
  if (all > MOST_CHARACTERS) throw wrong(texts[0]![0].split(".")[0]!, `${all} characters (at most ${MOST_CHARACTERS} in one request: give token ids instead)`);
  const most = longestToken(await model.tokenizer()) * model.config.maxPositions;
  for (const [field, text] of texts) {
    if (text.length > most) throw wrong(field, `${text.length} characters (more tokens than the model's ${model.config.maxPositions} positions, whatever they are)`);
  }
}

const longest = new WeakMap<Tokenizer, number>();

/** Characters of the longest token of a vocabulary: of a byte-level one, its bytes. */
function longestToken(tokenizer: Tokenizer): number {
  const known = longest.get(tokenizer);
  if (known !== undefined) return known;
  let most = 1;
  for (let id = 0; id < tokenizer.vocabSize; id++) most = Math.max(most, tokenizer.token(id).length);
  longest.set(tokenizer, most);
  return most;
}

/**
 * Refuses methods and scorers that are nothing for this model. Files are the operator's to name: a request may choose modules that
 * the package ships, or what the server was started with.
 */
async function guardPruning(model: Model, defaults: PrefillSettings, { sdtp }: SamplingRequest): Promise<void> {
  const { method, budget, scorer } = sdtp ?? {};
  if (method !== undefined) {
    try {
      model.plan(1, { preset: resolveMethod(budget === undefined ? method : `${method}:${budget}`) });
    } catch (error) {
      throw wrong("sdtp.method", (error as Error).message);
    }
  }
  if (scorer === undefined || scorer === defaults.scorer) return;
  const modules = /^learned:(.*)$/s.exec(scorer)?.[1];
  const shipped = modules === undefined ? [] : await shippedPruners();
  if (modules !== undefined && !shipped.includes(modules)) throw wrong("sdtp.scorer", `${scorer} (a request may name modules of the package alone: ${shipped.map((name) => `learned:${name}`).join(", ") || "there are none"}; others are chosen with sdtp serve --scorer)`);
  try {
    await resolveScorer(scorer, model.checkpoint);
  } catch (error) {
    throw wrong("sdtp.scorer", (error as Error).message);
  }
}
