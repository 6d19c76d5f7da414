import { createHash } from "node:crypto";
import type { Token } from "markdown-it";
import { joined, type Notebook, type Output } from "../types.js";
import { type CodePart, type MarkdownPart, type Part, parts } from "./document.js";
import { outline } from "./headings.js";
import { tablesAndText } from "./html-tables.js";
import { imageReferences } from "./image-references.js";
import { copyName, isRemote, localImage } from "./images.js";
import { latexCode, latexVerbatim } from "./latex-code.js";
import { fallbackFonts, lacking, lackingWarning } from "./latex-fonts.js";
import { dataTables } from "../../report/views/picture/data-table.js";
import { captionedTable, latexMarkdown, picture } from "./latex-markdown.js";
import { displayMath } from "./latex-maths.js";
import { latexTable } from "./latex-table.js";
import { latexText } from "./latex-text.js";
import { latexTokens } from "./latex-tokens.js";
import { parsed } from "./markdown.js";
import { Maths } from "./maths.js";
import { altText, chosen, figureOf, figureTitle, isDisplay, textOf } from "./mime.js";
import { kindOfCell, numbering } from "./numbering.js";
import type { Exported, ExportOptions, RenderOptions } from "./options.js";
import { References } from "./references.js";
import { type Foreign, imageKey, outputPictures, Pictures, readable } from "./pictures.js";
import { shortText } from "./shortened.js";
import { plainText } from "../plain-text.js";

/** A notebook as a LaTeX article, its pictures in files beside it. Tables of a bundle's own LaTeX stand as they are. */
export async function toLatex(notebook: Notebook, options: RenderOptions): Promise<Exported> {
  const all = parts(notebook, options);
  const pictures = new Pictures(plainFolder(options.filesFolder));
  const tokens = new Map<Part, Token[]>(all.filter(({ kind }) => kind === "markdown").map((part) => [part, parsed(part.source)]));
  await outputPictures(all, pictures, options, { isPreferred: (data) => data["text/latex"] === undefined, vector: true, images: foreignImages(tokens, options) });
  const { title } = outline([...tokens.values()]);
  const language = notebook.metadata.language_info?.name ?? notebook.metadata.kernelspec?.language ?? "";
  const maths = new Maths(options.warn);
  // Numbers are LaTeX's own; these only know what there is.
  maths.equations.number(structuredClone([...tokens.values()].flat()));
  const references = new References(maths.equations, options.works, options.warn);
  numbering(all, tokens, references);
  const blocks = all.map((part) => {
    maths.place = part.kind === "raw" ? "" : `cell ${part.cell}`;
    if (part.kind === "markdown") return latexMarkdown(tokens.get(part)!, { maths, references, image: (source) => referred(source, part, pictures, options) });
    if (part.kind === "raw") return /latex$/.test(part.format) ? part.source : part.format === "" ? latexText(part.source) : "";
    return codeLatex(part, language, pictures, maths);
  });
  if (options.works && options.works.used.size > 0) {
    const path = `${plainFolder(options.filesFolder)}/references.bib`;
    pictures.files.push({ path, content: Buffer.from(`${options.works.bibtex}\n`) });
    blocks.push(`\\bibliographystyle{plainnat}\n\\bibliography{${path.replace(/\.bib$/, "")}}`);
  }
  const body = blocks.filter(Boolean).join("\n\n");
  const heading = notebook.metadata.title ?? title ?? options.name;
  const others = lacking(latexText(heading) + body);
  if (others.size > 0) options.warn?.(lackingWarning(others));
  return { document: page(heading, body, (options.works ? "\\usepackage{natbib}\n" : "") + fallbackFonts(others)), files: pictures.files };
}

/** A folder's name without what TeX reads otherwise (`%`, `#`, spaces); the end tells two apart that would become one. */
function plainFolder(name: string): string {
  const plain = name.replace(/[^A-Za-z0-9._-]+/g, "-");
  return plain === name ? name : plain.replace(/(_files)?$/, `-${createHash("sha256").update(name).digest("hex").slice(0, 6)}$1`);
}

