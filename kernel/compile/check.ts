import type { CheckedCell } from "../../lib/jupyter/messages.js";
import { CellCompiler } from "./cells.js";
import type { prelude } from "./prelude.js";

/**
 * Compiles cells one after the other, as if each had run to its end, and runs none. A cell with errors declares its
 * names for the later ones all the same: they are told their own errors, not its consequences.
 */
export function checkCells(packageRoot: string, preloaded: ReturnType<typeof prelude>, cells: string[]): { cells: CheckedCell[]; remark: string | undefined } {
  const compiler = new CellCompiler(packageRoot, preloaded);
  const positions = new Map<number, number>();
  const checked = cells.map((source, position): CheckedCell => {
    const nothing: CheckedCell = { diagnostics: [], more: 0, declares: [], references: [], changes: [], aliases: [] };
    if (source.trim() === "") return nothing;
    const strict = compiler.compile(source);
    const compiled = strict.ok ? strict : compiler.compile(`// @ts-nocheck\n${source}`);
    const errors = strict.ok ? nothing : { ...nothing, diagnostics: strict.diagnostics, more: strict.more };
    if (!compiled.ok) return errors;
    const { references: found, ...flow } = compiled.flow;
    const references = found.flatMap(({ id, ...reference }) => {
      const cell = positions.get(id);
      return cell === undefined ? [] : [{ cell, ...reference }];
    });
    positions.set(compiled.id, position);
    compiler.commit(compiled.id, "ok");
    return { ...errors, declares: compiled.names, references, ...flow };
  });
  return { cells: checked, remark: compiler.remark };
}
