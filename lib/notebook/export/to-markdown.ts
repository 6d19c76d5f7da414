import type { Token } from "markdown-it";
import { joined, type Notebook, type Output } from "../types.js";
import { type CodePart, type MarkdownPart, type Part, parts } from "./document.js";
import { alignments, type HtmlTable, tablesAndText } from "./html-tables.js";
import { imageReferences } from "./image-references.js";
import { decoded, imageTypes, isRemote, localImage } from "./images.js";
import { parsed } from "./markdown.js";
import { altText, chosen, figureOf, figureTitle, isDisplay, isPlaceholder, textOf } from "./mime.js";
import { dataTables } from "../../report/views/picture/data-table.js";
import { captionOf } from "./captions.js";
import { workId } from "./bibliography.js";
import { equationId } from "./equations.js";
import { citationText } from "./markdown.js";
import { Maths } from "./maths.js";
import { type Numbering, numbering } from "./numbering.js";
import { type Reference, References, referenceTokens } from "./references.js";
import type { Exported, ExportOptions, RenderOptions } from "./options.js";
import { outputPictures, Pictures } from "./pictures.js";
import { plainText } from "../plain-text.js";

/** A notebook as Markdown for a repository, its images and charts in files beside it. */
export async function toMarkdown(notebook: Notebook, options: RenderOptions): Promise<Exported> {
  const all = parts(notebook, options);
  const pictures = new Pictures(options.filesFolder);
  await outputPictures(all, pictures, options, { isPreferred: (data) => data["text/markdown"] === undefined && data["text/latex"] === undefined });
  const language = notebook.metadata.language_info?.name ?? notebook.metadata.kernelspec?.language ?? "";
  const tokens = new Map<Part, Token[]>(all.filter(({ kind }) => kind === "markdown").map((part) => [part, parsed(part.source)]));
  const { equations } = new Maths();
  equations.number(structuredClone([...tokens.values()].flat()));
  const references = new References(equations, options.works, options.warn);
  const numbers = numbering(all, tokens, references);
  const blocks = all.map((part) => {
    if (part.kind === "markdown") return withReferences(withLocalImages(part, pictures, options), tokens.get(part)!, `cell ${part.cell}`, references, numbers);
    if (part.kind === "raw") return /^(text\/)?(x-)?markdown$|^$|html$/.test(part.format) ? part.source : "";
    return codeMarkdown(part, language, pictures, numbers.cells.get(part));
  });
  const works = options.works?.entries() ?? [];
  if (works.length > 0) blocks.push("## References", ...works.map(({ key, html }) => `<a id="${workId(key)}"></a>${html}`));
  return { document: `${blocks.map((block) => block.trim()).filter(Boolean).join("\n\n")}\n`, files: pictures.files };
}

