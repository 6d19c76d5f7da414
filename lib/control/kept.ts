import type { Output } from "./output.js";
import type { Control } from "./spec.js";

/** What of a control stays in the notebook, for exports. */
export const CONTROL = "application/vnd.sdtp-notebook.control+json";

export interface KeptControl {
  readonly version: 1;
  /** The live widget that it is the state of. */
  readonly model_id: string;
  readonly controls: readonly Control[];
  readonly values: Readonly<Record<string, unknown>>;
  /** What the view shows for these values. */
  readonly outputs: readonly Output[];
  /** What it shows for all others too, by `stateKey`; absent where they were not computed. */
  readonly states?: Readonly<Record<string, readonly Output[]>>;
}

/** What a bundle of a notebook keeps of a control; undefined where it is none, or damaged. */
export function keptControl(data: Readonly<Record<string, unknown>>): KeptControl | undefined {
  const kept = data[CONTROL] as Partial<KeptControl> | undefined;
  const isObject = (value: unknown): value is object => typeof value === "object" && value !== null && !Array.isArray(value);
  if (!isObject(kept) || kept.version !== 1 || !Array.isArray(kept.controls) || !isObject(kept.values) || !areOutputs(kept.outputs)) return undefined;
  if (!kept.controls.every((each: unknown) => isObject(each) && ["name", "label", "kind"].every((key) => typeof (each as Record<string, unknown>)[key] === "string"))) return undefined;
  if (kept.states !== undefined && !(isObject(kept.states) && Object.values(kept.states).every(areOutputs))) return undefined;
  return kept as KeptControl;
}

function areOutputs(value: unknown): boolean {
  return Array.isArray(value) && value.every((each: { output_type?: unknown; text?: unknown; data?: unknown } | null) => (each?.output_type === "stream" ? typeof each.text === "string" : each?.output_type === "display_data" && typeof each.data === "object" && each.data !== null));
}
