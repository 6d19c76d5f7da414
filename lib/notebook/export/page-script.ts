import { controlsSource } from "../../control/browser.js";

/**
 * The page's script: the theme, folding all code, charts in the page's colours, and controls whose states are all in the page. Charts are drawn from the JSON
 * beside them. A chart that has a background of its own keeps its colours.
 */
export const pageScript = `
"use strict";
(() => {
const root = document.documentElement;
const prefersDark = matchMedia("(prefers-color-scheme: dark)");
const store = (value) => { try { if (value === undefined) return localStorage.getItem("theme"); localStorage.setItem("theme", value); } catch {} };
const isDark = () => (root.dataset.theme ? root.dataset.theme === "dark" : prefersDark.matches);
const saved = store();
if (saved === "light" || saved === "dark") root.dataset.theme = saved;
const themeButton = document.querySelector("[data-do=theme]");
const foldButton = document.querySelector("[data-do=fold]");
const nameButtons = () => {
  themeButton.textContent = isDark() ? "Light" : "Dark";
  themeButton.setAttribute("aria-label", isDark() ? "Light colours" : "Dark colours");
  if (foldButton) foldButton.textContent = document.querySelector("details.input[open]") ? "Hide code" : "Show code";
};
themeButton.hidden = false;
themeButton.onclick = () => { root.dataset.theme = isDark() ? "light" : "dark"; store(root.dataset.theme); nameButtons(); recolour(); };
if (foldButton) {
  foldButton.hidden = false;
  foldButton.onclick = () => {
    const open = !document.querySelector("details.input[open]");
    for (const each of document.querySelectorAll("details.input")) each.open = open;
    nameButtons();
  };
  document.addEventListener("toggle", nameButtons, true);
}
prefersDark.addEventListener("change", () => { nameButtons(); recolour(); });
nameButtons();

// Above the text, where there is no room beside it, the contents would push it off the screen.
const contents = document.querySelector(".toc details");
if (contents && !matchMedia("(min-width:68rem)").matches) contents.open = false;

const charts = [];
const colours = () => {
  const text = getComputedStyle(document.body).color;
  return { font: text, grid: "rgba(128,128,128,.25)", zero: "rgba(128,128,128,.5)" };
};
const isPaper = matchMedia("print").matches;
// Where nothing hovers, the bar of tools would stand over the title for good.
const hasPointer = matchMedia("(hover: hover)").matches;
const isClear = (colour) => colour === undefined || /^rgba\\(.*,\\s*0?\\.?0*\\)$|^transparent$/.test(colour);
const themed = (layout) => {
  if (!isClear(layout.paper_bgcolor) || layout.template) return {};
  const { font, grid, zero } = colours();
  const changes = { paper_bgcolor: "rgba(0,0,0,0)", "font.color": font, "modebar.bgcolor": "rgba(0,0,0,0)", "modebar.color": "rgba(128,128,128,.7)", "modebar.activecolor": font };
  if (isClear(layout.plot_bgcolor)) {
    changes.plot_bgcolor = "rgba(0,0,0,0)";
    for (const axis of new Set(["xaxis", "yaxis", ...Object.keys(layout).filter((key) => /^[xy]axis\\d*$/.test(key))])) {
      if (layout[axis]?.gridcolor === undefined) changes[axis + ".gridcolor"] = grid;
      if (layout[axis]?.zerolinecolor === undefined) changes[axis + ".zerolinecolor"] = zero;
    }
  }
  return changes;
};
const recolour = () => { for (const { element, layout } of charts) window.Plotly.relayout(element, themed(layout)); };
// Those that a control took away are no more.
const forget = () => {
  for (let i = charts.length - 1; i >= 0; i--) if (!charts[i].element.isConnected) window.Plotly.purge(charts.splice(i, 1)[0].element);
};
const apply = (layout, changes) => {
  const copy = structuredClone(layout);
  for (const [path, value] of Object.entries(changes)) {
    const names = path.split(".");
    let target = copy;
    for (const name of names.slice(0, -1)) target = target[name] = { ...target[name] };
    target[names.at(-1)] = value;
  }
  return copy;
};
// On a narrow screen names go below the chart, and titles into as many lines as they need.
const NARROW = 560;
const wrapped = (text, width) => {
  const lines = [""];
  for (const word of String(text ?? "").replace(/<br\\s*\\/?>/gi, " ").split(" ")) {
    if (lines.at(-1) !== "" && lines.at(-1).length + word.length >= width) lines.push(word);
    else lines[lines.length - 1] += (lines.at(-1) === "" ? "" : " ") + word;
  }
  return lines;
};
const fitted = (layout, width) => {
  if (width >= NARROW || isPaper) return layout;
  const title = typeof layout.title === "string" ? { text: layout.title } : layout.title;
  const lines = wrapped(title?.text, width / 11);
  const below = title?.subtitle?.text ? wrapped(title.subtitle.text, width / 7.5) : [];
  return {
    ...layout,
    legend: { ...layout.legend, orientation: "h", x: 0, xanchor: "left", y: -0.4, yanchor: "top" },
    margin: { ...layout.margin, l: 45, r: 15, t: 30 + 19 * lines.length + 16 * below.length },
    ...(title?.text && { title: { ...title, text: lines.join("<br>"), font: { ...title.font, size: 15 }, x: 0, xref: "paper", xanchor: "left", y: 1, yref: "paper", yanchor: "bottom", pad: { b: 12 + 19 * (lines.length - 1) + 16 * below.length }, ...(below.length > 0 && { subtitle: { ...title.subtitle, text: below.join("<br>") } }) } }),
  };
};
let loading;
const load = () => (loading ??= bring());
const bring = async () => {
  const packed = document.getElementById("plotly-library").textContent;
  const bytes = Uint8Array.from(atob(packed), (character) => character.charCodeAt(0));
  const script = document.createElement("script");
  script.textContent = await new Response(new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"))).text();
  document.head.append(script);
};
const draw = async (within) => {
  const elements = [...within.querySelectorAll("figure.chart")];
  if (elements.length === 0) return;
  await load();
  for (const element of elements) {
    if (!element.isConnected) continue;
    const { data, layout = {}, config = {} } = JSON.parse(element.querySelector("script").textContent);
    const { width, ...rest } = layout;
    // On paper a chart that asks for no height is lower, so that fewer pages end half empty.
    if (rest.height === undefined && isPaper) { rest.height = 340; element.style.minHeight = "340px"; }
    element.replaceChildren();
    // Many small charts side by side keep a width at which they can be read, and scroll.
    const isWide = rest.grid?.columns > 2 && element.clientWidth < 640 && !isPaper;
    const target = isWide ? element.appendChild(Object.assign(document.createElement("div"), { style: "width:640px" })) : element;
    if (isWide) element.style.overflowX = "auto";
    try {
      await window.Plotly.newPlot(target, data, apply({ ...fitted(rest, target.clientWidth), autosize: true }, themed(layout)), { ...config, responsive: true, displaylogo: false, ...(hasPointer ? {} : { displayModeBar: false }) });
      charts.push({ element: target, layout });
    } catch (error) {
      element.textContent = "This chart cannot be drawn: " + error.message;
    }
  }
};
const resize = () => charts.map(({ element }) => window.Plotly.Plots.resize(element));
window.addEventListener("beforeprint", () => { recolour(); resize(); });
window.addEventListener("afterprint", () => { recolour(); resize(); });
window.reportReady = draw(document);

${controlsSource}
const place = ({ kind, min, step, choices }, value) => (kind === "slider" ? Math.round((value - min) / step) : kind === "choice" ? choices.indexOf(value) : Number(value));
for (const element of document.querySelectorAll(".sdtp-control")) {
  const script = element.querySelector(":scope > script[type='application/json']");
  if (!script) continue;
  const { controls, values } = JSON.parse(script.textContent);
  const form = element.querySelector(":scope > .sdtp-control-form");
  const view = element.querySelector(":scope > .sdtp-control-view");
  const states = new Map([...element.querySelectorAll(":scope > template")].map((template) => [template.dataset.state, template]));
  form.replaceChildren();
  sdtpControls(form, controls, values, (name, value) => {
    values[name] = value;
    const state = states.get(controls.map((each) => place(each, values[each.name])).join(","));
    view.style.minHeight = view.offsetHeight + "px";
    view.replaceChildren(...(state ? [state.content.cloneNode(true)] : ["This state is not in the page."]));
    forget();
    draw(view).finally(() => { view.style.minHeight = ""; });
  });
}
})();
`.trim();
