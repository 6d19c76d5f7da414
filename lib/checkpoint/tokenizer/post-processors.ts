import type { Fields } from "../fields.js";

/**
 * Adds special tokens around a text's ids. In a sequence a step may leave several stretches, which the next one sees as a pair.
 * Without `special` the tokens are left out, but a template that has no place for the text, or two, is followed all the same.
 */
export type PostProcessor = (stretches: readonly (readonly number[])[], special: boolean) => readonly (readonly number[])[];

const makers: Readonly<Record<string, (step: Fields) => PostProcessor>> = {
  Sequence: (step) => {
    const all = step.list("processors").map(readPostProcessor);
    return (stretches, special) => all.reduce((before, process) => process(before, special), stretches);
  },
  // It moves offsets only.
  ByteLevel: () => (stretches) => stretches,
  TemplateProcessing: template,
  BertProcessing: (step) => around(step, false),
  RobertaProcessing: (step) => around(step, true),
};

/** A `post_processor` of tokenizer.json. @throws on what is not known */
export function readPostProcessor(step: Fields): PostProcessor {
  const type = step.choice("type", Object.keys(makers));
  return makers[type]!(step);
}

type Part = { readonly ids: readonly number[] } | { readonly sequence: 0 | 1 };

function template(step: Fields): PostProcessor {
  const named = step.object("special_tokens");
  const parts = (name: string): Part[] => step.list(name).map((piece) => {
    const sequence = piece.object("Sequence");
    if (sequence) return { sequence: sequence.choice("id", ["A", "B"]) === "A" ? 0 : 1 };
    const token = piece.object("SpecialToken");
    if (!token) throw step.error(name, "must be a list of Sequence and SpecialToken");
    const id = token.text("id");
    const ids = named?.object(id)?.raw("ids");
    if (!Array.isArray(ids) || ids.some((one) => !Number.isInteger(one) || one < 0)) throw token.error("id", "must be a name in special_tokens, which gives its ids");
    return { ids: ids as number[] };
  });
  const [single, pair] = [parts("single"), parts("pair")];
  if (single.some((part) => "sequence" in part && part.sequence === 1)) throw step.error("single", "must use the sequence A only");
  return (stretches, special) => (stretches.length === 1 ? single : pair).flatMap((part) => ("ids" in part ? (special ? [part.ids] : []) : [stretches[part.sequence] ?? []]));
}

/** BERT: `cls A sep B sep`; RoBERTa: `cls A sep sep B sep`. */
function around(step: Fields, doubled: boolean): PostProcessor {
  const token = (name: string): number => {
    const value = step.raw(name);
    if (!Array.isArray(value) || !Number.isInteger(value[1])) throw step.error(name, "must be [token, id]");
    return value[1] as number;
  };
  const [cls, sep] = [token("cls"), token("sep")];
  return (stretches, special) => stretches.map((ids, i) => !special ? ids : (i === 0 ? [cls, ...ids, sep] : doubled ? [sep, ...ids, sep] : [...ids, sep]));
}
