import { parseDocument } from "htmlparser2";
import { latexText } from "./latex-text.js";

type Node = ReturnType<typeof parseDocument>["children"][number] & { readonly name?: string; readonly attribs?: Record<string, string>; readonly children?: Node[] };

/**
 * The view of a prompt's tokens (lib/report/views/token-html.ts) as running text: each kind in its colour, with the legend above it.
 * @returns undefined where `html` is no such view
 */
export function latexTokens(html: string): string | undefined {
  if (!/class="?sdtp-tokens\b/.test(html)) return undefined;
  const colours = new Map([...html.matchAll(/\.k(\d+)\{[^}]*background:hsl\((\d+)/g)].map(([, kind, hue]) => [`k${kind}`, rgb(Number(hue))]));
  const [view] = parseDocument(html).children.filter((node) => "attribs" in node && /\bsdtp-tokens\b/.test(node.attribs["class"] ?? "")) as Node[];
  const blocks = (view?.children ?? []).filter(({ name }) => name === "div");
  if (blocks.length === 0) return undefined;
  const coloured = (node: Node): string => {
    if (node.type === "text") return latexText((node as unknown as { data: string }).data).replace(/ /g, " ");
    const inner = (node.children ?? []).map(coloured).join("");
    const colour = colours.get(node.attribs?.["class"] ?? "");
    if (inner === "" || node.name === "style") return "";
    // A colour may go over lines, but not over the end of a paragraph, and swallows a space at its beginning.
    if (colour !== undefined) return inner.split("\n").map((line) => (line.trim() === "" ? line : line.replace(/^(\s*)([\s\S]*)$/, (_, space: string, rest: string) => `${space}\\textcolor[rgb]{${colour}}{${rest}}`))).join("\n");
    return node.name === "u" ? inner.split("\n").map((line) => (line.trim() === "" ? line : `\\underline{${line}}`)).join("\n") : inner;
  };
  const [title, legend, text] = blocks.map(coloured);
  const lines = (text ?? "").replace(/↵/g, "").replace(/\n{2,}/g, "\n").trim().replaceAll("\n", "\\\\\n");
  return `\\textbf{${title ?? ""}}\n\n{\\small ${(legend ?? "").trim()}\\par}\n\n{\\small\\raggedright ${lines}\\par}`;
}

/** A colour of this hue that is dark enough for text on white. */
function rgb(hue: number): string {
  const [saturation, lightness] = [0.75, 0.42];
  const part = (n: number) => {
    const k = (n + hue / 30) % 12;
    return (lightness - saturation * Math.min(lightness, 1 - lightness) * Math.max(-1, Math.min(k - 3, 9 - k, 1))).toFixed(2);
  };
  return [0, 8, 4].map(part).join(",");
}
