import { closeSync, openSync, readSync } from "node:fs";

const [PT_LOAD, PT_DYNAMIC, DT_NEEDED, DT_STRTAB, DT_STRSZ] = [1, 2, 1, 5, 10];

/**
 * Names of the libraries that an ELF library of 64 bits asks the system's loader for (its DT_NEEDED entries), without loading it.
 * @throws where the file is none
 */
export function neededLibraries(file: string): string[] {
  const descriptor = openSync(file, "r");
  const read = (offset: number, length: number): Buffer => {
    const buffer = Buffer.alloc(length);
    if (readSync(descriptor, buffer, 0, length, offset) !== length) throw new Error(`${file} (is cut short)`);
    return buffer;
  };
  try {
    const head = read(0, 64);
    if (head.toString("latin1", 0, 4) !== "\x7fELF" || head[4] !== 2 || head[5] !== 1) throw new Error(`${file} (is no ELF library of 64 bits)`);
    const [table, size, count] = [Number(head.readBigUInt64LE(32)), head.readUInt16LE(54), head.readUInt16LE(56)];
    const segments = Array.from({ length: count }, (_, i) => {
      const entry = read(table + i * size, size);
      return { type: entry.readUInt32LE(0), offset: Number(entry.readBigUInt64LE(8)), address: Number(entry.readBigUInt64LE(16)), bytes: Number(entry.readBigUInt64LE(32)) };
    });
    const dynamic = segments.find(({ type }) => type === PT_DYNAMIC);
    if (!dynamic) return [];
    const entries = read(dynamic.offset, dynamic.bytes);
    const needed: number[] = [];
    let [strings, length] = [0, 0];
    for (let at = 0; at + 16 <= entries.length; at += 16) {
      const [tag, value] = [Number(entries.readBigInt64LE(at)), Number(entries.readBigUInt64LE(at + 8))];
      if (tag === 0) break;
      if (tag === DT_NEEDED) needed.push(value);
      else if (tag === DT_STRTAB) strings = value;
      else if (tag === DT_STRSZ) length = value;
    }
    const holder = segments.find(({ type, address, bytes }) => type === PT_LOAD && strings >= address && strings < address + bytes);
    if (!holder) return [];
    const text = read(holder.offset + strings - holder.address, length);
    return needed.map((at) => text.toString("latin1", at, text.indexOf(0, at)));
  } finally {
    closeSync(descriptor);
  }
}
