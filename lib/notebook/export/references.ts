import type { MarkdownIt as Markdown, StateInline, Token } from "markdown-it";
import type { Bibliography, Cited } from "./bibliography.js";
import type { Equations } from "./equations.js";

const words = { fig: "Figure", tbl: "Table" } as const;
export type Kind = keyof typeof words;

/** What kind of thing a label names; undefined where it begins as none. */
export const kindOf = (label: string): Kind | undefined => (/^(fig|tbl)-./.exec(label)?.[1] as Kind | undefined);

/** Numbers of figures and tables in the order in which they stand, and what refers to them. */
export class References {
  private readonly counts = { fig: 0, tbl: 0 };
  private readonly names = new Map<string, string>();

  constructor(
    readonly equations: Equations,
    readonly bibliography: Bibliography | undefined,
    private readonly warn: (text: string) => void = () => undefined,
  ) {}

  /** `Table 2`. @param label undefined: it has a caption and cannot be referred to */
  add(kind: Kind, label: string | undefined, place: string): string {
    const name = `${words[kind]} ${++this.counts[kind]}`;
    if (label !== undefined && this.names.has(label)) this.warn(`${place}: the label ${label} is there twice`);
    if (label !== undefined) this.names.set(label, name);
    return name;
  }

  /** Works that no bibliography has. */
  missing(keys: readonly string[], place: string): void {
    this.warn(`${place}: the bibliography has no ${keys.join(", ")}`);
  }

  /** The name of what `label` is given to: `Figure 1`, `Equation (3)`. */
  name(label: string, place: string): string | undefined {
    const number = label.startsWith("eq-") ? this.equations.numberOf(label) : undefined;
    const found = this.names.get(label) ?? (number && `Equation (${number})`);
    if (found === undefined) this.warn(`${place}: nothing is labelled ${label} (there are ${[...this.names.keys()].join(", ") || "no labels"})`);
    return found;
  }
}

/** `@fig-x`, `@tbl-x` and `@eq-x` become tokens `cross_reference`; `@key` and `[@key, p. 3; @other]` tokens `citation`. */
export function referenceRules(md: Markdown): void {
  md.inline.ruler.before("link", "references", (state, silent) => group(state, silent) || single(state, silent));
}

const key = /@([A-Za-z0-9_](?:[\w:.#$%&+?<>~/-]*[\w/])?)/y;

function single(state: StateInline, silent: boolean): boolean {
  if (state.src[state.pos] !== "@" || /[\w.]/.test(state.src[state.pos - 1] ?? " ")) return false;
  key.lastIndex = state.pos;
  const found = key.exec(state.src);
  if (!found) return false;
  if (!silent) push(state, found[0], /^(fig|tbl|eq)-/.test(found[1]!) ? { label: found[1]! } : { cited: [{ key: found[1]! }], isText: true });
  state.pos += found[0].length;
  return true;
}

function group(state: StateInline, silent: boolean): boolean {
  if (state.src[state.pos] !== "[") return false;
  const [whole, inner] = /^\[([^[\]\n]*@[^[\]\n]*)\](?![([])/.exec(state.src.slice(state.pos, state.pos + 1000)) ?? [];
  if (whole === undefined) return false;
  const cited = inner!.split(";").map((part) => {
    const [, prefix = "", id, suffix = ""] = /^\s*([^@]*)@([A-Za-z0-9_][\w:.#$%&+?<>~/-]*[\w/]|[A-Za-z0-9_])\s*,?\s*(.*?)\s*$/.exec(part) ?? [];
    return id === undefined ? undefined : { key: id, ...(prefix.trim() && { prefix: prefix.trim().replace(/^-$/, "") }), ...(suffix && { suffix }) };
  });
  if (cited.some((each) => each === undefined)) return false;
  if (cited.length === 1 && /^(fig|tbl|eq)-/.test(cited[0]!.key)) {
    if (!silent) push(state, whole, { label: cited[0]!.key });
  } else if (!silent) push(state, whole, { cited: cited as Cited[], isText: false });
  state.pos += whole.length;
  return true;
}

function push(state: StateInline, content: string, meta: Reference): void {
  const token = state.push("label" in meta ? "cross_reference" : "citation", "", 0);
  token.content = content;
  token.meta = meta;
}

export type Reference = { readonly label: string } | { readonly cited: readonly Cited[]; readonly isText: boolean };

/** Tokens of references in the order in which they stand. */
export const referenceTokens = (tokens: readonly Token[]): Token[] => tokens.flatMap((token) => [...(token.type === "citation" || token.type === "cross_reference" ? [token] : []), ...referenceTokens(token.children ?? [])]);
