import { isDeepStrictEqual } from "node:util";
import type { Method } from "../../methods/method.js";
import { resolveMethod } from "../../methods/resolve.js";
import { shellCommand } from "../../shell-command.js";
import type { Cell } from "./cells.js";
import type { StoredCell } from "./store.js";

export interface CommandOptions {
  readonly promptFile?: string | undefined;
  readonly folder: string;
}

/** What stands for a method on a command line; null where nothing does, as for one made in a cell. */
export function methodText(method: Method): string | null {
  const { name, stages, baseDepth } = method;
  const forms = [name, name.replace(/-(?=[\d.]+$)/, ":"), `${stages.map(({ afterBlock, ratio, tokens }) => `${afterBlock}:${ratio ?? tokens}`).join(",")}/${baseDepth}`];
  return forms.find((form) => {
    try {
      return isDeepStrictEqual(resolveMethod(form), method);
    } catch {
      return false;
    }
  }) ?? null;
}

/** The command that measures one cell alone, and again; null where one of its presets has no name on a command line. */
export function cellCommand({ group, asked, threads, dtype }: Pick<Cell, "group" | "asked" | "threads" | "dtype">, { promptFile, folder }: CommandOptions): string | null {
  const configs = asked.map(methodText);
  if (configs.includes(null)) return null;
  const { subject, scorer, kvPolicy, ids, mode, repeats, warmup, maxNewTokens, memory } = group;
  const option = (name: string, value: string | number | undefined) => (value === undefined ? [] : [`--${name}`, String(value)]);
  return shellCommand([
    "sdtp", "sweep", "--model", subject.checkpoint.name, "--config", ...configs as string[], "--lengths", String(ids.length),
    ...option("dtype", dtype), ...option("kv-dtype", subject.kvDtype === "fp32" ? undefined : subject.kvDtype), ...option("device", subject.device === "cpu" ? undefined : subject.device),
    ...option("threads", threads), ...option("scorer", scorer), ...option("kv-policy", kvPolicy), ...option("benchmark-mode", mode === "end2end" ? undefined : mode),
    "--repeats", String(repeats), "--warmup", String(warmup), ...option("max-new-tokens", mode === "end2end" ? maxNewTokens : undefined), ...option("prompt-file", promptFile),
    ...option("seed", subject.seed === 0 ? undefined : subject.seed), ...(memory ? [] : ["--no-memory"]), "--folder", folder, "--retry-failed",
  ]);
}

/** A cell whose rows have errors. */
export interface FailedCell {
  readonly label: string;
  readonly error: string;
  /** Measures it alone; null where it cannot be written as a command. */
  readonly command: string | null;
}

export function failedCell(cell: Parameters<typeof cellCommand>[0], { label, rows }: StoredCell, options: CommandOptions): FailedCell {
  const { config, error } = rows.find((row) => row.error !== null)!;
  return { label, error: rows.every((row) => row.error === error) ? error! : `${config}: ${error}`, command: cellCommand(cell, options) };
}
