import { escapeHtml } from "../../escape-html.js";
import { harmless } from "./text.js";

/** A token's kind: how its class is drawn and what the legend says of it. */
export interface TokenKind {
  /** CSS declarations; none: as plain text. */
  readonly style: string;
  readonly label: string;
  /** The element that tells it apart where styles are taken away, as code hosts do; default: none that does. */
  readonly tag?: "del" | "u" | "b" | "em";
}

export interface MarkedTokens {
  readonly title: string;
  /** Short name that parts this view's styles from those of others on the page. */
  readonly scope: string;
  readonly texts: readonly string[];
  readonly kinds: readonly TokenKind[];
  /** Index into `kinds` of each token. */
  readonly kind: ArrayLike<number>;
  /** What a token says of itself when pointed at. */
  readonly hover: (position: number) => string;
  /** Lines of a panel below the text that says it at once; default: none, the browser shows it as it shows titles. */
  readonly panel?: number;
}

/** Above this many tokens only runs of tokens of one kind can be pointed at. */
const MOST_HOVERS = 8192;

/** Lines that the panel has room for. */
const MOST_LINES = 28;

/** Text with its tokens coloured: one element a run of tokens of one kind, in it a short one a token for its hover; no script. */
export function tokenHtml({ title: heading, scope, texts, kinds, kind, hover, panel }: MarkedTokens): string {
  const name = `sdtp-tokens ${scope}`;
  const selector = `.${name.replace(" ", ".")}`;
  const rules = kinds.map(({ style }, k) => (style ? `${selector} .k${k}{${style}}` : "")).join("");
  const base =
    `${selector}{line-height:1.7;font-size:13px}${selector} .t{white-space:pre-wrap;overflow-wrap:anywhere;max-height:480px;overflow-y:auto;border:1px solid #8886;padding:8px}` +
    `${selector} :is(span,del,u,b,em){font:inherit;text-decoration:none;border-radius:2px}${selector} span[title]:hover{outline:1px solid}${selector} .g>*{padding:0 5px;margin-right:10px;white-space:nowrap;display:inline-block}`;
  const own = panel === undefined ? "" :
    `${selector}.p{position:relative;padding-bottom:${(1.4 * Math.min(panel, MOST_LINES) + 1).toFixed(1)}em}${selector}.p .t span[title]:hover::after{content:attr(title);position:absolute;left:0;right:0;bottom:0;height:${(1.4 * Math.min(panel, MOST_LINES)).toFixed(1)}em;overflow:hidden;padding:0 8px;border-left:3px solid #8886;font:12px/1.4 monospace;white-space:pre-wrap;text-align:left;pointer-events:none}`;
  const wrapped = (k: number, inner: string, title = "") => {
    const { tag = "span" } = kinds[k]!;
    return `<${tag} class=k${k}${title}>${inner}</${tag}>`;
  };
  const counts = new Int32Array(kinds.length);
  const each = texts.length <= MOST_HOVERS;
  const parts: string[] = [];
  for (let start = 0; start < texts.length; ) {
    const k = kind[start]!;
    let end = start;
    let inner = "";
    for (; end < texts.length && kind[end] === k; end++) {
      const text = escapeHtml(visible(texts[end]!));
      inner += each ? `<span title="${escapeHtml(hover(end))}">${text}</span>` : text;
    }
    counts[k]! += end - start;
    const title = each ? "" : ` title="${start} to ${end - 1}: ${escapeHtml(kinds[k]!.label)}"`;
    parts.push(kinds[k]!.style || title ? wrapped(k, inner, title) : inner);
    start = end;
  }
  const legend = kinds.map(({ label }, k) => (counts[k]! > 0 ? wrapped(k, `${escapeHtml(label)}: ${counts[k]}`) : "")).join(" ");
  return `<div class="${name}${panel === undefined ? "" : " p"}"><style>${base}${rules}${own}</style><div>${escapeHtml(heading)}</div><div class=g>${legend}</div><div class=t>${parts.join("")}</div></div>`;
}

/** A token that has no text of its own, and line ends, as something that can be seen. */
function visible(text: string): string {
  return text === "" ? "·" : harmless(text).replace(/\n/g, "↵\n");
}