/** The images of texts that LaTeX cannot read as they are. */
function foreignImages(tokens: ReadonlyMap<Part, Token[]>, { folder }: RenderOptions): Foreign[] {
  const found = new Map<string, Foreign>();
  for (const [part, own] of tokens) for (const source of imageReferences(own)) {
    const image = isRemote(source) || source.startsWith("data:") ? "" : localImage(source, (part as MarkdownPart).attachments, folder);
    const key = imageKey(source, (part as MarkdownPart).cell);
    if (typeof image !== "string" && !readable.has(image.type)) found.set(key, { key, name: copyName(source, image).replace(/\.[^.]*$/, ""), image });
  }
  return [...found.values()];
}

function referred(source: string, part: MarkdownPart, pictures: Pictures, { folder, warn }: ExportOptions): string | undefined {
  const made = pictures.path(imageKey(source, part.cell));
  if (made !== undefined) return made;
  const image = isRemote(source) || source.startsWith("data:") ? "not a file beside the notebook" : localImage(source, part.attachments, folder);
  if (typeof image === "string") {
    warn?.(`image: ${source} (${image}; not in the document)`);
    return undefined;
  }
  if (!readable.has(image.type)) {
    warn?.(`image: ${source} (LaTeX reads no ${image.type}; not in the document)`);
    return undefined;
  }
  return pictures.copy(source, image, part);
}

function codeLatex(part: CodePart, language: string, pictures: Pictures, maths: Maths): string {
  const input = part.input === "shown" ? latexCode(part.source, language) : "";
  const outputs = part.output === "shown" ? part.outputs.map((output) => outputLatex(output, part, pictures, maths)).filter(Boolean) : [];
  return [input, captioned(outputs.join("\n\n"), part, maths)].filter(Boolean).join("\n\n");
}

/** Outputs as a float with the cell's caption and label. A table that is a float already takes them in place of its own caption. */
function captioned(outputs: string, part: CodePart, maths: Maths): string {
  const { label, caption } = part.options;
  if (outputs === "" || (label === undefined && caption === undefined)) return outputs;
  const named = label === undefined ? "" : `\\label{${label}}`;
  const words = `\\caption{${caption === undefined ? "" : latexMarkdown(parsed(caption), { maths, image: () => undefined })}}${named}`;
  const own = /\\caption\{(?:[^{}]|\{(?:[^{}]|\{[^{}]*\})*\})*\}/.exec(outputs);
  if (/\\begin\{table\}/.test(outputs)) {
    if (!own) return outputs.replace("\\end{table}", () => `${words}\n\\end{table}`);
    return outputs.slice(0, own.index) + (caption === undefined ? `${own[0]}${named}` : words) + outputs.slice(own.index + own[0].length);
  }
  return kindOfCell(part) === "tbl" ? captionedTable(outputs, words) : `\\begin{figure}[H]\n\\centering\n${outputs}\n${words}\n\\end{figure}`;
}

function outputLatex(output: Output, { number }: CodePart, pictures: Pictures, maths: Maths): string {
  if (output.output_type === "stream") return latexVerbatim(shortText(plainText(joined(output.text))));
  if (output.output_type === "error") return latexVerbatim(plainText(output.traceback.join("\n")) || `${output.ename}: ${output.evalue}`);
  if (!isDisplay(output)) return "";
  const { data } = output;
  if (data["text/latex"] !== undefined) return ownLatex(textOf(data["text/latex"]).trim(), maths);
  const figure = figureOf(data);
  const path = pictures.path(output);
  const alt = (figure && figureTitle(figure)) || altText(data, `Picture of cell ${number}`);
  if (path !== undefined) return picture(path, alt);
  if (figure) return [picture(undefined, `${alt} (a chart that is not drawn here: its data)`), ...dataTables(figure).map((table) => latexTable(table))].join("\n\n");
  const tokens = latexTokens(textOf(data["text/html"]));
  if (tokens !== undefined) return tokens;
  const tables = tablesAndText(textOf(data["text/html"]));
  if (tables.some((part) => typeof part !== "string")) return tables.map((part) => (typeof part === "string" ? latexText(part) : latexTable(part))).join("\n\n");
  if (data["text/markdown"] !== undefined) return latexMarkdown(parsed(textOf(data["text/markdown"])), { maths, image: () => undefined });
  const { content } = chosen(data, ["text/plain", "application/json"]) ?? {};
  return content === undefined ? tables.map((part) => latexText(part as string)).join("\n\n") : latexVerbatim(plainText(textOf(content)));
}

