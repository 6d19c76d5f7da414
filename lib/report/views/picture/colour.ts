type Rgba = readonly [number, number, number, number];

/** Scales by name, at even distances. */
const named: Readonly<Record<string, readonly string[]>> = {
  viridis: ["#440154", "#3b528b", "#21918c", "#5ec962", "#fde725"],
  cividis: ["#00224e", "#434e6c", "#7d7c78", "#bcae6c", "#fee838"],
  plasma: ["#0d0887", "#7e03a8", "#cc4778", "#f89540", "#f0f921"],
  blues: ["#f7fbff", "#6baed6", "#08306b"],
  reds: ["#fff5f0", "#fb6a4a", "#67000d"],
  greys: ["#ffffff", "#737373", "#000000"],
};

/** Plotly's own scale where none is named. */
const usual: readonly (readonly [number, string])[] = [[0, "rgb(5,10,172)"], [0.35, "rgb(106,137,247)"], [0.5, "rgb(190,190,190)"], [0.6, "rgb(220,170,132)"], [0.7, "rgb(230,145,90)"], [1, "rgb(178,10,28)"]];

/** What Plotly gives traces that name no colour. */
export const colorway = ["#1f77b4", "#ff7f0e", "#2ca02c", "#d62728", "#9467bd", "#8c564b", "#e377c2", "#7f7f7f", "#bcbd22", "#17becf"];

/** The colour of a share 0 to 1 on a scale as Plotly takes it: a name, or pairs of a share and a colour. */
export function colours(scale: unknown, reversed = false): (share: number) => Rgba {
  // A name with `_r` is the scale turned round.
  const [, name, turned] = /^(.*?)(_r)?$/.exec(typeof scale === "string" ? scale.toLowerCase() : "")!;
  const list = named[name!];
  const pairs: readonly (readonly [number, string])[] = Array.isArray(scale) ? scale.map((stop: unknown, i, all) => (Array.isArray(stop) ? [Number(stop[0]), String(stop[1])] : [i / (all.length - 1), String(stop)])) : (list?.map((colour, i, all) => [i / (all.length - 1), colour] as const) ?? usual);
  const stops = pairs.map(([at, colour]) => [Number(at), rgba(colour)] as const);
  return (share) => {
    const at = Math.max(0, Math.min(1, reversed !== (turned !== undefined) ? 1 - share : share));
    const next = Math.max(1, stops.findIndex(([place]) => place >= at));
    const [[from, a], [to, b]] = [stops[next - 1] ?? stops[0]!, stops[next] ?? stops.at(-1)!];
    const t = to === from ? 0 : (at - from) / (to - from);
    return a.map((value, i) => value + (b[i]! - value) * t) as unknown as Rgba;
  };
}

/** `#0072B2`, `rgb(1,2,3)` or `rgba(1,2,3,.5)`; grey for what is none of these. */
function rgba(colour: string): Rgba {
  const hex = /^#([0-9a-f]{2})([0-9a-f]{2})([0-9a-f]{2})$/i.exec(colour);
  if (hex) return [parseInt(hex[1]!, 16), parseInt(hex[2]!, 16), parseInt(hex[3]!, 16), 1];
  const [r, g, b, a] = (/^rgba?\(([^)]*)\)/i.exec(colour)?.[1] ?? "128,128,128").split(/[\s,/]+/).map(Number);
  return [r ?? 128, g ?? 128, b ?? 128, a ?? 1];
}
