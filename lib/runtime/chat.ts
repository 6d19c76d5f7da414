import type { ChatMessage } from "../checkpoint/chat-template.js";
import { checkPrompt } from "../checkpoint/validate.js";
import { decode, type GenerateOptions, type Generation } from "./generate.js";
import type { PromptModel } from "./run.js";
import type { PrefillSettings } from "./settings.js";

export interface ChatOptions extends GenerateOptions, PrefillSettings {
  /** Which of the model's chat templates, where it has several; default: the one called default. */
  readonly template?: string;
  /** What the template knows besides the messages: `tools`, `enable_thinking`, … JSON data. */
  readonly templateVariables?: Readonly<Record<string, unknown>>;
  /** Called with each piece of the answer, as soon as its characters are whole. */
  readonly onText?: (piece: string) => void;
}

export interface ChatReply extends Generation {
  /** The assistant's answer, without special tokens. */
  readonly text: string;
  /** The conversation as the model saw it. */
  readonly prompt: string;
}

/**
 * Token ids of a conversation in the model's own format, the assistant's turn begun.
 * @throws where the model has no chat template or no tokenizer, or the template refuses the messages
 */
export async function chatPrompt(model: PromptModel, messages: readonly ChatMessage[], { template: name, templateVariables: variables }: Pick<ChatOptions, "template" | "templateVariables"> = {}): Promise<{ prompt: string; ids: number[] }> {
  const [template, tokenizer] = [await model.checkpoint.chatTemplate(), await model.tokenizer()];
  const prompt = template.render(messages, true, { ...(name !== undefined && { template: name }), ...(variables && { variables }) });
  // The template writes the special tokens itself.
  return { prompt, ids: tokenizer.encode(prompt, { addSpecialTokens: false }) };
}

/**
 * The assistant's answer to a conversation; ends at the end-of-sequence tokens of the model's generation_config.json.
 * @example
 * const { text } = await sdtp.chat(model, [{ role: "user", content: "Who was Ahab?" }], { preset: "keep07" });
 */
export async function chat(model: PromptModel, messages: readonly ChatMessage[], options: ChatOptions = {}): Promise<ChatReply> {
  const { maxNewTokens = 128, stopTokens = model.config.eosTokenIds, onText } = options;
  const { prompt, ids } = await chatPrompt(model, messages, options);
  checkPrompt(ids, maxNewTokens, model.config);
  const stream = (await model.tokenizer()).decodeStream({ skipSpecialTokens: true });
  const run = await model.prefill(ids, { reserve: maxNewTokens, ...options });
  const [newIds, tokenSeconds, pieces]: [number[], number[], string[]] = [[], [], []];
  const emit = (piece: string) => {
    if (piece === "") return;
    pieces.push(piece);
    onText?.(piece);
  };
  for await (const { id, seconds } of decode(run, { ...options, maxNewTokens, stopTokens })) {
    newIds.push(id);
    tokenSeconds.push(seconds);
    emit(stream.push(id));
  }
  emit(stream.end());
  return { ids: newIds, run, prefillSeconds: run.prefillSeconds, tokenSeconds, text: pieces.join(""), prompt };
}
