import { isText } from "./html.js";

/** The same table for a terminal. */
export function textTable(caption: string, head: readonly string[], rows: readonly (readonly (string | number)[])[]): string {
  const left = head.map((_, c) => rows.some((row) => isText(row[c]!)));
  const widths = head.map((text, c) => Math.max(text.length, ...rows.map((row) => String(row[c]).length)));
  const line = (cells: readonly (string | number)[]) =>
    cells.map((text, c) => (left[c] ? String(text).padEnd(widths[c]!) : String(text).padStart(widths[c]!))).join("  ").trimEnd();
  return [caption, line(head), ...rows.map(line)].join("\n");
}

/** Text with something to see in place of what would move a terminal's cursor or turn the text's direction; line ends and tabs stay. */
export function harmless(text: string): string {
  return text.replaceAll("\r", "").replace(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/g, "\ufffd");
}

const blocks = " ▁▂▃▄▅▆▇█";

/** Shares 0 to 1 as block characters, `width` of them. */
export function bar(shares: ArrayLike<number>, width = 64): string {
  const step = Math.max(1, Math.ceil(shares.length / width));
  return Array.from({ length: Math.ceil(shares.length / step) }, (_, column) => {
    let [sum, count] = [0, 0];
    for (let i = column * step; i < Math.min(shares.length, (column + 1) * step); i++) {
      if (Number.isFinite(shares[i]!)) [sum, count] = [sum + shares[i]!, count + 1];
    }
    return blocks[Math.max(0, Math.min(8, Math.round((8 * sum) / (count || 1))))]!;
  }).join("");
}

export function percent(share: number): string {
  return `${(100 * share).toFixed(1)} %`;
}

/** Four significant digits, without an exponent where a reader does not need one. */
export function short(value: number): string {
  if (!Number.isFinite(value)) return String(value);
  return String(Number(value.toPrecision(4)));
}
