/** What a choice is made of. */
export type Choice = string | number | boolean;

/** A number between two ends, set by a slider. */
export interface Slider {
  readonly min: number;
  readonly max: number;
  /** Default: 1 between whole numbers that are more than 1 apart, else a hundredth of the range. */
  readonly step?: number;
  /** To begin with; default: min. */
  readonly value?: number;
  readonly label?: string;
}

/** One of several values. A list alone is the same. */
export interface Choices {
  readonly choices: readonly Choice[];
  /** To begin with; default: the first. */
  readonly value?: Choice;
  readonly label?: string;
}

/** A number that is typed. A number alone is the same, without bounds. */
export interface NumberField {
  readonly number: number;
  readonly min?: number;
  readonly max?: number;
  readonly label?: string;
}

/** Text that is typed. A string alone is the same, of one line. */
export interface TextField {
  readonly text: string;
  /** Height of the field; default 1. */
  readonly lines?: number;
  readonly label?: string;
}

/** Yes or no. `true` or `false` alone is the same. */
export interface Checkbox {
  readonly checked: boolean;
  readonly label?: string;
}

/** Its value is how often it was pressed, from 0. */
export interface Button {
  /** What stands on it. */
  readonly button: string;
}

export type ControlSpec = Slider | Choices | readonly Choice[] | NumberField | TextField | Checkbox | Button | number | string | boolean;

/** The value that a control gives. */
export type ValueOf<Spec> = Spec extends readonly (infer T)[]
  ? T
  : Spec extends { readonly choices: readonly (infer T)[] }
    ? T
    : Spec extends number | Slider | NumberField | Button
      ? number
      : Spec extends string | TextField
        ? string
        : Spec extends boolean | Checkbox
          ? boolean
          : never;

export type Values<Specs> = { readonly [Name in keyof Specs]: ValueOf<Specs[Name]> };

/** A control with everything said, as the page that draws it gets it. */
export type Control = { readonly name: string; readonly label: string } & (
  | { readonly kind: "slider"; readonly min: number; readonly max: number; readonly step: number; readonly value: number }
  | { readonly kind: "choice"; readonly choices: readonly Choice[]; readonly value: Choice }
  | { readonly kind: "number"; readonly min?: number; readonly max?: number; readonly value: number }
  | { readonly kind: "text"; readonly lines: number; readonly value: string }
  | { readonly kind: "checkbox"; readonly value: boolean }
  | { readonly kind: "button"; readonly value: number }
);

const KEYS = {
  slider: ["min", "max", "step", "value", "label"],
  choice: ["choices", "value", "label"],
  number: ["number", "min", "max", "label"],
  text: ["text", "lines", "label"],
  checkbox: ["checked", "label"],
  button: ["button"],
} as const;

/** @throws on the first control that is none, in one sentence that names it */
export function controlsOf(specs: unknown): Control[] {
  if (typeof specs !== "object" || specs === null || Array.isArray(specs)) throw new Error(`control: ${show(specs)} (must be an object that names each control: { keep: { min: 0.5, max: 1 } })`);
  const names = Object.keys(specs);
  if (names.length === 0) throw new Error("control: {} (must name at least one control: { keep: { min: 0.5, max: 1 } })");
  return names.map((name) => controlOf(name, (specs as Record<string, unknown>)[name]));
}

