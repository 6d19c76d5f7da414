import { existsSync } from "node:fs";
import { readdir, readFile } from "node:fs/promises";
import { basename, join } from "node:path";
import { Template } from "./jinja/template.js";
import { readJsonObject } from "./json.js";
import { tokenText } from "./tokenizer/token-text.js";

/** A message of a conversation. */
export interface ChatMessage {
  /** `system`, `user`, `assistant`, or what else the model's template knows. */
  readonly role: string;
  readonly content: string;
}

export interface ChatTemplateOptions {
  /** Which of several templates; default: the one called default, or with `tools` the one called tool_use. */
  readonly template?: string;
  /** What the template knows besides messages and special tokens: `tools`, `documents`, `enable_thinking`, … JSON data. */
  readonly variables?: Readonly<Record<string, unknown>>;
  /** What the template takes for now; default: the clock. */
  readonly now?: () => Date;
}

/** Turns a conversation into the text that the model was trained on. */
export interface ChatTemplate {
  /** Jinja: the template that is used when none is chosen; undefined where there are several and none is called default. */
  readonly source: string | undefined;
  /** Of several templates, what they are called; of one: default. */
  readonly names: readonly string[];
  /**
   * @param addGenerationPrompt end with the beginning of the assistant's turn; default true
   * @throws on no messages, on a name that no template has, or with what the template says against the messages
   */
  render(messages: readonly ChatMessage[], addGenerationPrompt?: boolean, options?: ChatTemplateOptions): string;
}

/** Templates by name, or the only one. */
export type TemplateSources = string | ReadonlyMap<string, string> | undefined;

const templateFile = "chat_template.jinja";
const moreTemplates = "additional_chat_templates";
const templateJson = "chat_template.json";
const tokenizerConfig = "tokenizer_config.json";

/**
 * The chat templates of a model folder: chat_template.jinja and those of additional_chat_templates/, else `chat_template` of
 * tokenizer_config.json (one, or a list with names), else of chat_template.json.
 * https://huggingface.co/docs/transformers/chat_templating
 * @throws where there is none, or one is not Jinja
 */
export async function loadChatTemplate(folder: string): Promise<ChatTemplate> {
  const configFile = join(folder, tokenizerConfig);
  const config = existsSync(configFile) ? await readJsonObject(configFile) : {};
  const tokens = Object.fromEntries(Object.entries(config).flatMap(([name, value]) => {
    const text = /^[a-z]+_token$/.test(name) ? tokenText(value) : undefined;
    return text === undefined ? [] : [[name, text]];
  }));
  const files = await templateFiles(folder);
  if (files.size > 0) return chatTemplate(files, files.size === 1 && files.has("default") ? join(folder, templateFile) : folder, tokens);
  const inConfig = sources(config["chat_template"], configFile);
  if (inConfig !== undefined) return chatTemplate(inConfig, configFile, tokens);
  const jsonFile = join(folder, templateJson);
  const json = existsSync(jsonFile) ? sources((await readJsonObject(jsonFile))["chat_template"], jsonFile) : undefined;
  return chatTemplate(json, json === undefined ? folder : jsonFile, tokens);
}

async function templateFiles(folder: string): Promise<Map<string, string>> {
  const found = new Map<string, string>();
  const own = join(folder, templateFile);
  if (existsSync(own)) found.set("default", await readFile(own, "utf8"));
  const more = join(folder, moreTemplates);
  if (existsSync(more)) {
    for (const file of (await readdir(more)).sort()) if (file.endsWith(".jinja")) found.set(basename(file, ".jinja"), await readFile(join(more, file), "utf8"));
  }
  return found;
}

/** What `chat_template` holds: a template, or several as `[{name, template}]` or by name. */
function sources(value: unknown, file: string): TemplateSources {
  if (value === undefined || value === null || typeof value === "string") return value ?? undefined;
  const list: unknown[] = Array.isArray(value) ? value : Object.entries(value as object).map(([name, template]) => ({ name, template }));
  return new Map(list.map((item, i) => {
    const { name, template } = (item ?? {}) as { name?: unknown; template?: unknown };
    if (typeof name !== "string" || typeof template !== "string") throw new Error(`${file}: chat_template[${i}]: ${JSON.stringify(item)?.slice(0, 80)} (must have name and template, both text)`);
    return [name, template];
  }));
}

/**
 * @param given the templates' text; undefined: there is none
 * @param where named in errors
 * @param tokens the special tokens' text, by the names that templates know
 */
export async function chatTemplate(given: TemplateSources, where: string, tokens: Readonly<Record<string, string>>): Promise<ChatTemplate> {
  if (given === undefined || (typeof given !== "string" && given.size === 0)) throw new Error(`chat: ${where} has no chat template (${templateFile}, or chat_template in ${tokenizerConfig}; a base model has none: give it a prompt instead)`);
  const all = typeof given === "string" ? new Map([["default", given]]) : given;
  const names = [...all.keys()];
  const compiled = new Map<string, Template>();
  const named = (name: string): Template => {
    let template = compiled.get(name);
    if (!template) {
      try {
        template = new Template(all.get(name)!);
      } catch (error) {
        throw new Error(`${where}: the chat template${names.length > 1 ? ` ${name}` : ""} cannot be read: ${(error as Error).message}`);
      }
      compiled.set(name, template);
    }
    return template;
  };
  // What cannot be read is told when the model is opened, not in the middle of a conversation.
  for (const name of names) named(name);
  const choose = ({ template, variables }: ChatTemplateOptions): Template => {
    const usual = Array.isArray(variables?.["tools"]) && all.has("tool_use") ? "tool_use" : "default";
    const name = template ?? usual;
    if (all.has(name)) return named(name);
    const what = template === undefined ? `has several chat templates and none is called default` : `has no chat template called ${template}`;
    throw new Error(`chat: ${where} ${what} (choose one: ${names.join(", ")})`);
  };
  return {
    source: all.get("default"),
    names,
    render(messages, addGenerationPrompt = true, options = {}) {
      if (messages.length === 0) throw new Error("chat: no messages (give at least one)");
      for (const [i, message] of messages.entries()) {
        if (typeof message?.role !== "string" || typeof message.content !== "string") throw new Error(`chat: message ${i}: ${JSON.stringify(message)} (must have role and content, both text)`);
      }
      const template = choose(options);
      try {
        return template.render({
          ...tokens,
          // None, as transformers has it, not undefined: templates ask for the one or the other.
          tools: null,
          documents: null,
          ...options.variables,
          messages: messages.map((message) => Object.fromEntries(Object.entries(message).filter(([, value]) => value !== null && value !== undefined))),
          add_generation_prompt: addGenerationPrompt,
        }, options.now ? { now: options.now } : {});
      } catch (error) {
        throw new Error(`chat: the template refuses these messages: ${(error as Error).message}`);
      }
    },
  };
}

/** A model's chat template; null where it has none, which makes it no chat model. @throws on one that cannot be read */
export async function optionalChatTemplate(checkpoint: { chatTemplate(): Promise<ChatTemplate> }): Promise<ChatTemplate | null> {
  return checkpoint.chatTemplate().catch((error: Error) => {
    if (/ has no chat template \(/.test(error.message)) return null;
    throw error;
  });
}
