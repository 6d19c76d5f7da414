import { CellCompiler } from "./cells.js";
import type { CellDiagnostic } from "./diagnostics.js";
import { referencesOf, type Reference } from "./graph.js";
import type { prelude } from "./prelude.js";

/** What is found out about a cell without running it. */
export interface CheckedCell {
  /** The first errors, and how many more there are. */
  diagnostics: CellDiagnostic[];
  more: number;
  /** Top-level names that it declares. */
  declares: string[];
  /** What it does with variables of earlier cells; positions count from 0 in the list that was checked. */
  references: { cell: number; name: string; access: Reference["access"] }[];
}

/**
 * Compiles cells one after the other, as if each had run to its end, and runs none. A cell with errors declares its
 * names for the later ones all the same: they are told their own errors, not its consequences.
 */
export function checkCells(packageRoot: string, preloaded: ReturnType<typeof prelude>, cells: string[]): { cells: CheckedCell[]; remark: string | undefined } {
  const compiler = new CellCompiler(packageRoot, preloaded);
  const positions = new Map<number, number>();
  const checked = cells.map((source, position): CheckedCell => {
    const nothing: CheckedCell = { diagnostics: [], more: 0, declares: [], references: [] };
    if (source.trim() === "") return nothing;
    const strict = compiler.compile(source);
    const compiled = strict.ok ? strict : compiler.compile(`// @ts-nocheck\n${source}`);
    const errors = strict.ok ? nothing : { ...nothing, diagnostics: strict.diagnostics, more: strict.more };
    if (!compiled.ok) return errors;
    const references = referencesOf(compiler.project).flatMap(({ id, name, access }) => {
      const cell = positions.get(id);
      return cell === undefined ? [] : [{ cell, name, access }];
    });
    positions.set(compiled.id, position);
    compiler.commit(compiled.id, "ok");
    return { ...errors, declares: compiled.names, references };
  });
  return { cells: checked, remark: compiler.remark };
}
