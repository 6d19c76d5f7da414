import type { Choice, Control } from "./spec.js";
import { stepsOf } from "./spec.js";

/** States that are computed beforehand, at most. */
export const MOST_STATES = 1000;

/** The values that a control can have; null: any number or text. */
export function valuesOf(control: Control): readonly Choice[] | null {
  if (control.kind === "slider") return stepsOf(control);
  if (control.kind === "choice") return control.choices;
  return control.kind === "checkbox" ? [false, true] : null;
}

/** Names a state: where each control's value stands among its values, "3,0". */
export function stateKey(controls: readonly Control[], values: Readonly<Record<string, unknown>>): string {
  return controls.map((control) => valuesOf(control)!.indexOf(values[control.name] as Choice)).join(",");
}

/**
 * Every combination of the controls' values, the last control's changing fastest.
 * @throws where a control can have any value, and above {@link MOST_STATES}
 */
export function allStates(controls: readonly Control[]): Record<string, Choice>[] {
  const lists = controls.map((control) => {
    const values = valuesOf(control);
    if (!values) throw new Error(`control ${control.name}: a ${control.kind} (precompute: true needs controls with a set of values: sliders, choices, checkboxes)`);
    return values;
  });
  const count = lists.reduce((product, { length }) => product * length, 1);
  if (count > MOST_STATES) throw new Error(`control: precompute: true makes ${count} states of ${controls.map(({ name }, i) => `${name} (${lists[i]!.length})`).join(", ")} (must be at most ${MOST_STATES}: fewer values, or larger steps)`);
  return controls.reduce<Record<string, Choice>[]>((all, { name }, i) => all.flatMap((state) => lists[i]!.map((value) => ({ ...state, [name]: value }))), [{}]);
}
