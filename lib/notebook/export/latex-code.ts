import { parseDocument } from "htmlparser2";
import { highlighted } from "./highlight.js";
import { verbatimText } from "./latex-text.js";

/** Colours of highlight.js's classes, by the names that the document defines. */
const colours: Readonly<Record<string, string>> = { keyword: "codekeyword", type: "codekeyword", string: "codestring", regexp: "codestring", comment: "codecomment", meta: "codecomment", number: "codenumber", literal: "codenumber", attr: "codenumber", title: "codetitle", built_in: "codebuiltin" };

type Node = ReturnType<typeof parseDocument>["children"][number];

/** A listing with the language's colours. A command may not span lines there, so each line has its own. */
export function latexCode(code: string, language: string): string {
  const nodes = parseDocument(highlighted(code.replace(/\n+$/, ""), language)).children as Node[];
  return verbatim(nodes.map((node) => text(node, undefined)).join(""));
}

/** Text as it stands, such as what a program printed. */
export const latexVerbatim = (plain: string): string => verbatim(verbatimText(plain.replace(/\n+$/, "")));

const verbatim = (text: string): string => `\\begin{Verbatim}[commandchars=\\\\\\{\\}]\n${text}\n\\end{Verbatim}`;

function text(node: Node, colour: string | undefined): string {
  if (node.type === "text") {
    const lines = node.data.split("\n").map(verbatimText);
    return lines.map((line) => (colour === undefined || line.trim() === "" ? line : `\\textcolor{${colour}}{${line}}`)).join("\n");
  }
  if (!("children" in node)) return "";
  const [, name] = /hljs-([a-z_]+)/.exec((node as { attribs?: Record<string, string> }).attribs?.["class"] ?? "") ?? [];
  return (node.children as Node[]).map((child) => text(child, name === undefined ? colour : (colours[name] ?? colour))).join("");
}
