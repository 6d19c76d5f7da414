import { randomUUID } from "node:crypto";
import { inspect } from "node:util";
import { withProgress } from "../cell/live.js";
import { controlsCss, esm, hidesLast, hidesMissing } from "./browser.js";
import { host, type Task } from "./host.js";
import { outputsHtml, valuesHtml, valuesText } from "./html.js";
import { CONTROL, type KeptControl } from "./kept.js";
import { type Output, Outputs, outputsText } from "./output.js";
import { accepted, controlsOf, type Control as AnyControl, type ControlSpec, show, type Values } from "./spec.js";
import { allStates, stateKey } from "./states.js";
import { Widget } from "./widget.js";

const display = Symbol.for("Jupyter.display");
/** Milliseconds between two looks at what a view shows while it is being drawn. */
const INTERVAL = 150;
/** Milliseconds without a change after which the notebook gets the state that it keeps. */
const SETTLED = 300;
/** Characters of all states together, at most. */
const LARGEST = 64e6;

export interface ControlOptions {
  /** Computes the view of every combination of values before the first is shown, so that exported pages stay interactive; default false. */
  readonly precompute?: boolean;
}

export interface Context {
  /** Aborted when another value has taken the place of this one, or the work was interrupted. */
  readonly signal: AbortSignal;
}

type View<Specs> = (values: Values<Specs>, context: Context) => unknown;

/**
 * Sliders, choices, numbers, texts, checkboxes and buttons above a view that follows them: a token view, a chart, a table, text,
 * whatever a cell can show, and what the function prints. When a value changes, what is still being computed for an earlier one is
 * dropped: only the latest is shown.
 *
 * Alive where the client has a widget manager (`sdtp lab`, JupyterLab and Notebook with anywidget); elsewhere, and in exports, its last
 * state. With `precompute` exported pages stay interactive without a kernel.
 * @param specs by name: `{ min, max, step?, value? }`, a list of choices, `{ number, min?, max? }`, `{ text, lines? }`, `{ checked }`,
 *   `{ button }`, or a number, a string, true or false as a start; each but a button with a `label` if wished
 * @param view called with the values; what it returns is shown. Library calls inside are stopped when it is dropped; its second
 *   argument holds the `signal` for others
 * @throws on a control that is none, by name; outside of a notebook. What `view` throws first fails the cell; later it is shown in place of the view
 * @example
 * sdtp.control({ keep: { min: 0.5, max: 1, step: 0.05 }, scorer: ["learned", "norm"] }, async ({ keep, scorer }) =>
 *   sdtp.tokens(await model.prefill(ids, { preset: { stages: [{ afterLayer: 1, keep }] }, scorer })))
 */
export function control<const Specs extends Readonly<Record<string, ControlSpec>>>(specs: Specs, view: View<Specs>, options: ControlOptions = {}): LiveControl<Specs> {
  const controls = controlsOf(specs);
  if (typeof view !== "function") throw new Error(`control: view is ${show(view)} (must be a function of the values)`);
  if (options.precompute) allStates(controls);
  return new LiveControl(controls, view as View<unknown>, options);
}

/** Controls and their view; see {@link control}. */
export class LiveControl<Specs = unknown> {
  readonly #controls: readonly AnyControl[];
  readonly #view: View<never>;
  readonly #precompute: boolean;
  readonly #widget: Widget;
  /** Names what the notebook keeps of it. */
  readonly #id = `sdtp-control-${randomUUID()}`;
  #values: Record<string, unknown>;
  /** The values that clients show, as far as is known here. */
  #told: Record<string, unknown>;
  #outputs: readonly Output[] = [];
  #states: Record<string, readonly Output[]> | undefined;
  #task: Task<unknown> | undefined;
  /** The latest drawing, until it is there. */
  #drawing: Promise<void> | undefined;
  #hasView = false;
  #queued = false;
  #kept: { update(value: unknown, options: { raw: true }): void }[] = [];
  #settling: NodeJS.Timeout | undefined;

