import type { Attributes } from "../../figure.js";
import { colours } from "./colour.js";
import { type Area, colourOf, label, pointColours, px, rgb, text, words } from "./draw.js";
import { extent, isList, list, numbers } from "./values.js";

type Point = readonly [number, number, number];

/** More faces than this of one surface are only larger on disk. */
const MOST_FACES = 2500;
const MOST_POINTS = 2000;

interface Shape {
  /** Distance from the eye: what is far is drawn first. */
  readonly depth: number;
  readonly svg: string;
}

/** Points, lines and surfaces in space, seen from where Plotly's camera stands: a parallel projection in a cube of the data's ranges. */
export function scene(traces: readonly { readonly trace: Attributes; readonly i: number }[], settings: Attributes, area: Area, palette: readonly string[]): string {
  const all = traces.map(({ trace }) => pointsOf(trace));
  const ranges = ([0, 1, 2] as const).map((axis) => {
    const given = settings[`${"xyz"[axis]}axis`]?.range as [number, number] | undefined;
    const [low, high] = given ?? extent(all.flatMap((points) => points.map((point) => point[axis])));
    if (!Number.isFinite(low)) throw new Error("no values");
    return [Number(low), Number(high) === Number(low) ? Number(low) + 1 : Number(high)] as const;
  });
  const eye = { x: 1.25, y: 1.25, z: 1.25, ...(settings["camera"]?.eye as object | undefined) };
  const distance = Math.hypot(eye.x, eye.y, eye.z) || 1;
  const forward: Point = [eye.x / distance, eye.y / distance, eye.z / distance];
  const flat = Math.hypot(forward[0], forward[1]) || 1e-9;
  const right: Point = [-forward[1] / flat, forward[0] / flat, 0];
  const up: Point = [-forward[2] * right[1], forward[2] * right[0], forward[0] * right[1] - forward[1] * right[0]];
  const size = Math.min(area.width, area.height) / 1.7;
  const dot = (a: Point, b: Point): number => a[0] * b[0] + a[1] * b[1] + a[2] * b[2];
  /** From the unit cube around 0 to pixels. */
  const onto = (point: Point): [number, number, number] => [area.left + area.width / 2 + size * dot(point, right), area.top + area.height / 2 - size * dot(point, up), dot(point, forward)];
  const cube = (point: Point): Point => ([0, 1, 2] as const).map((axis) => (point[axis] - ranges[axis]![0]) / (ranges[axis]![1] - ranges[axis]![0]) - 0.5) as unknown as Point;
  const shapes: Shape[] = traces.flatMap(({ trace, i }, t) => drawn(trace, all[t]!.map((point) => onto(cube(point))), all[t]!, colourOf(trace, i, palette)));
  shapes.sort((a, b) => a.depth - b.depth);
  return frame(onto, ranges, forward, settings) + shapes.map(({ svg }) => svg).join("");
}

/** The points of a trace; of a surface row by row. */
function pointsOf(trace: Attributes): Point[] {
  if (trace["type"] !== "surface") {
    const [x, y, z] = [numbers(trace["x"]), numbers(trace["y"]), numbers(trace["z"])];
    return x.map((value, i) => [value, y[i] ?? NaN, z[i] ?? NaN]);
  }
  const rows = list(trace["z"]).map(numbers);
  const [xs, ys] = [list(trace["x"]), list(trace["y"])];
  const at = (values: unknown[], row: number, column: number, index: number): number => Number(isList(values[row]) ? list(values[row])[column] : (values[index] ?? index));
  return rows.flatMap((row, r) => row.map((z, c): Point => [isList(xs[0]) ? at(xs, r, c, c) : Number(xs[c] ?? c), isList(ys[0]) ? at(ys, r, c, r) : Number(ys[r] ?? r), z]));
}

