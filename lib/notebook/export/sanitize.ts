import sanitize from "sanitize-html";
import { scopedCss } from "./styles.js";

/** MathML as KaTeX writes it. */
const math = ["math", "semantics", "annotation", "mrow", "mi", "mo", "mn", "ms", "mtext", "mspace", "msup", "msub", "msubsup", "mfrac", "msqrt", "mroot", "mover", "munder", "munderover", "mtable", "mtr", "mtd", "mlabeledtr", "mstyle", "mpadded", "mphantom", "menclose", "merror", "mmultiscripts", "mprescripts"];
const svg = ["svg", "g", "path", "rect", "circle", "ellipse", "line", "polyline", "polygon", "text", "tspan", "defs", "marker", "lineargradient", "radialgradient", "stop", "clippath", "title", "desc"];
const html = ["img", "details", "summary", "progress", "meter", "input", "label", "del", "ins", "style", "picture", "video", "audio", "source", "h1", "h2", "center", "font"];
const svgAttributes = ["viewbox", "xmlns", "d", "x", "y", "x1", "y1", "x2", "y2", "cx", "cy", "r", "rx", "ry", "dx", "dy", "points", "transform", "fill", "fill-opacity", "fill-rule", "stroke", "stroke-width", "stroke-dasharray", "stroke-linecap", "stroke-linejoin", "stroke-opacity", "opacity", "offset", "stop-color", "stop-opacity", "text-anchor", "dominant-baseline", "font-size", "font-family", "font-weight", "preserveaspectratio", "gradientunits", "gradienttransform", "clip-path", "marker-end", "marker-start", "refx", "refy", "markerwidth", "markerheight", "orient"];
const mathAttributes = ["display", "mathvariant", "stretchy", "fence", "separator", "lspace", "rspace", "minsize", "maxsize", "linethickness", "columnalign", "columnspacing", "rowspacing", "columnlines", "rowlines", "accent", "accentunder", "movablelimits", "scriptlevel", "displaystyle", "notation", "encoding", "depth", "voffset", "mathsize", "mathcolor", "mathbackground", "symmetric", "largeop", "form"];

export interface SanitizeOptions {
  /** What stands for an image that is no data URI: another source, or the text that explains it. */
  readonly image?: (source: string) => { src: string } | { text: string };
  /** The selector that an output's own styles are kept within. */
  readonly scope?: string;
  /** false: headings become paragraphs, so that the page's own outline stays in order. Default: true. */
  readonly headings?: boolean;
  /** Everything is let through; images are still resolved. */
  readonly trust?: boolean;
}

/** HTML of someone else's without what runs, loads, submits or covers: what is left is content and its looks. */
export function sanitized(dirty: string, { image = () => ({ text: "" }), scope, headings = true, trust = false }: SanitizeOptions): string {
  const resolveImage = (tagName: string, attribs: sanitize.Attributes): sanitize.Tag => {
    const { src = "", srcset: _, ...rest } = attribs;
    if (src.startsWith("data:image/")) return { tagName, attribs: { ...rest, src } };
    const found = image(src);
    const alt = attribs["alt"] ?? "";
    if ("src" in found) return { tagName, attribs: { ...rest, src: found.src, alt } };
    return { tagName: "span", attribs: { class: "missing-image" }, text: [alt, found.text].filter(Boolean).join(" ") };
  };
  const clean = sanitize(dirty, {
    allowedTags: trust ? false : [...sanitize.defaults.allowedTags, ...html, ...math, ...svg],
    allowedAttributes: trust
      ? false
      : {
          "*": ["class", "id", "style", "title", "lang", "dir", "role", "aria-*", "width", "height", "align", "valign", "color", "size", "face", "border", ...svgAttributes, ...mathAttributes],
          a: ["href", "name"],
          img: ["src", "alt"],
          td: ["colspan", "rowspan"],
          th: ["colspan", "rowspan", "scope"],
          col: ["span"],
          ol: ["start", "type", "reversed"],
          li: ["value"],
          details: ["open"],
          progress: ["value", "max"],
          meter: ["value", "max", "min", "low", "high", "optimum"],
          input: [{ name: "type", multiple: false, values: ["checkbox"] }, "checked", "disabled"],
          time: ["datetime"],
          video: ["src", "controls", "loop", "muted", "poster"],
          audio: ["src", "controls", "loop"],
          source: ["src", "type"],
        },
    allowedSchemes: ["http", "https", "mailto"],
    allowedSchemesByTag: { img: ["data"], video: ["data"], audio: ["data"], source: ["data"] },
    allowProtocolRelative: false,
    allowVulnerableTags: true,
    transformTags: {
      img: resolveImage,
      ...(!headings && Object.fromEntries(["h1", "h2", "h3", "h4", "h5", "h6"].map((tag) => [tag, (_: string, attribs: sanitize.Attributes) => ({ tagName: "p", attribs: { ...attribs, class: `${attribs["class"] ?? ""} heading`.trim() } })]))),
    },
    ...(trust && { allowedSchemes: false as const, allowedSchemesByTag: {} }),
  });
  if (trust) return clean;
  return clean.replace(/<style[^>]*>([\s\S]*?)<\/style>/g, (_, css: string) => (scope === undefined ? "" : `<style>${scopedCss(css, scope)}</style>`));
}
