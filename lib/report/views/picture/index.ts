import { escapeHtml } from "../../../escape-html.js";
import type { Attributes } from "../../figure.js";
import { type Area, colourOf, type Name, paletteOf, plainWords, text } from "./draw.js";
import { labelColours, pie, pieNames } from "./pie.js";
import { Plane, planeTypes } from "./plane.js";
import { scene } from "./scene.js";
import { decoded } from "./values.js";

const WIDTH = 800;
/** A grey that is read on white and on black: a picture does not know the page's colours. */
const GREY = "#7a7a7a";

export interface Picture {
  readonly svg: string;
  readonly width: number;
  readonly height: number;
}

const sceneTypes = new Set(["scatter3d", "surface", "mesh3d"]);
const typeOf = (trace: Attributes): string => String(trace["type"] ?? "scatter");
const isVisible = ({ visible }: Attributes): boolean => visible !== false && visible !== "legendonly";

/**
 * A figure as SVG, without a browser: what is seen of a chart where no script runs. Lines, points, areas, bars, histograms, boxes,
 * violins, candlesticks, heat maps, pies, and in space points, lines and surfaces. Clear, so that it stands on light and dark.
 * @returns undefined where there is a trace of another kind, or nothing to draw: there is no picture rather than a part of one
 */
export function picture({ data, layout = {} }: { readonly data: readonly object[]; readonly layout?: object }): Picture | undefined {
  try {
    return drawn((decoded(data) as Attributes[]).filter(isVisible), layout as Attributes);
  } catch {
    return undefined;
  }
}

/** Kinds of traces of a figure that are drawn by Plotly alone. */
export const undrawn = ({ data }: { readonly data: readonly object[] }): string[] => [...new Set((data as Attributes[]).filter(isVisible).map(typeOf))].filter((type) => !planeTypes.has(type) && !sceneTypes.has(type) && type !== "pie");

