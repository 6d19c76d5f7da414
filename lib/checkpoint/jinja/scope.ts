import type { Value } from "./values.js";

/** Names and their values; what is not here is looked up outside. */
export class Scope {
  private readonly values = new Map<string, Value>();

  constructor(private readonly outer: Scope | null = null) {}

  get(name: string): Value | undefined {
    const value = this.values.get(name);
    return value !== undefined ? value : this.outer?.get(name);
  }

  set(name: string, value: Value): void {
    this.values.set(name, value);
  }
}
