import type { Token } from "markdown-it";

/** The images that a text refers to, in Markdown and in HTML. */
export function imageReferences(tokens: readonly Token[]): Set<string> {
  const found = new Set<string>();
  const walk = (token: Token): void => {
    if (token.type === "image") found.add(String(token.attrGet("src")));
    if (token.type === "html_block" || token.type === "html_inline") for (const [, source] of token.content.matchAll(/<img\b[^>]*?\bsrc\s*=\s*["']([^"']+)["']/gi)) found.add(source!);
    token.children?.forEach(walk);
  };
  tokens.forEach(walk);
  return found;
}