/** A bundle's LaTeX: a table no wider than the text, text with its own delimiters, or a bare formula. */
function ownLatex(text: string, maths: Maths): string {
  const isBare = !/\\begin\{(table|tabular|longtable|figure|center)/.test(text);
  const inner = text.replace(/^\$\$?|\$\$?$|^\\\[|\\\]$|^\\\(|\\\)$/g, "");
  // One formula that would stop LaTeX is shown as its source, as in Markdown.
  if (isBare && !/\$/.test(inner.replaceAll("\\$", "")) && !maths.accepts(inner, true)) return latexVerbatim(text);
  if (!/\\begin\{(table|tabular|longtable|figure|center)/.test(text)) return /^(\$|\\\[|\\\()/.test(text) ? text : displayMath(text);
  if (/\\begin\{adjustbox|\\resizebox/.test(text)) return text;
  return text.replace(/\\begin\{tabular\}[^]*?\\end\{tabular\}/g, (tabular) => `\\begin{adjustbox}{max width=\\linewidth}\n${tabular}\n\\end{adjustbox}`);
}

function page(title: string, body: string, fonts: string): string {
  return String.raw`% Set with lualatex, xelatex or pdflatex; lualatex alone finds letters of other scripts in other fonts.
\documentclass[11pt,a4paper]{article}
\usepackage{iftex}
\iftutex
  \usepackage{fontspec}
\else
  \usepackage[T1]{fontenc}
  \usepackage[utf8]{inputenc}
  \usepackage{lmodern,textcomp}
\fi
\usepackage[margin=25mm]{geometry}
\usepackage{amsmath,amssymb}
\newcommand{\useifthere}[1]{\IfFileExists{#1.sty}{\usepackage{#1}}{}}
\useifthere{mathtools}\useifthere{mathrsfs}\useifthere{bm}\useifthere{cancel}\useifthere{stmaryrd}
\usepackage{booktabs,longtable,float}
\usepackage{graphicx}
\usepackage[export]{adjustbox}
\usepackage{xcolor}
\IfFileExists{fvextra.sty}{\usepackage{fvextra}\fvset{breaklines,breakanywhere}}{\usepackage{fancyvrb}}
\usepackage[hidelinks]{hyperref}
\definecolor{codekeyword}{HTML}{B3231B}
\definecolor{codestring}{HTML}{0A3069}
\definecolor{codecomment}{HTML}{59636E}
\definecolor{codenumber}{HTML}{0550AE}
\definecolor{codetitle}{HTML}{6639BA}
\definecolor{codebuiltin}{HTML}{8A3C00}
% What notebooks know and LaTeX does not.
\providecommand{\R}{\mathbb{R}}\providecommand{\N}{\mathbb{N}}\providecommand{\Z}{\mathbb{Z}}
\providecommand{\lt}{<}\providecommand{\gt}{>}\providecommand{\degree}{^{\circ}}
\providecommand{\argmax}{\operatorname*{arg\,max}}\providecommand{\argmin}{\operatorname*{arg\,min}}
\providecommand{\bra}[1]{\langle #1|}\providecommand{\ket}[1]{|#1\rangle}\providecommand{\mathscr}{\mathcal}
% Bars that programs draw: height, grey.
\newcommand{\bartext}[2]{\textcolor[gray]{#2}{\rule[-0.4ex]{0.525em}{#1ex}}}
${fonts}\fvset{fontsize=\small,frame=leftline,framesep=3mm,rulecolor=\color{lightgray}}
\floatplacement{table}{H}
\setlength{\parindent}{0pt}
\setlength{\parskip}{6pt plus 2pt}
\title{${latexText(title)}}
\date{}
\begin{document}
\maketitle

${body}

\end{document}
`;
}
