import type { Cell, CodeCell, Notebook } from "../types.js";
import { hasTag, joined, lines } from "../types.js";
import { languageOf } from "../language.js";
import { UsageError, type Mismatch, type Parameter, type ParameterLanguage, type Values } from "./parameter.js";

const TAG = "parameters";
const INJECTED = "injected-parameters";

/** The parameters of a notebook: what its first code cell tagged `parameters` declares. Empty where it has none. */
export async function declaredParameters(notebook: Notebook): Promise<Parameter[]> {
  const cell = parametersCell(notebook);
  return cell ? (await language(notebook)).declared(joined(cell.source)) : [];
}

/**
 * Sets parameters in a notebook as papermill does: a cell tagged `injected-parameters` after the one tagged
 * `parameters`, or in place of the one injected before.
 * @throws UsageError for unknown names and wrong types, listing the parameters that exist; the notebook is as it was
 */
export async function injectParameters(notebook: Notebook, values: Values): Promise<void> {
  if (Object.keys(values).length === 0) return;
  const cell = parametersCell(notebook);
  if (!cell) throw new UsageError(`parameters: ${Object.keys(values).join(", ")} (the notebook has no cell tagged "parameters")`);
  const source = joined(cell.source);
  const rules = await language(notebook);
  const parameters = await rules.declared(source);
  const unknown = Object.keys(values).filter((name) => !parameters.some((each) => each.name === name));
  const problems = unknown.length ? unknown.map((name) => ({ name, reason: "no parameter of the notebook" })) : await rules.mismatches(source, values);
  if (problems.length > 0) throw new UsageError(explain(problems, values, parameters));

  const injected: CodeCell = {
    cell_type: "code",
    execution_count: null,
    ...(notebook.nbformat_minor >= 5 && { id: freeId(notebook, INJECTED) }),
    metadata: { tags: [INJECTED] },
    outputs: [],
    source: lines(await rules.assignments(source, values)),
  };
  const earlier = notebook.cells.findIndex((each) => hasTag(each, INJECTED));
  if (earlier >= 0) notebook.cells.splice(earlier, 1, injected);
  else notebook.cells.splice(notebook.cells.indexOf(cell) + 1, 0, injected);
}

/** `name: type = default` of each parameter, in columns, with its comment. */
export function listParameters(parameters: Parameter[]): string {
  const left = parameters.map(({ name, type, default: value }) => `${name}${type === undefined ? "" : `: ${type}`}${value === undefined ? "" : ` = ${value}`}`);
  const width = Math.min(60, Math.max(...left.map((text) => text.length)));
  return parameters.map(({ help }, i) => `  ${help ? `${left[i]?.padEnd(width)}  ${help}` : left[i]}`).join("\n");
}

/** An id that no cell has. */
export function freeId({ cells }: Notebook, wanted: string): string {
  const taken = new Set(cells.map(({ id }) => id));
  for (let n = 1; ; n++) {
    const id = n === 1 ? wanted : `${wanted}-${n}`;
    if (!taken.has(id)) return id;
  }
}

/** A value as it was given, as far as JSON can say it. */
const shown = (value: unknown): string => (typeof value === "bigint" || (typeof value === "number" && !Number.isFinite(value)) ? String(value) : JSON.stringify(value, (_, each: unknown) => (typeof each === "bigint" ? String(each) : each)));

function parametersCell({ cells }: Notebook): Cell | undefined {
  return cells.find((cell) => cell.cell_type === "code" && hasTag(cell, TAG));
}

/** Lazy: TypeScript takes a third of a second to load. */
async function language(notebook: Notebook): Promise<ParameterLanguage> {
  const name = languageOf(notebook) ?? "typescript";
  if (name === "typescript" || name === "javascript") return (await import("./typescript.js")).typescript;
  if (name === "python") return (await import("./python.js")).python;
  throw new UsageError(`parameters: not for ${name} notebooks (only TypeScript, JavaScript and Python)`);
}

function explain(problems: Mismatch[], values: Values, parameters: Parameter[]): string {
  const rows = problems.map(({ name, reason }) => {
    const value = values[name];
    const wantsText = /type 'str(ing)?'/.test(reason) && (typeof value === "number" || typeof value === "boolean");
    const tooBig = typeof value === "bigint" && /type 'number'/.test(reason);
    const hint = wantsText ? ` As text it is '"${value}"'.` : tooBig ? ` A number would hold it as ${Number(value).toLocaleString("en", { useGrouping: false })}; declare the parameter as bigint.` : "";
    return `parameter ${name}: ${shown(value)} (${reason}${hint})`;
  });
  return `${rows.join("\n")}\nparameters of this notebook:\n${parameters.length ? listParameters(parameters) : "  none"}`;
}
