/** The fields of a GGUF file's architecture, `llama.block_count` as `block_count`; each is read, or known, or refused in the end. */
export class Metadata {
  private readonly read = new Set<string>();

  constructor(private readonly all: Readonly<Record<string, unknown>>, readonly architecture: string, readonly file: string) {}

  /** A field; undefined where it is not there. */
  raw(name: string): unknown {
    this.read.add(name);
    return this.all[`${this.architecture}.${name}`];
  }

  /**
   * A number; one for each block counts where all are the same.
   * @throws where it is another thing
   */
  number(name: string): number | undefined {
    const value = this.raw(name);
    const one = Array.isArray(value) && value.every((each) => each === value[0]) ? (value as unknown[])[0] : value;
    if (one !== undefined && (typeof one !== "number" || !Number.isFinite(one))) throw this.error(name, "must be a number, the same for all blocks");
    return one;
  }

  text(name: string): string | undefined {
    const value = this.raw(name);
    if (value !== undefined && typeof value !== "string") throw this.error(name, "must be a text");
    return value;
  }

  boolean(name: string): boolean | undefined {
    const value = this.raw(name);
    if (value !== undefined && typeof value !== "boolean") throw this.error(name, "must be true or false");
    return value;
  }

  /** A field that changes nothing as long as it has this value. @throws where it has another */
  must(name: string, right: unknown): void {
    const value = this.raw(name);
    if (value !== undefined && value !== right) throw this.error(name, `supported: ${JSON.stringify(right)}`);
  }

  /** A field that says nothing with this value; with another it must be asked for. */
  nothing(name: string, value: unknown): void {
    if (this.all[`${this.architecture}.${name}`] === value) this.read.add(name);
  }

  /** @throws at a field that nobody has asked for: left out, it would make other numbers than the model's own */
  requireAllRead(): void {
    const prefix = `${this.architecture}.`;
    const unread = Object.keys(this.all).find((key) => key.startsWith(prefix) && !this.read.has(key.slice(prefix.length)));
    if (unread !== undefined) throw this.error(unread.slice(prefix.length), `not known of ${this.architecture}`);
  }

  /** The error for a field: `file: llama.block_count: value (right)`. */
  error(name: string, right: string): Error {
    const value = JSON.stringify(this.all[`${this.architecture}.${name}`], (_, each: unknown) => (typeof each === "bigint" || (typeof each === "number" && !Number.isFinite(each)) ? String(each) : each));
    return new Error(`${this.file}: ${this.architecture}.${name}: ${value === undefined ? "missing" : value.slice(0, 80)} (${right})`);
  }
}
