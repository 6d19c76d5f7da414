import type { Pipeline } from "./pipeline.js";
import type { PostProcessor } from "./post-processors.js";
import { tokenText } from "./token-text.js";

/** Classes of transformers that put bos and eos around a text themselves. */
const ownSurroundings = /^(Llama|CodeLlama|Gemma|Cohere)Tokenizer(Fast)?$/;

/**
 * What tokenizer_config.json puts around texts by `add_bos_token` and `add_eos_token`; undefined: what tokenizer.json says, which
 * has the last word wherever it adds a token. DeepSeek's R1 distillations are where it adds none: `LlamaTokenizerFast` with
 * `add_bos_token` and a post-processor that only moves offsets; the models were trained with bos.
 */
export function surroundings(config: Readonly<Record<string, unknown>>, pipeline: Pipeline): PostProcessor | undefined {
  if (pipeline.addsSpecialTokens() || !ownSurroundings.test(String(config["tokenizer_class"] ?? ""))) return undefined;
  const id = (name: "bos" | "eos"): number[] => {
    const text = config[`add_${name}_token`] === true ? tokenText(config[`${name}_token`]) : undefined;
    const found = text === undefined ? undefined : pipeline.id(text);
    return found === undefined ? [] : [found];
  };
  const [before, after] = [id("bos"), id("eos")];
  return ([ids], special) => [special ? [...before, ...ids!, ...after] : ids!];
}