function controlOf(name: string, spec: unknown): Control {
  const plain = shorthand(spec);
  const kind = kindOf(plain);
  const wrong = (what: string) => new Error(`control ${name}: ${what}`);
  if (!kind) throw wrong(`${show(spec)} (must be {min, max}, a list of choices, {number}, {text}, {checked}, {button}, a number, a string, true or false)`);
  const given = plain as Record<string, unknown>;
  const strange = Object.keys(given).find((key) => !(KEYS[kind] as readonly string[]).includes(key));
  if (strange !== undefined) throw wrong(`${strange} (is no setting of a ${kind}, which has ${KEYS[kind].join(", ")})`);
  const label = given["label"] ?? (kind === "button" ? given["button"] : name);
  if (typeof label !== "string") throw wrong(`label ${show(label)} (must be a string)`);
  const base = { name, label };
  switch (kind) {
    case "slider": {
      const [min, max] = [finite(given["min"], "min", wrong), finite(given["max"], "max", wrong)];
      if (min >= max) throw wrong(`min ${min}, max ${max} (min must be below max)`);
      const whole = Number.isInteger(min) && Number.isInteger(max) && max - min > 1;
      const step = given["step"] === undefined ? (whole ? 1 : tidy((max - min) / 100)) : finite(given["step"], "step", wrong);
      if (step <= 0 || step > max - min) throw wrong(`step ${step} (must be above 0 and at most max - min, ${tidy(max - min)})`);
      const control = { ...base, kind, min, max, step, value: min } as const;
      return { ...control, value: given["value"] === undefined ? min : (accepted(control, given["value"]) as number) };
    }
    case "choice": {
      const { choices } = given;
      if (!Array.isArray(choices) || choices.length === 0) throw wrong(`${show(choices)} (must have at least one choice)`);
      const bad = choices.findIndex((each, i) => !["string", "number", "boolean"].includes(typeof each) || (typeof each === "number" && !Number.isFinite(each)) || choices.indexOf(each) !== i);
      if (bad >= 0) throw wrong(`choice ${show(choices[bad])} (must be a string, a number, true or false, and there once)`);
      const control = { ...base, kind, choices: [...choices] as Choice[], value: choices[0] as Choice } as const;
      return { ...control, value: given["value"] === undefined ? control.value : (accepted(control, given["value"]) as Choice) };
    }
    case "number": {
      const bounds = Object.fromEntries((["min", "max"] as const).filter((key) => given[key] !== undefined).map((key) => [key, finite(given[key], key, wrong)]));
      if (bounds["min"]! > bounds["max"]!) throw wrong(`min ${bounds["min"]}, max ${bounds["max"]} (min must not be above max)`);
      const control = { ...base, kind, ...bounds, value: 0 } as const;
      return { ...control, value: accepted(control, given["number"]) as number };
    }
    case "text": {
      const lines = given["lines"] ?? 1;
      if (typeof given["text"] !== "string") throw wrong(`text ${show(given["text"])} (must be a string)`);
      if (!Number.isInteger(lines) || (lines as number) < 1 || (lines as number) > 100) throw wrong(`lines ${show(lines)} (must be a whole number from 1 to 100)`);
      return { ...base, kind, lines: lines as number, value: given["text"] };
    }
    case "checkbox":
      if (typeof given["checked"] !== "boolean") throw wrong(`checked ${show(given["checked"])} (must be true or false)`);
      return { ...base, kind, value: given["checked"] };
    case "button":
      return { ...base, kind, value: 0 };
  }
}

/** A value for a control as it takes it: a slider's on its nearest step. @throws where it is none for it */
export function accepted(control: Control, value: unknown): Choice {
  const wrong = (must: string) => new Error(`control ${control.name}: ${show(value)} (must be ${must})`);
  const number = typeof value === "number" && Number.isFinite(value) ? value : undefined;
  switch (control.kind) {
    case "slider": {
      const { min, max, step } = control;
      if (number === undefined || number < min - step * 1e-6 || number > max + step * 1e-6) throw wrong(`a number from ${min} to ${max}`);
      return stepsOf(control)[Math.min(stepCount(control) - 1, Math.max(0, Math.round((number - min) / step)))]!;
    }
    case "choice":
      if (!control.choices.includes(value as Choice)) throw wrong(`one of ${control.choices.map(show).join(", ")}`);
      return value as Choice;
    case "number": {
      const { min = -Infinity, max = Infinity } = control;
      if (number === undefined || number < min || number > max) throw wrong(Number.isFinite(min) || Number.isFinite(max) ? `a number from ${min} to ${max}` : "a number");
      return number;
    }
    case "text":
      if (typeof value !== "string") throw wrong("a string");
      return value;
    case "checkbox":
      if (typeof value !== "boolean") throw wrong("true or false");
      return value;
    case "button":
      if (number === undefined || !Number.isInteger(number) || number < 0) throw wrong("how often it was pressed");
      return number;
  }
}

/** How many values a slider has. */
export const stepCount = ({ min, max, step }: Extract<Control, { kind: "slider" }>): number => Math.floor((max - min) / step + 1e-6) + 1;

/** A slider's values, without the noise that adding steps would bring: 0.15 and not 0.15000000000000002. */
export const stepsOf = (slider: Extract<Control, { kind: "slider" }>): number[] => Array.from({ length: stepCount(slider) }, (_, i) => tidy(slider.min + i * slider.step));

const tidy = (value: number): number => Number(value.toPrecision(12));

function shorthand(spec: unknown): unknown {
  if (Array.isArray(spec)) return { choices: spec };
  if (typeof spec === "number") return { number: spec };
  if (typeof spec === "string") return { text: spec };
  if (typeof spec === "boolean") return { checked: spec };
  return spec;
}

function kindOf(spec: unknown): keyof typeof KEYS | undefined {
  if (typeof spec !== "object" || spec === null) return undefined;
  if ("choices" in spec) return "choice";
  if ("number" in spec) return "number";
  if ("text" in spec) return "text";
  if ("checked" in spec) return "checkbox";
  if ("button" in spec) return "button";
  return "min" in spec && "max" in spec ? "slider" : undefined;
}

function finite(value: unknown, key: string, wrong: (what: string) => Error): number {
  if (typeof value !== "number" || !Number.isFinite(value)) throw wrong(`${key} ${show(value)} (must be a number)`);
  return value;
}

/** A value as it stands in a sentence. */
export function show(value: unknown): string {
  const text = typeof value === "function" ? "a function" : typeof value === "number" || value === undefined ? String(value) : (JSON.stringify(value, (_, each: unknown) => (typeof each === "bigint" ? String(each) : each)) ?? typeof value);
  return text.length > 60 ? `${text.slice(0, 57)}…` : text;
}
