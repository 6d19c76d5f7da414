/** JSON with two spaces of indent, arrays of numbers on one line each (no string holds a raw line break). */
export function formatJson(value: unknown): string {
  const text = JSON.stringify(value, null, 2);
  return `${text.replace(/\[\n\s+(-?[0-9][-+0-9.eE,\s]*?)\n\s+\]/g, (_, numbers: string) => `[${numbers.split(/,\s+/).join(", ")}]`)}\n`;
}
