import type { Modules } from "./modules.js";
import { currentCell } from "./cell.js";

/**
 * The variables of the notebook: compiled cells read and write them as `exports`. TypeScript defines
 * imported names as getters that cannot be redefined; here they become plain values.
 */
export function createVariables(target: Record<string, unknown>): Record<string, unknown> {
  return new Proxy(target, {
    set(variables, name, value) {
      if (typeof name === "string") currentCell.getStore()?.reached.add(name);
      return Reflect.set(variables, name, value);
    },
    defineProperty(variables, name, descriptor) {
      if (name === "__esModule") return true;
      if (typeof name === "string") currentCell.getStore()?.reached.add(name);
      const value: unknown = descriptor.get ? descriptor.get() : descriptor.value;
      return Reflect.defineProperty(variables, name, { value, writable: true, enumerable: true, configurable: true });
    },
  });
}

/** A variable that is made when it is first touched. */
export function defineLazy(variables: Record<string, unknown>, name: string, load: () => unknown): void {
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
export function preload(variables: Record<string, unknown>, setting: string | undefined, modules: Modules, api: Record<string, unknown>): void {
  if (setting === "none") return;
  Object.assign(variables, api);
  if (setting === "display") return;
  defineLazy(variables, "sdtp", () => modules.require("sdtp-notebook"));
  defineLazy(variables, "dfd", () => modules.require("danfojs-node"));
}