  constructor(controls: readonly AnyControl[], view: View<never>, { precompute = false }: ControlOptions) {
    this.#controls = controls;
    this.#view = view;
    this.#precompute = precompute;
    this.#values = Object.fromEntries(controls.map(({ name, value }) => [name, value]));
    this.#told = this.#values;
    this.#widget = new Widget(this.#id, {
      esm,
      css: `${controlsCss}\n${hidesLast(this.#id)}`,
      state: { controls, values: this.#values, html: "", error: "", busy: true },
      changed: ({ values }) => values !== undefined && this.#changed(values as Record<string, unknown>),
      asked: ({ kind }, answer) => {
        if (kind === "plotly") void import("../report/views/plotly-library.js").then(({ packed, plotlySource }) => answer({ kind }, [Buffer.from(packed(plotlySource()), "base64")]));
      },
    });
  }

  /** The values now. */
  get values(): Values<Specs> {
    return { ...this.#values } as Values<Specs>;
  }

  /**
   * Sets values as if they had been chosen, and resolves when their view is there.
   * @throws on a value that its control does not take, before anything is changed; what the view throws
   */
  async set(values: Partial<Values<Specs>>): Promise<void> {
    this.#values = { ...this.#values, ...this.#accepted(values) };
    this.#tell();
    await this.#latest(this.#draw());
  }

  /** Takes the controls away; what they show last stays in exports. */
  close(): void {
    this.#task?.drop(superseded());
    this.#widget.close();
  }

  async [display](): Promise<object> {
    if (this.#precompute && !this.#states) await this.#computeAll();
    if (this.#drawing || !this.#hasView) await this.#latest(this.#drawing ?? this.#draw());
    this.#kept.push(host().display(await this.#lastState(), { raw: true, displayId: randomUUID() }));
    return { "application/vnd.jupyter.widget-view+json": { version_major: 2, version_minor: 0, model_id: this.#widget.id }, "text/plain": "" };
  }

  [inspect.custom](): string {
    return `LiveControl { ${valuesText(this.#controls, this.#values)} }`;
  }

  #accepted(values: object): Record<string, unknown> {
    return Object.fromEntries(Object.entries(values).map(([name, value]) => {
      const own = this.#controls.find((each) => each.name === name);
      if (!own) throw new Error(`control ${name}: there is none of that name (${this.#controls.map((each) => each.name).join(", ")})`);
      return [name, accepted(own, value)];
    }));
  }

  /** A person chose. */
  #changed(values: Record<string, unknown>): void {
    this.#told = values;
    try {
      this.#values = { ...this.#values, ...this.#accepted(values) };
    } catch (error) {
      return this.#tell({ error: messageOf(error) });
    }
    if (this.#queued) return;
    this.#queued = true;
    // Of changes that came while something else computed, the last is drawn.
    setImmediate(() => {
      this.#queued = false;
      this.#draw().catch((error: unknown) => {
        if (!isSuperseded(error)) this.#widget.set({ error: messageOf(error), busy: false });
      });
    });
  }

  /**
   * Tells clients a state, and the values where they show others. What they show already is not said again: meanwhile a person may have
   * chosen what is still on its way here, and would lose it.
   */
  #tell(state: Record<string, unknown> = {}): void {
    const other = this.#controls.some(({ name }) => this.#told[name] !== this.#values[name]);
    this.#told = this.#values;
    this.#widget.set({ ...state, ...(other && { values: this.#values }) });
  }

  /** Draws the view for the values of now, in place of what is still being drawn. Rejects with what it throws. */
  #draw(): Promise<void> {
    this.#task?.drop(superseded());
    const drawing = this.#drawLatest().finally(() => {
      if (this.#drawing === drawing) this.#drawing = undefined;
    });
    return (this.#drawing = drawing);
  }

  /** Resolves when what was drawn last is there. Rejects with what that throws. */
  async #latest(drawing: Promise<void>): Promise<void> {
    for (let current: Promise<void> | undefined = drawing; current; ) {
      try {
        return await current;
      } catch (error) {
        if (!isSuperseded(error)) throw error;
        current = this.#drawing;
      }
    }
  }

  async #drawLatest(): Promise<void> {
    const known = this.#states?.[stateKey(this.#controls, this.#values)];
    if (known) {
      this.#task = undefined;
      return this.#show(known, await outputsHtml(known));
    }
    const { task, outputs } = this.#compute(this.#values, (sofar) => void outputsHtml(sofar.list).then((html) => this.#task === task && this.#widget.set({ html })));
    this.#task = task;
    this.#widget.set({ busy: true });
    try {
      await task.done;
      const html = await outputsHtml(outputs.list);
      if (this.#task !== task) throw superseded();
      this.#show(outputs.list, html);
    } finally {
      if (this.#task === task) this.#task = undefined;
    }
  }

  #compute(values: Record<string, unknown>, partly: (outputs: Outputs) => void): { task: Task<unknown>; outputs: Outputs } {
    const outputs = new Outputs();
    let later: NodeJS.Timeout | undefined;
    const kernel = host();
    const task = kernel.task(
      async (signal) => {
        const value = await this.#view({ ...values } as never, { signal });
        if (value !== undefined) outputs.add({ type: "display", bundle: await kernel.bundle(value), update: false });
      },
      (shown) => {
        outputs.add(shown);
        later ??= setTimeout(() => {
          later = undefined;
          partly(outputs);
        }, INTERVAL).unref();
      },
    );
    return { task: { ...task, done: task.done.finally(() => clearTimeout(later)) }, outputs };
  }

  #show(outputs: readonly Output[], html: string): void {
    this.#outputs = outputs;
    this.#hasView = true;
    this.#tell({ html, error: "", busy: false });
    clearTimeout(this.#settling);
    if (this.#kept.length > 0) this.#settling = setTimeout(() => void this.#keep(), SETTLED);
  }

  async #keep(): Promise<void> {
    const last = await this.#lastState();
    for (const each of this.#kept) each.update(last, { raw: true });
  }

  async #lastState(): Promise<object> {
    const [controls, values, outputs] = [this.#controls, this.#values, this.#outputs];
    const kept: KeptControl = { version: 1, model_id: this.#widget.id, controls, values, outputs, ...(this.#states && { states: this.#states }) };
    return {
      [CONTROL]: kept,
      "text/html": `<div class="${this.#id}"><style>${hidesMissing(this.#id)}</style>${valuesHtml(controls, values)}${await outputsHtml(outputs, { still: true })}</div>`,
      "text/plain": `${valuesText(controls, values)}\n${outputsText(outputs)}`,
    };
  }

  async #computeAll(): Promise<void> {
    const all = allStates(this.#controls);
    const states: Record<string, readonly Output[]> = {};
    let size = 0;
    await withProgress(true, { done: () => `${all.length} states computed` }, async (live) => {
      for (const [at, values] of all.entries()) {
        live?.update(at / all.length, `state ${at + 1} of ${all.length}: ${valuesText(this.#controls, values)}`);
        const { task, outputs } = this.#compute(values, () => undefined);
        await task.done;
        size += JSON.stringify(outputs.list).length;
        if (size > LARGEST) throw new Error(`control: precompute: true makes more than ${LARGEST / 1e6} MB of views (${at + 1} of ${all.length} states: fewer values, or a smaller view)`);
        states[stateKey(this.#controls, values)] = outputs.list;
      }
    });
    this.#states = states;
  }
}

const superseded = () => new DOMException("a later value took its place", "AbortError");
const isSuperseded = (error: unknown): boolean => error instanceof DOMException && error.name === "AbortError" && /later value/.test(error.message);

function messageOf(error: unknown): string {
  if (!(error instanceof Error)) return `the view threw ${show(error)}`;
  return `${error.name}: ${error.message}`;
}
