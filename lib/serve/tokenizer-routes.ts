/** The tokenizer by HTTP, as vLLM has it: lm-eval and others cut texts with it, and need no copy of their own then. */
import type { Hono } from "hono";
import { z } from "zod";
import { chatPrompt } from "../runtime/chat.js";
import type { Model } from "../runtime/model.js";
import { wrong } from "./api-error.js";
import { guardTexts, textsOf } from "./guards.js";
import { jsonBody } from "./json-body.js";
import { messagesOf, parse, message } from "./requests.js";

const tokenize = z.strictObject({
  model: z.string().optional(),
  prompt: z.string().optional(),
  messages: z.array(message).min(1).optional(),
  add_special_tokens: z.boolean().optional(),
  add_generation_prompt: z.boolean().optional(),
  return_token_strs: z.boolean().nullish(),
});
const detokenize = z.strictObject({ model: z.string().optional(), tokens: z.array(z.number().int().nonnegative()) });

/** `POST /tokenize`, `POST /detokenize`, `GET /tokenizer_info`. */
export function tokenizerRoutes(app: Hono, model: Model): void {
  app.post("/tokenize", async (c) => {
    const { prompt, messages, add_special_tokens: special = messages === undefined, return_token_strs: named } = parse(tokenize, await jsonBody(c));
    if ((prompt === undefined) === (messages === undefined)) throw wrong("prompt", "give either prompt or messages");
    await guardTexts(model, prompt !== undefined ? [["prompt", prompt]] : textsOf(messages!));
    const tokenizer = await model.tokenizer();
    const tokens = prompt !== undefined ? tokenizer.encode(prompt, { addSpecialTokens: special }) : (await chatPrompt(model, messagesOf(messages!))).ids;
    return c.json({ count: tokens.length, max_model_len: model.config.maxPositions, tokens, token_strs: named ? tokens.map((id) => tokenizer.token(id)) : null });
  });
  app.post("/detokenize", async (c) => {
    const { tokens } = parse(detokenize, await jsonBody(c));
    return c.json({ prompt: (await model.tokenizer()).decode(tokens) });
  });
  app.get("/tokenizer_info", async (c) => {
    const tokenizer = await model.tokenizer();
    const [first] = tokenizer.encode("");
    const [end] = model.config.eosTokenIds;
    const template = await model.checkpoint.chatTemplate().catch(() => null);
    return c.json({
      tokenizer_class: "sdtp-notebook",
      vocab_size: tokenizer.vocabSize,
      model_max_length: model.config.maxPositions,
      bos_token: first === undefined ? null : tokenizer.token(first),
      eos_token: end === undefined ? null : tokenizer.token(end),
      pad_token: null,
      chat_template: template?.source ?? null,
    });
  });
}
