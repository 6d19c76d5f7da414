/** Characters of a value that an error shows. */
const LONGEST_VALUE = 200;

/** Typed access to the fields of a configuration file, with errors that name file, field, value and what is right. */
export class Fields {
  constructor(
    private readonly values: Readonly<Record<string, unknown>>,
    readonly file: string,
    /** Where in the file the fields lie: `model.`. */
    readonly path = "",
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

  /** Names of the fields that are there. */
  get names(): string[] {
    return Object.keys(this.values).filter((field) => this.has(field));
  }

  /** The same with these fields alone. */
  only(fields: readonly string[]): Fields {
    return new Fields(Object.fromEntries(fields.map((field) => [field, this.values[field]])), this.file, this.path);
  }

  /** The same with other values where a field is absent or null. */
  withDefaults(values: Readonly<Record<string, unknown>>): Fields {
    return new Fields({ ...values, ...Object.fromEntries(Object.entries(this.values).filter(([field, value]) => value !== null || !(field in values))) }, this.file, this.path);
  }

  /** An object without fields in the place of an absent one. */
  nothing(field: string): Fields {
    return new Fields({}, this.file, `${this.path}${field}.`);
  }

  /** The same with these values in the place of its own. */
  with(values: Readonly<Record<string, unknown>>): Fields {
    return new Fields({ ...this.values, ...values }, this.file, this.path);
  }

  /** The same with the fields of `other` in the place of its own. */
  overlaid(other: Fields): Fields {
    return new Fields({ ...this.values, ...other.values }, this.file, this.path);
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

  /** A list of `length` finite numbers > 0. */
  positives(field: string, length: number): number[] {
    const values = this.raw(field);
    if (!Array.isArray(values) || values.length !== length || !values.every((value) => typeof value === "number" && Number.isFinite(value) && value > 0)) {
      throw this.error(field, `must be a list of ${length} numbers > 0`);
    }
    return values as number[];
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

  /** A string. */
  text(field: string, fallback?: string): string {
    const value = this.raw(field) ?? fallback;
    if (typeof value !== "string") throw this.error(field, "must be a string");
    return value;
  }

  /** A list of objects. */
  list(field: string): Fields[] {
    const value = this.raw(field);
    if (!Array.isArray(value)) throw this.error(field, "must be a list");
    return value.map((item: unknown, i) => {
      if (typeof item !== "object" || item === null || Array.isArray(item)) throw this.error(field, `its element ${i} must be an object`);
      return new Fields(item as Record<string, unknown>, this.file, `${this.path}${field}[${i}].`);
    });
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
    const text = value === undefined ? "missing" : typeof value === "number" ? String(value) : JSON.stringify(value);
    return new Error(`${this.file}: ${this.path}${field}: ${text.length > LONGEST_VALUE ? `${text.slice(0, LONGEST_VALUE)}…` : text} (${right})`);
  }
}
