import type { Token } from "markdown-it";
import { captionOf } from "./captions.js";
import type { CodePart, Part } from "./document.js";
import { figureOf, isDisplay, textOf } from "./mime.js";
import { kindOf, type Kind, type References } from "./references.js";

/** Names of all that has a caption: `Table 1`, by code cell or by token. */
export interface Numbering {
  readonly cells: ReadonlyMap<CodePart, string>;
  readonly captions: ReadonlyMap<Token, string>;
}

/** Gives captions their numbers, in the order in which they stand. */
export function numbering(all: readonly Part[], tokens: ReadonlyMap<Part, Token[]>, references: References): Numbering {
  const cells = new Map<CodePart, string>();
  const captions = new Map<Token, string>();
  for (const part of all) {
    if (part.kind === "code") {
      const { label, caption } = part.options;
      if (label === undefined && caption === undefined) continue;
      cells.set(part, references.add(kindOfCell(part), label, `cell ${part.cell}`));
    }
    for (const token of tokens.get(part) ?? []) {
      const caption = captionOf(token);
      if (caption) captions.set(token, references.add(token.type === "table_open" ? "tbl" : "fig", caption.label, part.kind === "markdown" ? `cell ${part.cell}` : ""));
    }
  }
  return { cells, captions };
}

/** As its label says, else by what it shows. */
export function kindOfCell({ options, outputs }: CodePart): Kind {
  const isTable = outputs.some((output) => isDisplay(output) && figureOf(output.data) === undefined && /<table[\s>]/i.test(textOf(output.data["text/html"])));
  return kindOf(options.label ?? "") ?? (isTable ? "tbl" : "fig");
}
