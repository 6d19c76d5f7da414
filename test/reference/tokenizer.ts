// A small, valid byte-level BPE tokenizer, in the format of tokenizer.json.

/** Pairs merged by the tiny tokenizer, in order of rank; "Ġ" stands for a space at the start of a word. */
const MERGES = ["Ġ t", "h e", "Ġt he", "i n", "e r", "a n", "Ġ a", "an d", "Ġ and", "o n", "r e", "Ġ s", "o u", "in g", "Ġ w"];
const SPECIAL = ["<s>", "</s>", "<pad>"];

/** Number of tokens: 256 bytes, the merges, three special tokens (274: not a multiple of 8). */
export const TINY_VOCABULARY = 256 + MERGES.length + SPECIAL.length;

/** Ids of the special tokens. */
export const TINY_SPECIAL = { bos: TINY_VOCABULARY - 3, eos: TINY_VOCABULARY - 2, pad: TINY_VOCABULARY - 1 };

/** The printable character that stands for each byte in a byte-level vocabulary (GPT-2's table). */
function byteCharacters(): string[] {
  const printable = (byte: number) => (byte >= 33 && byte <= 126) || (byte >= 161 && byte <= 172) || byte >= 174;
  let next = 256;
  return Array.from({ length: 256 }, (_, byte) => String.fromCodePoint(printable(byte) ? byte : next++));
}

/** Contents of tokenizer.json. */
export function tinyTokenizer(): object {
  const tokens = [...byteCharacters(), ...MERGES.map((merge) => merge.replace(" ", "")), ...SPECIAL];
  const byteLevel = { type: "ByteLevel", add_prefix_space: false, trim_offsets: true, use_regex: true };
  return {
    version: "1.0",
    truncation: null,
    padding: null,
    added_tokens: SPECIAL.map((content, i) => ({
      id: TINY_VOCABULARY - SPECIAL.length + i,
      content,
      single_word: false,
      lstrip: false,
      rstrip: false,
      normalized: false,
      special: true,
    })),
    normalizer: null,
    pre_tokenizer: byteLevel,
    post_processor: {
      type: "TemplateProcessing",
      single: [{ SpecialToken: { id: "<s>", type_id: 0 } }, { Sequence: { id: "A", type_id: 0 } }],
      pair: [{ SpecialToken: { id: "<s>", type_id: 0 } }, { Sequence: { id: "A", type_id: 0 } }, { Sequence: { id: "B", type_id: 1 } }],
      special_tokens: { "<s>": { id: "<s>", ids: [TINY_SPECIAL.bos], tokens: ["<s>"] } },
    },
    decoder: byteLevel,
    model: {
      type: "BPE",
      dropout: null,
      unk_token: null,
      continuing_subword_prefix: null,
      end_of_word_suffix: null,
      fuse_unk: false,
      byte_fallback: false,
      vocab: Object.fromEntries(tokens.map((token, id) => [token, id])),
      merges: MERGES,
    },
  };
}

/** Contents of tokenizer_config.json. */
export function tinyTokenizerConfig(): object {
  return { tokenizer_class: "PreTrainedTokenizerFast", bos_token: "<s>", eos_token: "</s>", pad_token: "<pad>", clean_up_tokenization_spaces: false, model_max_length: 512 };
}
