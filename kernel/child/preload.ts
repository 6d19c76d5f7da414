import { mended } from "../../lib/cell/danfo.js";
import type { Modules } from "./modules.js";
import type { Scope } from "./scopes.js";

/** A variable that is made when it is first touched. */
export function defineLazy(variables: Scope, name: string, load: () => unknown): void {
  const settle = (value: unknown) =>
    Object.defineProperty(variables, name, { value, writable: true, enumerable: true, configurable: true });
  Object.defineProperty(variables, name, {
    enumerable: true,
    configurable: true,
    get() {
      const value = load();
      settle(value);
      return value;
    },
    set: settle,
  });
}

/** What is preloaded; see kernel/compile/prelude.ts for the declarations. */
export function preload(variables: Scope, setting: string | undefined, modules: Modules, api: Record<string, unknown>): void {
  if (setting === "none") return;
  Object.assign(variables, api);
  if (setting === "display") return;
  defineLazy(variables, "sdtp", () => modules.require("sdtp-notebook"));
  defineLazy(variables, "dfd", () => mended(modules.require("danfojs-node") as object));
}
