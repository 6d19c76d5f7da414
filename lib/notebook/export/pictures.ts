import type { Browser } from "./browser.js";
import type { CodePart, Part } from "./document.js";
import { bundleImage, copyName, extensionOf, type Image, imageTypes } from "./images.js";
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

  /** A copy of the image that a cell refers to as `source`. Attachments of different cells may have the same name. */
  copy(source: string, image: Image): string {
    const isFile = !source.startsWith("attachment:");
    return (isFile ? this.path(source) : undefined) ?? this.add(isFile ? source : image, copyName(source, image), image.bytes);
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

/** Types that LaTeX reads. */
const readable = new Set(["image/png", "image/jpeg"]);

/**
 * Pictures of all outputs that are shown: images of their bundles, and charts drawn by a browser. Where there is no
 * browser, `warn` says what is missing, and the charts have no path.
 * @param isPreferred whether an output's image or chart is shown at all, and not another type of its bundle
 * @param rasterOnly SVG and the like become PNG
 */
export async function outputPictures(
  all: readonly Part[],
  pictures: Pictures,
  { startBrowser, warn, signal }: Pick<ExportOptions, "warn" | "signal"> & { startBrowser: () => Promise<Browser> },
  { isPreferred, rasterOnly = false }: { isPreferred: (data: Record<string, unknown>) => boolean; rasterOnly?: boolean },
): Promise<void> {
  const charts: { key: object; name: string; figure: Figure }[] = [];
  const foreign: { key: object; name: string; image: Image }[] = [];
  for (const part of all) {
    if (part.kind !== "code" || part.output !== "shown") continue;
    for (const [output, name] of named(part)) {
      if (!isPreferred(output.data)) continue;
      const found = chosen(output.data, imageTypes);
      const figure = figureOf(output.data);
      if (found === undefined) {
        if (figure) charts.push({ key: output, name: `${name}.png`, figure });
        continue;
      }
      const image = bundleImage(found.type, found.content);
      if (rasterOnly && !readable.has(image.type)) foreign.push({ key: output, name: `${name}.png`, image });
      else pictures.add(output, `${name}.${extensionOf(image.type)}`, image.bytes);
    }
  }
  if (charts.length + foreign.length === 0) return;
  let browser: Browser;
  try {
    browser = await startBrowser();
  } catch (error) {
    const what = [charts.length > 0 ? `${charts.length} ${charts.length === 1 ? "chart" : "charts"}` : "", foreign.length > 0 ? `${foreign.length} ${foreign.length === 1 ? "image" : "images"}` : ""].filter(Boolean).join(" and ");
    warn?.(`${what} not drawn: ${(error as Error).message}`);
    return;
  }
  try {
    signal?.throwIfAborted();
    for (const [i, png] of (charts.length > 0 ? await browser.charts(charts.map(({ figure }) => figure)) : []).entries()) {
      const { key, name, figure } = charts[i]!;
      if (png) pictures.add(key, name, png);
      else warn?.(`${name}: chart "${figureTitle(figure)}" not drawn: Plotly refuses it`);
    }
    for (const { key, name, image } of foreign) {
      signal?.throwIfAborted();
      pictures.add(key, name, await browser.png(image));
    }
  } finally {
    await browser.close();
  }
}

/** Outputs with data, and a name for a picture of each: `cell-3`, or `cell-3-2` for a second one. */
function named(part: CodePart): [Extract<CodePart["outputs"][number], { data: object }>, string][] {
  return part.outputs.filter(isDisplay).map((output, i) => [output, `cell-${part.number}${i > 0 ? `-${i + 1}` : ""}`]);
}
