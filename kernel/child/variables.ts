/**
 * Variables as a debugger shows them. The kernel calls these functions through V8's inspector, wherever the main thread is
 * at that moment, so they send nothing and never wait.
 */
import type { MimeBundle } from "../../lib/jupyter/messages.js";
import { toBundle } from "../display/bundle.js";
import { childrenOf, countedOf, summary, typeOf } from "./describe.js";
import type { Scopes } from "./scopes.js";

/** A variable as the Debug Adapter Protocol has it. */
export interface Variable {
  name: string;
  value: string;
  type: string;
  /** Under which {@link Inspected.variables} lists what is in it; 0 where there is nothing. */
  variablesReference: number;
  evaluateName?: string;
}

/** Values that are remembered to be looked into: the oldest go first. */
const REMEMBERED = 20_000;

/** Numbers gone through for one list: some hundredths of a second. A large tensor behind others has at least so many of its own. */
const COUNTED = 8_000_000;
const LEAST = 50_000;

/** Names that a cell's code has around it. */
const OURS = /^__(cell\d*|published|value)__$/;
const COMMON_JS = new Set(["exports", "require", "module", "__filename", "__dirname"]);

const GONE = "the variable is gone (the list is newer)";

export class Inspected {
  readonly #values = new Map<number, unknown>();
  #count = 0;
  /** Numbers that may still be gone through for the list that is being made. */
  #left = COUNTED;
  /** Variables of cells that are global ones for now: how many expressions use them, and what was there before. */
  readonly #lent = new Map<string, { uses: number; before: PropertyDescriptor | undefined }>();

  constructor(readonly scopes: Scopes) {}

  /** The notebook's variables. */
  globals(): Variable[] {
    this.#left = COUNTED;
    return [...this.scopes.variables()].map(([name, value]) => ({ ...this.describe(name, value), evaluateName: name }));
  }

  /** A number for the notebook's variables as a scope. */
  globalScope(): number {
    return this.#remember(Object.fromEntries(this.scopes.variables()));
  }

  /** A number for variables of a frame: those of inner scopes come first. */
  scope(...scopes: object[]): number {
    const merged: Record<string, unknown> = {};
    for (const each of scopes.reverse()) {
      const names = Object.keys(each);
      const isAround = names.some((name) => OURS.test(name));
      for (const name of names) if (!OURS.test(name) && !(isAround && COMMON_JS.has(name))) merged[name] = (each as Record<string, unknown>)[name];
    }
    return this.#remember(merged);
  }

  /** What is in a value that was listed. @throws where it is remembered no more */
  variables(reference: number, start = 0, count = Infinity): Variable[] {
    if (!this.#values.has(reference)) throw new Error(`variablesReference: ${reference} (${GONE})`);
    this.#left = COUNTED;
    return childrenOf(this.#values.get(reference), start, count).map(({ name, value, text }) => (text === undefined ? this.describe(name, value) : { name, value: text, type: "", variablesReference: 0 }));
  }

  describe(name: string, value: unknown): Variable {
    const isObject = (typeof value === "object" && value !== null) || typeof value === "function";
    const isOpen = isObject && childrenOf(value, 0, 1).length > 0;
    const most = Math.max(this.#left, LEAST);
    const shown = summary(value, most);
    this.#left -= countedOf(value, most);
    return { name, value: shown, type: typeOf(value), variablesReference: isOpen ? this.#remember(value) : 0 };
  }

  /**
   * Makes variables of cells global ones, for an expression that is evaluated where a cell's code does not reach them. Those of
   * a function that the expression stands in come before them, as before any global one.
   */
  lend(...names: string[]): void {
    for (const name of names) {
      const lent = this.#lent.get(name);
      const scope = lent ? undefined : this.scopes.holding(name);
      const before = Object.getOwnPropertyDescriptor(globalThis, name);
      if (lent) lent.uses++;
      if (!scope || before?.configurable === false) continue;
      Object.defineProperty(globalThis, name, { configurable: true, enumerable: false, get: () => scope[name], set: (value: unknown) => void (scope[name] = value) });
      this.#lent.set(name, { uses: 1, before });
    }
  }

  /** Undoes {@link lend}. */
  takeBack(...names: string[]): void {
    for (const name of names) {
      const lent = this.#lent.get(name);
      if (!lent || --lent.uses > 0) continue;
      this.#lent.delete(name);
      if (lent.before) Object.defineProperty(globalThis, name, lent.before);
      else delete (globalThis as Record<string, unknown>)[name];
    }
  }

  /** A value of a name. @throws where there is none */
  global(name: string): unknown {
    const all = this.scopes.variables();
    if (!all.has(name)) throw new Error(`variableName: ${JSON.stringify(name)} (no cell has declared it)`);
    return all.get(name);
  }

  /** How a value looks, with what is known of it. @param waits whether a look that takes time can be waited for */
  rich(value: unknown, waits: boolean): MimeBundle | Promise<MimeBundle> {
    const plain = summary(value);
    const withSummary = ({ data, metadata }: MimeBundle) => {
      const text = String(data["text/plain"] ?? "");
      return { data: { ...data, "text/plain": text.startsWith(plain) || text.includes(plain) ? text : `${plain}\n${text}` }, metadata };
    };
    const bundle = toBundle(value);
    if (!(bundle instanceof Promise)) return withSummary(bundle);
    bundle.catch(() => undefined);
    return waits ? bundle.then(withSummary) : { data: { "text/plain": plain }, metadata: {} };
  }

  /** The same of a variable of the notebook, by its name. */
  richGlobal(name: string, waits: boolean): MimeBundle | Promise<MimeBundle> {
    return this.rich(this.global(name), waits);
  }

  #remember(value: unknown): number {
    this.#values.set(++this.#count, value);
    if (this.#values.size > REMEMBERED) this.#values.delete(this.#values.keys().next().value as number);
    return this.#count;
  }
}

/** Puts it where the kernel finds it: `globalThis[Symbol.for("sdtp.debug")]`. */
export function installVariables(scopes: Scopes): void {
  Object.defineProperty(globalThis, Symbol.for("sdtp.debug"), { value: new Inspected(scopes) });
}
