/** Parameters of Python notebooks, written and read as papermill does. */
import type { Json } from "../../jupyter/messages.js";
import type { Mismatch, Parameter, ParameterLanguage } from "./parameter.js";

const ASSIGNMENT = /^(?<name>[A-Za-z_]\w*)\s*(?::\s*(?<type>[^=#]+?)\s*)?=(?!=)\s*(?<rest>.*)$/;

export const python: ParameterLanguage = {
  declared(source) {
    return source.split("\n").flatMap((line): Parameter[] => {
      const groups = ASSIGNMENT.exec(line)?.groups;
      if (!groups) return [];
      const { code, comment } = splitComment(groups.rest ?? "");
      const annotated = /^type:\s*(\S+)\s*(.*)$/.exec(comment);
      const type = groups.type ?? annotated?.[1];
      const help = annotated ? annotated[2] : comment;
      return [{ name: groups.name ?? "", ...(type && { type }), default: code, ...(help && { help }) }];
    });
  },

  /** Only of types whose values JSON has; Python itself does not check the others either. */
  mismatches(source, values) {
    const types = new Map((this.declared(source) as Parameter[]).map(({ name, type }) => [name, type]));
    return Object.entries(values).flatMap(([name, value]): Mismatch[] => {
      const type = types.get(name)?.replace(/^["']|["']$/g, "").trim();
      const wanted = /^(int|float|str|bool|list|dict|List|Dict)(\[.*\])?$/.exec(type ?? "")?.[1]?.toLowerCase();
      if (wanted === undefined || accepts(wanted, value)) return [];
      return [{ name, reason: `Type '${typeOf(value)}' is not assignable to type '${type}'.` }];
    });
  },

  assignments(_source, values) {
    return ["# Parameters", ...Object.entries(values).map(([name, value]) => `${name} = ${literal(value)}`)].join("\n");
  },
};

/** A value as a Python expression. */
export function literal(value: Json | undefined): string {
  if (value === null || value === undefined) return "None";
  if (typeof value === "boolean") return value ? "True" : "False";
  if (typeof value === "bigint") return String(value);
  if (typeof value === "number") {
    if (Number.isFinite(value)) return Object.is(value, -0) ? "-0.0" : String(value);
    return `float("${Number.isNaN(value) ? "nan" : value > 0 ? "inf" : "-inf"}")`;
  }
  // Every escape that JSON.stringify writes is one of Python's.
  if (typeof value === "string") return JSON.stringify(value);
  if (Array.isArray(value)) return `[${value.map(literal).join(", ")}]`;
  return `{${Object.entries(value).map(([key, item]) => `${JSON.stringify(key)}: ${literal(item)}`).join(", ")}}`;
}

function typeOf(value: Json | undefined): string {
  if (value === null || value === undefined) return "None";
  if (typeof value === "boolean") return "bool";
  if (typeof value === "number") return Number.isInteger(value) ? "int" : "float";
  if (typeof value === "bigint") return "int";
  if (typeof value === "string") return "str";
  return Array.isArray(value) ? "list" : "dict";
}

function accepts(type: string, value: Json | undefined): boolean {
  const actual = typeOf(value);
  return actual === type || (type === "float" && actual === "int");
}

/** `1  # how many` -> `1` and `how many`; a # in a string is none. */
function splitComment(rest: string): { code: string; comment: string } {
  const match = /^((?:[^#"']|"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*')*)#(.*)$/.exec(rest);
  return { code: (match?.[1] ?? rest).trim(), comment: match?.[2]?.trim() ?? "" };
}
