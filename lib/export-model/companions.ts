import { existsSync } from "node:fs";
import { copyFile, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { parse, stringify } from "lossless-json";
import type { Checkpoint } from "../checkpoint/types.js";
import { textConfigJson } from "./text-config.js";

/** Files of a model folder that go along as they are. */
const copied = ["tokenizer.json", "special_tokens_map.json", "added_tokens.json"];
const templates = ["chat_template.jinja", "chat_template.json"];

/**
 * Writes what a model folder holds beside its weights: configuration, tokenizer, chat template.
 * @param changes fields of config.json that are set, or with undefined taken out
 * @returns what is missing
 */
export async function writeCompanions(checkpoint: Checkpoint, folder: string, changes: Readonly<Record<string, unknown>>): Promise<string[]> {
  const source = checkpoint.folder;
  // Numbers keep their digits: transformers takes 30.0 for a field that wants a float, and 30 not.
  const json = (name: string, content: object) => writeFile(join(folder, name), `${stringify(content, undefined, 2)}\n`);
  const { described } = checkpoint;
  const config = described ? described.config() : textConfigJson(parse(await readFile(join(source, "config.json"), "utf8")) as Record<string, unknown>, checkpoint.config);
  await json("config.json", { ...config, quantization_config: undefined, ...changes });
  for (const name of described ? copied : [...copied, ...templates]) if (existsSync(join(source, name))) await copyFile(join(source, name), join(folder, name));
  const { bosTokenId, eosTokenIds, maxPositions } = checkpoint.config;
  const generation = join(source, "generation_config.json");
  await (existsSync(generation) ? copyFile(generation, join(folder, "generation_config.json")) : json("generation_config.json", {
    ...(bosTokenId !== null && { bos_token_id: bosTokenId }),
    ...(eosTokenIds.length > 0 && { eos_token_id: eosTokenIds.length === 1 ? eosTokenIds[0] : eosTokenIds }),
  }));
  if (described) {
    const template = await checkpoint.chatTemplate().then(({ source }) => source ?? null, () => null);
    if (template !== null) await writeFile(join(folder, templates[0]!), template);
  }
  if (!existsSync(join(source, "tokenizer.json"))) {
    if (!described) return ["no tokenizer.json to copy: prompts can be given as token ids only"];
    try {
      await checkpoint.tokenizer();
      await json("tokenizer.json", described.tokenizer());
    } catch (error) {
      return [`${(error as Error).message}: prompts can be given as token ids only`];
    }
  }
  const settings = join(source, "tokenizer_config.json");
  if (existsSync(settings)) {
    await writeFile(join(folder, "tokenizer_config.json"), await readFile(settings));
    return [];
  }
  const tokenizer = await checkpoint.tokenizer();
  await json("tokenizer_config.json", {
    tokenizer_class: "PreTrainedTokenizerFast",
    clean_up_tokenization_spaces: false,
    model_max_length: maxPositions,
    ...(bosTokenId !== null && { bos_token: tokenizer.token(bosTokenId) }),
    ...(eosTokenIds.length > 0 && { eos_token: tokenizer.token(eosTokenIds[0]!) }),
  });
  return [];
}
