export { control, LiveControl, type ControlOptions } from "./control.js";
export { explore } from "./explore.js";
export type { ControlSpec, Values as ControlValues } from "./spec.js";
