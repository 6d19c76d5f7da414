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

/** Values as JSON can hold them: NaN and the infinities by their names; `stringifyExact` writes whole numbers of any size. */
export function recorded(values: Values): Values {
  const plain = (value: unknown): unknown => {
    if (typeof value === "number") return Number.isFinite(value) ? value : String(value);
    if (Array.isArray(value)) return value.map(plain);
    return typeof value === "object" && value !== null ? Object.fromEntries(Object.entries(value).map(([key, item]) => [key, plain(item)])) : value;
  };
  return plain(values) as Values;
}

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
