/**
 * Runs in the page: draws controls into `root` and calls `changed` with what a person chooses. Returns a function that shows
 * other values. The same in a notebook and in an exported report.
 */
export const controlsSource = `
const sdtpControls = (root, controls, values, changed) => {
  const set = {};
  const make = (tag, properties, ...children) => {
    const element = Object.assign(document.createElement(tag), properties);
    element.append(...children);
    return element;
  };
  for (const control of controls) {
    const { name, label, kind } = control;
    let input, shown = "";
    if (kind === "button") {
      let pressed = 0;
      input = make("button", { type: "button", textContent: label });
      input.onclick = () => changed(name, ++pressed);
      set[name] = (value) => { pressed = value; };
      root.append(input);
      continue;
    }
    if (kind === "slider") {
      shown = make("output", {});
      input = make("input", { type: "range", min: 0, max: Math.floor((control.max - control.min) / control.step + 1e-6), step: 1 });
      const number = () => Number((control.min + Number(input.value) * control.step).toPrecision(12));
      const say = () => { shown.textContent = String(number()); input.setAttribute("aria-valuetext", shown.textContent); };
      input.oninput = () => { say(); changed(name, number()); };
      set[name] = (value) => { input.value = String(Math.round((value - control.min) / control.step)); say(); };
    } else if (kind === "choice") {
      input = make("select", {}, ...control.choices.map((each, i) => make("option", { value: String(i), textContent: String(each) })));
      input.onchange = () => changed(name, control.choices[Number(input.value)]);
      set[name] = (value) => { input.value = String(control.choices.indexOf(value)); };
    } else if (kind === "checkbox") {
      input = make("input", { type: "checkbox" });
      input.onchange = () => changed(name, input.checked);
      set[name] = (value) => { input.checked = value; };
    } else if (kind === "number") {
      input = make("input", { type: "number", step: "any", ...(control.min !== undefined && { min: control.min }), ...(control.max !== undefined && { max: control.max }) });
      let last;
      input.onchange = () => { if (input.value !== "" && Number(input.value) !== last && input.reportValidity()) changed(name, last = Number(input.value)); };
      set[name] = (value) => { last = value; if (Number(input.value) !== value || input.value === "") input.value = String(value); };
    } else {
      input = control.lines > 1 ? make("textarea", { rows: control.lines, cols: 60 }) : make("input", { type: "text", size: 40 });
      let last;
      input.onchange = () => { if (input.value !== last) changed(name, last = input.value); };
      set[name] = (value) => { last = value; if (input.value !== value) input.value = value; };
    }
    // Letters and arrows are for the control and no shortcuts of the notebook's; those with Ctrl or Cmd are, such as saving.
    if (kind !== "checkbox") {
      const mine = ({ ctrlKey, metaKey }) => { if (ctrlKey || metaKey) delete input.dataset.lmSuppressShortcuts; else input.dataset.lmSuppressShortcuts = "true"; };
      mine({});
      input.onkeyup = input.onfocus = mine;
      input.onkeydown = (event) => {
        mine(event);
        // Browsers tell of a change by Enter where it was typed, not where it was pasted by a script or filled in.
        if (event.key === "Enter" && input.localName === "input" && input.type !== "range") input.onchange();
      };
    }
    input.dataset.control = name;
    root.append(make("label", {}, make("span", { textContent: label }), input, shown));
  }
  const show = (next) => { for (const [name, value] of Object.entries(next)) set[name]?.(value); };
  show(values);
  return show;
};`.trim();