function drawn(trace: Attributes, seen: readonly (readonly [number, number, number])[], points: readonly Point[], colour: string): Shape[] {
  const isThere = (i: number): boolean => seen[i] !== undefined && seen[i].every(Number.isFinite);
  const face = (corners: readonly number[], fill: string): Shape[] => (corners.every(isThere) ? [{ depth: corners.reduce((sum, i) => sum + seen[i]![2], 0) / corners.length, svg: `<path d="M${corners.map((i) => `${px(seen[i]![0])} ${px(seen[i]![1])}`).join("L")}Z" fill="${fill}" stroke="${fill}" stroke-width=".4"/>` }] : []);
  if (trace["type"] === "surface") {
    const columns = list(list(trace["z"])[0]).length;
    const rows = points.length / columns;
    const step = Math.max(1, Math.ceil(Math.sqrt((rows * columns) / MOST_FACES)));
    const [low, high] = extent(points.map(([, , z]) => z));
    const [from, to] = [Number(trace["cmin"] ?? low), Number(trace["cmax"] ?? high)];
    const scale = colours(trace["colorscale"], trace["reversescale"] === true);
    const stops = (count: number): number[] => [...new Set([...Array.from({ length: Math.ceil((count - 1) / step) }, (_, i) => i * step), count - 1])];
    const [down, along] = [stops(rows), stops(columns)];
    return down.slice(1).flatMap((row, r) => along.slice(1).flatMap((column, c) => {
      const corners = [down[r]! * columns + along[c]!, down[r]! * columns + column, row * columns + column, row * columns + along[c]!];
      const middle = corners.reduce((sum, i) => sum + points[i]![2], 0) / 4;
      return Number.isFinite(middle) ? face(corners, rgb(scale((middle - from) / (to - from || 1)))) : [];
    }));
  }
  if (trace["type"] === "mesh3d") {
    const [i, j, k] = [numbers(trace["i"]), numbers(trace["j"]), numbers(trace["k"])];
    const own = typeof trace["color"] === "string" ? colourOf({ fillcolor: trace["color"] }, 0, [colour]) : colour;
    if (i.length === 0) throw new Error("a mesh without faces: they would have to be found");
    return i.flatMap((first, at) => face([first, j[at]!, k[at]!], own));
  }
  const mode = String(trace["mode"] ?? "lines+markers");
  const step = Math.max(1, Math.ceil(seen.length / MOST_POINTS));
  const fill = pointColours(trace["marker"], colour);
  const radius = Math.max(1, (typeof trace["marker"]?.size === "number" ? trace["marker"].size : 8) / 2.5);
  return seen.flatMap(([x, y, depth], i): Shape[] => {
    if (i % step !== 0 || !isThere(i)) return [];
    const before = i - step;
    return [
      ...(mode.includes("lines") && before >= 0 && isThere(before) ? [{ depth, svg: `<path d="M${px(seen[before]![0])} ${px(seen[before]![1])}L${px(x)} ${px(y)}" stroke="${colour}" stroke-width="${Number(trace["line"]?.width) || 2}"/>` }] : []),
      ...(mode.includes("markers") ? [{ depth, svg: `<circle cx="${px(x)}" cy="${px(y)}" r="${px(radius)}" fill="${fill(i)}"/>` }] : []),
    ];
  });
}

/** The cube's sides that lie behind the data, and along its lower edges the ends of the ranges and the axes' names. */
function frame(onto: (point: Point) => [number, number, number], ranges: readonly (readonly [number, number])[], forward: Point, settings: Attributes): string {
  const back = forward.map((part) => (part >= 0 ? -0.5 : 0.5)) as unknown as Point;
  const line = (a: Point, b: Point): string => { const [[x, y], [u, v]] = [onto(a), onto(b)]; return `M${px(x)} ${px(y)}L${px(u)} ${px(v)}`; };
  const set = (point: Point, axis: number, value: number): Point => point.map((part, i) => (i === axis ? value : part)) as unknown as Point;
  const edges: string[] = [];
  for (let axis = 0; axis < 3; axis++) {
    const others = [0, 1, 2].filter((each) => each !== axis);
    // The three sides behind: each in four lines and two across.
    for (const part of [-0.5, -0.25, 0, 0.25, 0.5]) for (const other of others) {
      const from = set(set(back, axis, -0.5), other, part);
      edges.push(line(from, set(from, axis, 0.5)));
    }
  }
  const names = [0, 1, 2].map((axis) => {
    // Along the edge of the silhouette: in front below for x and y, at the side for z.
    const edge = axis === 2 ? set(set(back, 0, -back[0]), 1, back[1]) : set(set(back, 2, -0.5), axis === 0 ? 1 : 0, -(axis === 0 ? back[1] : back[0]));
    const [low, high] = [onto(set(edge, axis, -0.5)), onto(set(edge, axis, 0.5))];
    const [cx, cy] = onto([0, 0, 0]);
    const out = (from: readonly number[], by: number): [number, number] => { const [dx, dy] = [from[0]! - cx, from[1]! - cy]; const far = Math.hypot(dx, dy) || 1; return [from[0]! + (dx / far) * by, from[1]! + (dy / far) * by]; };
    const middle = [(low[0] + high[0]) / 2, (low[1] + high[1]) / 2];
    const put = (at: [number, number], what: string): string => text(at[0], at[1] + 4, what, `text-anchor="middle"`);
    return put(out(inward(low, high), 16), label(ranges[axis]![0])) + put(out(inward(high, low), 16), label(ranges[axis]![1])) + put(out(middle, 34), words(settings[`${"xyz"[axis]}axis`]?.title) || "xyz"[axis]!);
  });
  return `<path d="${edges.join("")}" stroke="#808080" stroke-opacity=".3" fill="none"/>${names.join("")}`;
}

/** A little towards the other end, so that the ends of two axes do not write over each other. */
const inward = (from: readonly number[], to: readonly number[]): [number, number] => [from[0]! + (to[0]! - from[0]!) * 0.08, from[1]! + (to[1]! - from[1]!) * 0.08];
