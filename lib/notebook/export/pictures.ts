import { picture } from "../../report/views/picture/index.js";
import { Browser } from "./browser.js";
import type { CodePart, MarkdownPart, Part } from "./document.js";
import { bundleImage, copyName, decoded, extensionOf, type Image, imageTypes } from "./images.js";
import { chosen, type Figure, figureOf, figureTitle, isDisplay } from "./mime.js";
import type { ExportOptions, SideFile } from "./options.js";

/** Pictures of a document in a format that keeps them in files beside it. */
export class Pictures {
  readonly files: SideFile[] = [];
  private readonly paths = new Map<unknown, string>();
  private readonly names = new Set<string>();

  constructor(private readonly folder: string) {}

  /** @param key what `path` finds it by: an output, a reference */
  add(key: unknown, name: string, content: Uint8Array): string {
    const path = `${this.folder}/${this.unused(name)}`;
    this.files.push({ path, content });
    this.paths.set(key, path);
    return path;
  }

  /** A copy of the image that a cell refers to as `source`, once for each cell's attachment and each file. */
  copy(source: string, image: Image, { cell }: MarkdownPart): string {
    const key = imageKey(source, cell);
    return this.path(key) ?? this.add(key, copyName(source, image), image.bytes);
  }

  /** The path of what was added for `key`, relative to the document. */
  path(key: unknown): string | undefined {
    return this.paths.get(key);
  }

  private unused(name: string): string {
    const [, stem, ending] = /^(.*?)(\.[^.]*)?$/.exec(name)!;
    let free = name;
    for (let i = 2; this.names.has(free); i++) free = `${stem}-${i}${ending ?? ""}`;
    this.names.add(free);
    return free;
  }
}

/** What an image of a text is found by: a file by its path, an attachment in its cell. */
export const imageKey = (source: string, cell: number): string => (source.startsWith("attachment:") ? `${cell} ${decoded(source)}` : source);

interface Chart {
  /** What warnings call it. */
  readonly name: string;
  readonly figure: Figure;
}

type BrowserOptions = Pick<ExportOptions, "chromium" | "warn" | "signal">;

/** An image that a text refers to and that LaTeX cannot read. */
export interface Foreign {
  readonly key: string;
  readonly name: string;
  readonly image: Image;
}

/** Types that LaTeX reads; what is drawn of lines becomes PDF. */
export const readable = new Set(["image/png", "image/jpeg"]);

/**
 * Pictures of all outputs that are shown: images of their bundles, and charts drawn by a browser. Where there is no
 * browser, `warn` says so; charts are simpler pictures then, and those that only Plotly can draw have no path.
 * @param isPreferred whether an output's image or chart is shown at all, and not another type of its bundle
 * @param vector for LaTeX: charts and SVG become PDF, other types that it does not read PNG
 * @param images of texts, which become that as well
 */
export async function outputPictures(
  all: readonly Part[],
  pictures: Pictures,
  browser: BrowserOptions,
  { isPreferred, vector = false, images = [] }: { isPreferred: (data: Record<string, unknown>) => boolean; vector?: boolean; images?: readonly Foreign[] },
): Promise<void> {
  const charts: (Chart & { key: object })[] = [];
  const foreign: { key: unknown; name: string; image: Image }[] = images.map((each) => ({ ...each, name: `${each.name}.${vectorEnding(each.image)}` }));
  for (const part of all) {
    if (part.kind !== "code" || part.output !== "shown") continue;
    for (const [output, name] of named(part)) {
      if (!isPreferred(output.data)) continue;
      const found = chosen(output.data, imageTypes);
      const figure = figureOf(output.data);
      if (found === undefined) {
        if (figure) charts.push({ key: output, name: `${name}.${vector ? "pdf" : "png"}`, figure });
        continue;
      }
      const image = bundleImage(found.type, found.content);
      if (vector && !readable.has(image.type)) foreign.push({ key: output, name: `${name}.${vectorEnding(image)}`, image });
      else pictures.add(output, `${name}.${extensionOf(image.type)}`, image.bytes);
    }
  }
  let isDrawn = false;
  const what = [counted(charts.length, "chart"), counted(foreign.length, "image")].filter(Boolean).join(" and ");
  await withBrowser(what, browser, async (running) => {
    isDrawn = true;
    for (const [i, png] of (await drawn(charts, running, browser, vector ? "vector" : 2)).entries()) if (png) pictures.add(charts[i]!.key, charts[i]!.name, png);
    for (const { key, name, image } of foreign) {
      browser.signal?.throwIfAborted();
      const made = name.endsWith(".pdf") ? await running.vector(Buffer.from(image.bytes).toString()) : await running.png(image);
      if (made) pictures.add(key, name, made);
      else browser.warn?.(`${name}: ${image.type} not drawn: the browser cannot read it`);
    }
  });
  // Without a browser a chart is drawn as well as it can be without one; LaTeX reads no SVG.
  if (!isDrawn && !vector) for (const { key, name, figure } of charts) {
    const made = picture(figure);
    if (made) pictures.add(key, name.replace(/png$/, "svg"), Buffer.from(made.svg));
  }
}

const vectorEnding = ({ type }: Image): string => (type === "image/svg+xml" ? "pdf" : "png");

/** Charts as small PNG, in order; undefined for those that could not be drawn, of which `warn` says why. */
export async function drawnCharts(charts: readonly Chart[], browser: BrowserOptions): Promise<(Uint8Array | undefined)[]> {
  return (await withBrowser(counted(charts.length, "chart"), browser, (running) => drawn(charts, running, browser, 1))) ?? [];
}

async function drawn(charts: readonly Chart[], running: Browser, { warn }: BrowserOptions, scale: number | "vector"): Promise<(Uint8Array | undefined)[]> {
  const made = charts.length > 0 ? await running.charts(charts.map(({ figure }) => figure), scale) : [];
  for (const [i, png] of made.entries()) if (!png) warn?.(`${charts[i]!.name}: chart "${figureTitle(charts[i]!.figure)}" not drawn: Plotly refuses it`);
  return made;
}

/** @param what is to be drawn; nothing is done where that is "" */
async function withBrowser<Result>(what: string, { chromium, warn, signal }: BrowserOptions, use: (browser: Browser) => Promise<Result>): Promise<Result | undefined> {
  if (what === "") return undefined;
  let browser: Browser;
  try {
    browser = await Browser.start(chromium);
  } catch (error) {
    warn?.(`${what} not drawn by Plotly: ${(error as Error).message}`);
    return undefined;
  }
  try {
    signal?.throwIfAborted();
    return await use(browser);
  } finally {
    await browser.close();
  }
}

const counted = (count: number, noun: string): string => (count === 0 ? "" : `${count} ${count === 1 ? noun : `${noun}s`}`);

/** Outputs with data, and a name for a picture of each: `cell-3`, or `cell-3-2` for a second one. */
function named(part: CodePart): [Extract<CodePart["outputs"][number], { data: object }>, string][] {
  return part.outputs.filter(isDisplay).map((output, i) => [output, `cell-${part.number}${i > 0 ? `-${i + 1}` : ""}`]);
}