/** The module of the anywidget protocol: controls above their view. */
export const esm = `
${controlsSource}

// Scripts that come as text do not run by themselves. Plotly is asked for where a chart needs it and nobody has brought it.
const run = (view, model) => {
  if (view.querySelector('[id^="plotly-"]') && !window.Plotly && !window.__plotly__) {
    window.__plotly__ = new Promise((resolve) => {
      const receive = async (content, buffers) => {
        if (content?.kind !== "plotly") return;
        model.off("msg:custom", receive);
        const stream = new Blob([buffers[0]]).stream().pipeThrough(new DecompressionStream("gzip"));
        new Function("define", "module", "exports", await new Response(stream).text())();
        resolve();
      };
      model.on("msg:custom", receive);
      model.send({ kind: "plotly" });
    });
  }
  for (const old of view.querySelectorAll("script")) {
    const script = document.createElement("script");
    for (const { name, value } of old.attributes) script.setAttribute(name, value);
    script.textContent = old.textContent;
    old.replaceWith(script);
  }
};

export default {
  render({ model, el }) {
    const root = document.createElement("div");
    root.className = "sdtp-control";
    const form = document.createElement("div");
    form.className = "sdtp-control-form";
    const error = Object.assign(document.createElement("pre"), { className: "sdtp-control-error" });
    error.setAttribute("role", "alert");
    const view = document.createElement("div");
    view.className = "sdtp-control-view";
    root.append(form, error, view);
    el.append(root);
    const shown = sdtpControls(form, model.get("controls"), model.get("values"), (name, value) => {
      model.set("values", { ...model.get("values"), [name]: value });
      model.save_changes();
    });
    const values = () => shown(model.get("values"));
    // Told where the kernel ends or is started anew. What comes from a kernel comes from a living one.
    const gone = (is = true) => root.classList.toggle("sdtp-control-gone", is);
    const state = () => {
      gone(false);
      root.setAttribute("aria-busy", String(model.get("busy")));
      error.textContent = model.get("error");
      error.hidden = model.get("error") === "";
    };
    const html = () => {
      gone(false);
      // A view that is drawn anew keeps the place of the page.
      view.style.minHeight = view.offsetHeight + "px";
      view.innerHTML = model.get("html");
      const connected = () => {
        if (!view.isConnected) return void requestAnimationFrame(connected);
        run(view, model);
        requestAnimationFrame(() => { view.style.minHeight = ""; });
      };
      connected();
    };
    const listeners = { "change:values": values, "change:busy": state, "change:error": state, "change:html": html, "comm_live_update": () => gone() };
    for (const [event, listener] of Object.entries(listeners)) model.on(event, listener);
    state();
    html();
    return () => { for (const [event, listener] of Object.entries(listeners)) model.off(event, listener); };
  },
};
`.trim();

/** Looks of controls, in a notebook and in a report. */
export const controlsCss = `
.sdtp-control-form{display:flex;flex-wrap:wrap;gap:.4em 1.4em;align-items:center;margin:.2em 0 .6em;font-size:13px}
.sdtp-control-form label{display:inline-flex;gap:.5em;align-items:center}
.sdtp-control-form output{min-width:3.5em;font-variant-numeric:tabular-nums}
.sdtp-control-form input[type=range]{width:14em}
.sdtp-control-form :is(input,select,textarea,button){font:inherit;color:inherit;accent-color:#3178c6}
.sdtp-control-form :is(input:not([type=range],[type=checkbox]),select,textarea,button){background:transparent;border:1px solid #8888;border-radius:3px;padding:.15em .4em}
.sdtp-control-form option{color:#000;background:#fff}
.sdtp-control[aria-busy=true] .sdtp-control-view{opacity:.55;transition:opacity .2s .15s}
.sdtp-control-error{color:#c0392b;white-space:pre-wrap;margin:.3em 0}
.sdtp-control-gone .sdtp-control-form>*{opacity:.5;pointer-events:none}
.sdtp-control-gone .sdtp-control-form::after{content:"The kernel that drew this is gone: run the cell again"}`.trim();

/** As long as a control is alive in the page, its last state, which stands in the notebook for where none is, is not shown beside it. */
export const hidesLast = (id: string): string => `.jp-OutputArea-child:has(.${id}),.${id}{display:none}`;

/** Where the last state is shown, JupyterLab's complaint beside it, that the widget is not there any more, is not. */
export const hidesMissing = (id: string): string => `.jp-OutputArea-child:has(.${id})+.jp-OutputArea-child:has(>.jupyter-widgets):not(:has(.jupyter-widgets *)){display:none}`;
