import { chatTemplate, type ChatTemplate } from "../chat-template.js";

const prefix = "tokenizer.chat_template";

/** The chat templates that a GGUF file holds: `tokenizer.chat_template`, and `tokenizer.chat_template.NAME` of others. @throws where there is none, or one is not Jinja */
export async function ggufChatTemplate(metadata: Readonly<Record<string, unknown>>, file: string): Promise<ChatTemplate> {
  const templates = new Map<string, string>();
  for (const [key, value] of Object.entries(metadata)) {
    if (key === prefix && typeof value === "string") templates.set("default", value);
    else if (key.startsWith(`${prefix}.`) && typeof value === "string") templates.set(key.slice(prefix.length + 1), value);
  }
  const tokens = metadata["tokenizer.ggml.tokens"];
  const special = Object.fromEntries([["bos", "bos"], ["eos", "eos"], ["padding", "pad"], ["unknown", "unk"], ["seperator", "sep"], ["mask", "mask"]].flatMap(([field, name]) => {
    const id = metadata[`tokenizer.ggml.${field}_token_id`];
    const text: unknown = Array.isArray(tokens) && id !== undefined ? tokens[Number(id)] : undefined;
    return typeof text === "string" ? [[`${name}_token`, text]] : [];
  })) as Record<string, string>;
  return chatTemplate(templates.size === 0 ? undefined : templates, file, special);
}