function drawn(data: readonly Attributes[], layout: Attributes): Picture | undefined {
  if (data.length === 0 || undrawn({ data }).length > 0) return undefined;
  const palette = paletteOf(layout);
  const all = data.map((trace, i) => ({ trace, i }));
  const of = (types: { has(type: string): boolean }) => all.filter(({ trace }) => types.has(typeOf(trace)));
  const [flat, pies, space] = [of(planeTypes), of(new Set(["pie"])), of(sceneTypes)];
  const plane = new Plane(flat, layout, palette);
  const height = Number(layout["height"]) || 450;
  const title = titleLines(layout["title"]);
  const named: Name[] = [...flat, ...space].flatMap(({ trace, i }) => (trace["name"] && trace["showlegend"] !== false && typeOf(trace) !== "heatmap" ? [{ name: plainWords(trace["name"]), colour: colourOf(trace, i, palette), dash: trace["line"]?.dash as string | undefined }] : []));
  const labels = labelColours(palette);
  const slices = new Map(pies.flatMap(({ trace }) => pieNames(trace, labels)).map((each) => [each.name, each]));
  const legend = layout["showlegend"] === false || (slices.size === 0 && named.length < 2 && layout["showlegend"] !== true) ? [] : [...new Map([...named, ...slices.values()].map((each) => [each.name, each])).values()];
  const [shown, more] = fitting(legend, height);
  const { left, right: aside } = plane.margins;
  const right = Math.min(WIDTH / 2, aside + (shown.length > 0 ? 54 + 7.2 * Math.max(...shown.map(({ name }) => Math.min(42, name.length))) : plane.hasColourBar ? 90 : 20));
  const top = 20 + 18 * title.length + (Object.keys(layout).some((key) => /^xaxis\d*$/.test(key) && layout[key]?.side === "top") ? 30 : 0);
  const area: Area = plane.isEmpty ? { left: 20, top: top + 8, width: WIDTH - 20 - right, height: height - top - 24 } : { left, top, width: WIDTH - left - right, height: height - top - 62 };
  const parts = [
    plane.isEmpty ? "" : plane.svg(area),
    ...pies.map(({ trace }, at) => pie(trace, within(trace["domain"], area, layout["grid"], at, pies.length), labels)),
    ...[...new Set(space.map(({ trace }) => String(trace["scene"] ?? "scene")))].map((name, at, names) => scene(space.filter(({ trace }) => String(trace["scene"] ?? "scene") === name), (layout[name] ?? {}) as Attributes, within(layout[name]?.domain, area, layout["grid"], at, names.length), palette)),
  ];
  const background = layout["paper_bgcolor"] && !/^rgba\(.*,\s*0?\.?0*\)$|^transparent$/.test(String(layout["paper_bgcolor"])) ? `<rect width="${WIDTH}" height="${height}" fill="${escapeHtml(String(layout["paper_bgcolor"]))}"/>` : "";
  const heading = title.map((line, i) => text(12, 24 + 18 * i, line, i === 0 ? 'font-size="16"' : 'font-size="12"')).join("");
  const from = WIDTH - right + aside + 14;
  const names = shown.map(({ name, colour, dash }, i) => `<path d="M${Math.round(from)} ${top + 10 + 18 * i}h22" stroke="${colour}" stroke-width="3"${dash && dash !== "solid" ? ' stroke-dasharray="6 4"' : ""}/>${text(from + 28, top + 14 + 18 * i, name.length > 42 ? `${name.slice(0, 41)}…` : name)}`);
  const rest = more > 0 ? text(from + 28, top + 14 + 18 * shown.length, `and ${more} more`) : "";
  const svg = `<svg xmlns="http://www.w3.org/2000/svg" width="${WIDTH}" height="${height}" viewBox="0 0 ${WIDTH} ${height}" font-family="sans-serif" font-size="12" fill="${GREY}">${background}${heading}${parts.join("")}${names.join("")}${rest}</svg>`;
  return /NaN|Infinity/.test(svg.replace(/>[^<]*<|href="[^"]*"/g, "")) ? undefined : { svg, width: WIDTH, height };
}

/** The names that there is room for, and how many there is none for. */
function fitting(legend: readonly Name[], height: number): [readonly Name[], number] {
  const room = Math.max(3, Math.floor((height - 60) / 18));
  return legend.length <= room ? [legend, 0] : [legend.slice(0, room - 1), legend.length - room + 1];
}

/** Lines of a title and of its subtitle; markup in them goes, and none is wider than the picture. */
function titleLines(title: unknown): string[] {
  const { text = "", subtitle } = (typeof title === "string" ? { text: title } : (title ?? {})) as { text?: string; subtitle?: { text?: string } };
  return [text, subtitle?.text ?? ""].flatMap((part) => part.split(/<br\s*\/?>/i)).map(plainWords).filter(Boolean).flatMap((line) => line.match(/.{1,115}(?:\s|$)|.{115}/g) ?? [line]);
}

/** The part of the picture that a trace without axes takes; those that name none share it. */
function within(domain: Attributes | undefined, area: Area, grid: Attributes | undefined, at: number, count: number): Area {
  const columns = Number(grid?.["columns"]) || (grid ? 1 : count);
  const rows = Number(grid?.["rows"]) || Math.ceil(count / columns);
  const place = domain?.["row"] !== undefined || domain?.["column"] !== undefined ? Number(domain?.["row"] ?? 0) * columns + Number(domain?.["column"] ?? 0) : at;
  const [[left, right], [bottom, top]] = [domain?.["x"] ?? [(place % columns) / columns, ((place % columns) + 1) / columns], domain?.["y"] ?? [1 - (Math.floor(place / columns) + 1) / rows, 1 - Math.floor(place / columns) / rows]] as [[number, number], [number, number]];
  return { left: area.left + left * area.width, top: area.top + (1 - top) * area.height, width: (right - left) * area.width, height: (top - bottom) * area.height };
}
