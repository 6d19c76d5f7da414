/** The bytes at hand end before the header does. */
export class HeaderEnds extends Error {}

/** Elements of one array: tokens and merges are hundreds of thousands. */
const MOST_ELEMENTS = 2 ** 24;
const MOST_TEXT = 2 ** 28;
const MOST_NAME = 1024;

/** Numbers of the kinds of values, and the bytes of one where that is fixed. */
const [STRING, ARRAY] = [8, 9];
const sizes: Readonly<Record<number, number>> = { 0: 1, 1: 1, 2: 2, 3: 2, 4: 4, 5: 4, 6: 4, 7: 1, 10: 8, 11: 8, 12: 8 };
/** A string takes at least its length. */
const LEAST_STRING = 8;

/** A place in the beginning of a GGUF file, read onwards. Every length and count is held against the file's size before it is believed. */
export class HeaderBytes {
  at = 0;

  /** @param size of the whole file */
  constructor(private readonly bytes: Buffer, private readonly size: number, private readonly file: string) {}

  uint32(): number {
    return this.bytes.readUInt32LE(this.take(4));
  }

  /** @throws beyond what JavaScript counts exactly */
  uint64(where: string): number {
    const value = this.bytes.readBigUInt64LE(this.take(8));
    if (value > BigInt(Number.MAX_SAFE_INTEGER)) throw this.beyond(where, value);
    return Number(value);
  }

  /** How many follow, each of at least `least` bytes. */
  count(where: string, least: number): number {
    const value = this.uint64(where);
    if (value * least > this.size - this.at) throw this.beyond(where, value);
    return value;
  }

  string(where: string): string {
    const length = this.uint64(`${where}: a text's length`);
    if (length > this.size - this.at || length > MOST_TEXT) throw this.beyond(`${where}: a text's length`, length);
    return this.text(length);
  }

  /** A text that is a name: short, of characters that can be shown. */
  name(where: string): string {
    const length = this.uint64(`${where}: its name's length`);
    if (length > MOST_NAME) throw new Error(`${this.file}: ${where}: a name of ${length} bytes (must be at most ${MOST_NAME}: damaged)`);
    const name = this.text(length);
    if (/[\p{C}\ufffd]/u.test(name)) throw new Error(`${this.file}: ${where}: a name with characters that are none (damaged)`);
    return name;
  }

  text(length: number): string {
    const start = this.take(length);
    return this.bytes.toString("utf8", start, start + length);
  }

  /** A metadata value: a number, true or false, a text, or an array of one kind of these. 64-bit integers beyond 2^53 are BigInt. */
  value(where: string): unknown {
    const kind = this.uint32();
    if (kind !== ARRAY) return this.one(kind, where);
    const element = this.uint32();
    const count = this.count(`${where}: number of elements`, element === STRING ? LEAST_STRING : (sizes[element] ?? 1));
    if (count > MOST_ELEMENTS) throw this.beyond(`${where}: number of elements`, count);
    if (element === ARRAY) throw new Error(`${this.file}: ${where}: an array of arrays (must hold numbers, texts, true or false)`);
    return Array.from({ length: count }, () => this.one(element, where));
  }

  private one(kind: number, where: string): unknown {
    if (kind === STRING) return this.string(where);
    const size = sizes[kind];
    if (size === undefined) throw new Error(`${this.file}: ${where}: a value of kind ${kind} (must be 0 to 12; damaged)`);
    const at = this.take(size);
    switch (kind) {
      case 0: return this.bytes.readUInt8(at);
      case 1: return this.bytes.readInt8(at);
      case 2: return this.bytes.readUInt16LE(at);
      case 3: return this.bytes.readInt16LE(at);
      case 4: return this.bytes.readUInt32LE(at);
      case 5: return this.bytes.readInt32LE(at);
      case 6: return this.bytes.readFloatLE(at);
      case 7: return this.bytes.readUInt8(at) !== 0;
      case 10: return exact(this.bytes.readBigUInt64LE(at));
      case 11: return exact(this.bytes.readBigInt64LE(at));
      default: return this.bytes.readDoubleLE(at);
    }
  }

  private take(length: number): number {
    const start = this.at;
    if (start + length > this.bytes.length) throw new HeaderEnds();
    this.at = start + length;
    return start;
  }

  private beyond(where: string, value: number | bigint): Error {
    return new Error(`${this.file}: ${where}: ${value} (more than a file of ${this.size} bytes holds: truncated or damaged)`);
  }
}

const exact = (value: bigint): number | bigint => (BigInt.asIntN(54, value) === value ? Number(value) : value);
