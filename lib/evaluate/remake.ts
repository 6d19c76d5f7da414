import type { ChatTemplate } from "../checkpoint/chat-template.js";
import type { Model } from "../runtime/model.js";
import { askedFrom } from "./asked.js";
import { chatMark, type ItemData } from "./item-data.js";
import { longbenchFrom } from "./longbench/task.js";
import { continuationItem } from "./perplexity.js";
import { keysItem } from "./retrieval.js";
import type { EvaluationItem } from "./task.js";

/**
 * Prompts of their data, by a model's tokenizer and chat template.
 * @throws where prompts are messages in another template than the model's
 */
export async function remadeItems(model: Pick<Model, "tokenizer" | "checkpoint">, data: readonly ItemData[]): Promise<EvaluationItem[]> {
  const tokenizer = await model.tokenizer();
  const messages = data.some((each) => "chat" in each && each.chat !== null);
  const template = messages ? await model.checkpoint.chatTemplate() : null;
  const chatOf = (mark: string | null): ChatTemplate | null => {
    if (mark !== null && mark !== chatMark(template)) throw new Error(`chat template: ${chatMark(template)} (must be ${mark}, in which the prompts are put)`);
    return mark === null ? null : template;
  };
  return data.map((each) => {
    if (each.kind === "asked") return askedFrom(each, tokenizer, chatOf(each.chat));
    if (each.kind === "longbench") return longbenchFrom(each, tokenizer, chatOf(each.chat));
    return each.kind === "continuation" ? continuationItem(each) : keysItem(each, tokenizer);
  });
}