/** A cell's text with references as the numbers and works that they mean, and captions as text. */
function withReferences(source: string, tokens: readonly Token[], place: string, references: References, { captions }: Numbering): string {
  let text = source;
  for (const { content, meta } of referenceTokens(tokens)) {
    const reference = meta as Reference;
    const label = "label" in reference ? reference.label : undefined;
    const words = label === undefined ? citationText(reference, references, place) : references.name(label, place);
    const target = label === undefined ? ("cited" in reference ? workId(reference.cited[0]!.key) : "") : label.startsWith("eq-") ? equationId(label) : label;
    if (words !== undefined) text = text.replace(content, () => `[${words.replace(/[[\]]/g, "\\$&")}](#${target})`);
  }
  for (const token of tokens) {
    const caption = captionOf(token);
    const name = captions.get(token);
    if (!caption || name === undefined) continue;
    const anchor = caption.label === undefined ? "" : `<a id="${caption.label}"></a>`;
    const mark = caption.label === undefined ? undefined : `{#${caption.label}}`;
    if (token.type === "paragraph_open") text = text.replace(mark!, () => `\n\n${anchor}**${name}:** ${caption.words.map(({ content }) => content).join("")}`);
    else text = text.replace(mark === undefined ? /^(?:Table)?: +(.*)$/m : new RegExp(`^(?:Table)?: +(.*?)\\s*\\{#${caption.label!.replace(/[.*+?^$()|[\]\\]/g, "\\$&")}\\}`, "m"), (_, words: string) => `${anchor}**${name}:** ${words}`);
  }
  return text.replace(/(\$\$)\s*\{#(eq-[\w.:-]+)\}/g, (_, end: string, label: string) => `${end}\n<a id="${equationId(label)}"></a>`);
}

/** A cell's text with the images that it refers to copied beside the document. */
function withLocalImages(part: MarkdownPart, pictures: Pictures, { folder, warn }: ExportOptions): string {
  const { source, attachments } = part;
  let text = source;
  for (const reference of imageReferences(parsed(source))) {
    if (isRemote(reference) || reference.startsWith("data:")) continue;
    const image = localImage(reference, attachments, folder);
    if (typeof image === "string") {
      warn?.(`image: ${reference} (${image})`);
      continue;
    }
    const path = address(pictures.copy(reference, image, part));
    text = text.replaceAll(text.includes(reference) ? reference : decoded(reference), path);
  }
  return text;
}

/** A path as an address that Markdown reads whole, whatever the notebook is called. */
const address = (path: string): string => path.split("/").map((name) => encodeURIComponent(name).replace(/[!'()*]/g, (character) => `%${character.charCodeAt(0).toString(16)}`)).join("/");

function codeMarkdown(part: CodePart, language: string, pictures: Pictures, name: string | undefined): string {
  const input = part.input === "shown" ? fenced(part.source.trimEnd(), language) : "";
  const outputs = part.output === "shown" ? part.outputs.map((output) => outputMarkdown(output, part, pictures)) : [];
  const { label, caption = "" } = part.options;
  const words = name === undefined || outputs.every((output) => output === "") ? "" : `${label === undefined ? "" : `<a id="${label}"></a>`}**${name}**${caption === "" ? "" : `: ${caption}`}`;
  return [input, ...outputs, words].filter(Boolean).join("\n\n");
}

function outputMarkdown(output: Output, { number }: CodePart, pictures: Pictures): string {
  if (output.output_type === "stream") return fenced(plainText(joined(output.text)), "text");
  if (output.output_type === "error") return fenced(plainText(output.traceback.join("\n")) || `${output.ename}: ${output.evalue}`, "text");
  if (!isDisplay(output)) return "";
  const { data } = output;
  if (data["text/markdown"] !== undefined) return textOf(data["text/markdown"]);
  const path = pictures.path(output);
  const figure = figureOf(data);
  if (path !== undefined) return `![${escaped((figure && figureTitle(figure)) || altText(data, `Picture of cell ${number}`))}](${address(path)})`;
  if (figure) return [`*${escaped(figureTitle(figure) || "A chart")} (a chart that is not drawn here: its data)*`, ...dataTables(figure).map(pipeTable)].join("\n\n");
  const parts = tablesAndText(textOf(data["text/html"]));
  if (parts.some((part) => typeof part !== "string")) return parts.map((part) => (typeof part === "string" ? escaped(part) : pipeTable(part))).join("\n\n");
  if (data["text/latex"] !== undefined) return latexMarkdown(textOf(data["text/latex"]));
  const { type, content } = chosen(data, isPlaceholder(textOf(data["text/plain"])) && parts.length > 0 ? [] : ["text/plain", "application/json"]) ?? {};
  if (type !== undefined) return fenced(plainText(textOf(content)), type === "text/plain" ? "text" : "json");
  const image = chosen(data, imageTypes);
  return image ? `*A picture (${image.type}), not drawn here*` : parts.map((part) => escaped(part as string)).join("\n\n");
}

/** Formulas between $$; a table in LaTeX as its source. */
function latexMarkdown(text: string): string {
  if (/\\begin\{(table|tabular|longtable|figure)\}/.test(text)) return fenced(text, "latex");
  return text.trim().startsWith("$") ? text.trim() : `$$\n${text.trim()}\n$$`;
}

/** A code block whose fence is longer than any in it. */
function fenced(text: string, language: string): string {
  const longest = Math.max(2, ...[...text.matchAll(/`+/g)].map(([run]) => run.length));
  const fence = "`".repeat(longest + 1);
  return text.trim() === "" ? "" : `${fence}${language}\n${text.replace(/\n+$/, "")}\n${fence}`;
}

export function pipeTable(table: HtmlTable): string {
  const line = (cells: readonly string[]) => `| ${cells.map(escaped).join(" | ")} |`;
  const rule = `|${alignments(table).map((side) => (side === "right" ? " --: " : " --- ")).join("|")}|`;
  return [...(table.caption ? [`**${escaped(table.caption)}**\n`] : []), line(table.head), rule, ...table.rows.map(line)].join("\n");
}

/** Text of an output as Markdown that says just that. */
function escaped(text: string): string {
  return text.replace(/[\\`*_[\]<>|$~]/g, "\\$&").replace(/^(\s*)([#+-]|\d+\.)(?=\s)/gm, "$1\\$2");
}
