import type { JsonObject } from "../../jupyter/messages.js";

/** A variable of the cell tagged `parameters`. */
export interface Parameter {
  name: string;
  /** As the language writes it; undefined where the declaration says nothing about it. */
  type?: string;
  /** Source text of the default; undefined where there is none. */
  default?: string;
  /** The comment beside or above the declaration. */
  help?: string;
}

/** Values by parameter name. */
export type Values = JsonObject;

/** A value that a parameter does not take, and why. */
export interface Mismatch {
  name: string;
  reason: string;
}

/** What differs between the languages that parameters can be written in. */
export interface ParameterLanguage {
  /** The parameters that a cell declares, in order. */
  declared(source: string): Parameter[] | Promise<Parameter[]>;
  /** The values that do not have the declared type; all names are declared. */
  mismatches(source: string, values: Values): Mismatch[] | Promise<Mismatch[]>;
  /** The source of a cell that sets the values. */
  assignments(source: string, values: Values): string | Promise<string>;
}

/** The wrong value or name of a parameter, or wrong use of the command: nothing was run. */
export class UsageError extends Error {
  override name = "UsageError";
}
