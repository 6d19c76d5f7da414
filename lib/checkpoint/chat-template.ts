import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { readJsonObject } from "./json.js";

/** A message of a conversation. */
export interface ChatMessage {
  /** `system`, `user`, `assistant`, or what else the model's template knows. */
  readonly role: string;
  readonly content: string;
}

/** Turns a conversation into the text that the model was trained on. */
export interface ChatTemplate {
  /** Jinja. */
  readonly source: string;
  /**
   * @param addGenerationPrompt end with the beginning of the assistant's turn; default true
   * @throws on no messages, or with what the template says against them
   */
  render(messages: readonly ChatMessage[], addGenerationPrompt?: boolean): string;
}

const templateFile = "chat_template.jinja";
const tokenizerConfig = "tokenizer_config.json";

/**
 * The chat template of a model folder: chat_template.jinja, else `chat_template` of tokenizer_config.json (of several, `default`).
 * https://huggingface.co/docs/transformers/chat_templating
 * @throws where there is none, or it is not Jinja
 */
export async function loadChatTemplate(folder: string): Promise<ChatTemplate> {
  const configFile = join(folder, tokenizerConfig);
  const config = existsSync(configFile) ? await readJsonObject(configFile) : {};
  const own = join(folder, templateFile);
  const [source, where] = existsSync(own) ? [await readFile(own, "utf8"), own] : [named(config["chat_template"]), configFile];
  const tokens = Object.fromEntries(["bos_token", "eos_token", "pad_token", "unk_token"].map((name) => [name, tokenText(config[name])]));
  return chatTemplate(source, source === undefined ? folder : where, tokens);
}

/**
 * @param source the template's text; undefined: there is none
 * @param where named in errors
 * @param tokens the special tokens' text, by the names that templates know
 */
export async function chatTemplate(source: string | undefined, where: string, tokens: Readonly<Record<string, string>>): Promise<ChatTemplate> {
  if (source === undefined) throw new Error(`chat: ${where} has no chat template (${templateFile}, or chat_template in ${tokenizerConfig}; a base model has none: give it a prompt instead)`);
  const { Template } = await import("@huggingface/jinja");
  let template: InstanceType<typeof Template>;
  try {
    template = new Template(source);
  } catch (error) {
    throw new Error(`${where}: the chat template cannot be read: ${(error as Error).message}`);
  }
  return {
    source,
    render(messages, addGenerationPrompt = true) {
      if (messages.length === 0) throw new Error("chat: no messages (give at least one)");
      for (const [i, message] of messages.entries()) {
        if (typeof message?.role !== "string" || typeof message.content !== "string") throw new Error(`chat: message ${i}: ${JSON.stringify(message)} (must have role and content, both text)`);
      }
      try {
        // `raise_exception` and `strftime_now` are the library's own.
        return template.render({
          ...tokens,
          messages: messages.map((message) => ({ ...message })),
          add_generation_prompt: addGenerationPrompt,
        });
      } catch (error) {
        throw new Error(`chat: the template refuses these messages: ${(error as Error).message}`);
      }
    },
  };
}

/** The template itself, or of a list of named ones the default. */
function named(value: unknown): string | undefined {
  if (typeof value === "string") return value;
  if (!Array.isArray(value)) return undefined;
  const list = value as { name?: unknown; template?: unknown }[];
  const template = (list.find(({ name }) => name === "default") ?? list[0])?.template;
  return typeof template === "string" ? template : undefined;
}

/** A special token is its text, or an object that holds it. */
function tokenText(value: unknown): string {
  if (typeof value === "string") return value;
  const content = (value as { content?: unknown } | null | undefined)?.content;
  return typeof content === "string" ? content : "";
}
