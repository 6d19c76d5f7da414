/** Typed access to the fields of a configuration file, with errors that name file, field, value and what is right. */
export class Fields {
  constructor(
    private readonly values: Readonly<Record<string, unknown>>,
    readonly file: string,
    private readonly path = "",
  ) {}

  /** The raw value; undefined where the field is absent or null, as the two mean the same in these files. */
  raw(field: string): unknown {
    return this.values[field] ?? undefined;
  }

  /** True where the field is there and null. */
  isNull(field: string): boolean {
    return this.values[field] === null;
  }

  has(field: string): boolean {
    return this.raw(field) !== undefined;
  }

  /** True where some field is an object itself. */
  hasObjects(): boolean {
    return Object.values(this.values).some((value) => typeof value === "object" && value !== null && !Array.isArray(value));
  }

  /** An integer >= `least`. */
  integer(field: string, least = 1, fallback?: number): number {
    const value = this.raw(field) ?? fallback;
    if (value === undefined) throw this.error(field, `must be an integer >= ${least}`);
    if (!Number.isSafeInteger(value) || (value as number) < least) throw this.error(field, `must be an integer >= ${least}`);
    return value as number;
  }

  /** A finite number > 0. */
  positive(field: string, fallback?: number): number {
    const value = this.raw(field) ?? fallback;
    if (typeof value !== "number" || !Number.isFinite(value) || value <= 0) throw this.error(field, "must be a number > 0");
    return value;
  }

  boolean(field: string, fallback: boolean): boolean {
    const value = this.raw(field) ?? fallback;
    if (typeof value !== "boolean") throw this.error(field, "must be true or false");
    return value;
  }

  /** One of `allowed`. */
  choice<T extends string>(field: string, allowed: readonly T[], fallback?: T): T {
    const value = this.raw(field) ?? fallback;
    if (!allowed.includes(value as T)) throw this.error(field, `supported: ${allowed.join(", ")}`);
    return value as T;
  }

  /** A nested object; undefined where absent or null. */
  object(field: string): Fields | undefined {
    const value = this.raw(field);
    if (value === undefined) return undefined;
    if (typeof value !== "object" || Array.isArray(value)) throw this.error(field, "must be an object");
    return new Fields(value as Record<string, unknown>, this.file, `${this.path}${field}.`);
  }

  /** The error for a field: `file: field: value (right)`. */
  error(field: string, right: string): Error {
    const value = this.values[field];
    return new Error(`${this.file}: ${this.path}${field}: ${value === undefined ? "missing" : JSON.stringify(value)} (${right})`);
  }
}
