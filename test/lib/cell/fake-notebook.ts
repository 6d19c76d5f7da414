import type { TestContext } from "node:test";

/** What a cell displayed: each display's states, the last one being what stands there in the end. */
export interface Displayed {
  readonly states: Record<string, string>[];
}

/** Makes the library believe that it runs in a cell, for one test. @returns the displays, as they come */
export function fakeNotebook(t: TestContext): Displayed[] {
  const displays: Displayed[] = [];
  const key = Symbol.for("sdtp.notebook");
  const bundle = (value: unknown) => (value as { [key: symbol]: (() => Record<string, string>) | undefined })[Symbol.for("Jupyter.display")]?.() ?? (value as Record<string, string>);
  const world = globalThis as { [key: symbol]: unknown };
  world[key] = {
    display(value: unknown) {
      const states = [bundle(value)];
      displays.push({ states });
      return { update: (next: unknown) => void states.push(bundle(next)) };
    },
  };
  t.after(() => delete world[key]);
  return displays;
}

/** The text of a view in one MIME type. */
export function shownAs(view: object, type: string): string {
  const show = (view as { [key: symbol]: () => Record<string, unknown> })[Symbol.for("Jupyter.display")];
  return String(show!.call(view)[type]);
}
