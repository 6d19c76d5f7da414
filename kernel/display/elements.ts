import type { Formatted } from "./format.js";

/** Elements of a page that lives in Node (linkedom, jsdom, Observable Plot's charts): SVG as a picture, others as HTML. */
export function elements(value: unknown): Formatted | undefined {
  if (typeof value !== "object" || value === null) return undefined;
  const { nodeType, outerHTML, localName } = value as { nodeType?: unknown; outerHTML?: unknown; localName?: unknown };
  if (nodeType !== 1 || typeof outerHTML !== "string" || typeof localName !== "string") return undefined;
  const plain = `<${localName}>`;
  return localName === "svg" ? { "image/svg+xml": standaloneSvg(outerHTML), "text/plain": plain } : { "text/html": outerHTML, "text/plain": plain };
}

/** As a picture of its own, SVG needs its namespaces said. */
export function standaloneSvg(svg: string): string {
  return svg.replace(/<svg\b(?:[^>"']|"[^"]*"|'[^']*')*>/i, (tag) => {
    const own = /\sxmlns\s*=/.test(tag) ? "" : ' xmlns="http://www.w3.org/2000/svg"';
    const links = /\bxlink:/.test(svg) && !/\sxmlns:xlink\s*=/.test(tag) ? ' xmlns:xlink="http://www.w3.org/1999/xlink"' : "";
    return tag.replace(/^<svg\b/i, `<svg${own}${links}`);
  });
}
