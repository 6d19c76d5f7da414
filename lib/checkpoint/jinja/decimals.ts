// Numbers in decimal as Python writes them: rounded from their exact value, halves to the even digit. JavaScript rounds exact halves up.

/** `%.2f` */
export function fixed(number: number, digits: number): string {
  if (!Number.isFinite(number)) return notFinite(number);
  if (Math.abs(number) >= 1e21) return `${BigInt(number)}${digits > 0 ? `.${"0".repeat(digits)}` : ""}`;
  const text = number.toFixed(digits);
  if (digits >= 100) return text;
  // An exact half has one digit more, a five, and nothing after it.
  const exact = Math.abs(number).toFixed(100).replace(".", "");
  const next = exact.length - 100 + digits;
  if (!/^50*$/.test(exact.slice(next))) return signed(number, text);
  const kept = BigInt(exact.slice(0, next));
  const even = String(kept % 2n === 0n ? kept : kept + 1n).padStart(digits + 1, "0");
  const whole = digits === 0 ? even : `${even.slice(0, -digits)}.${even.slice(-digits)}`;
  return signed(number, number < 0 ? `-${whole}` : whole);
}

/** `%.2e` */
export function exponential(number: number, digits: number): string {
  if (!Number.isFinite(number)) return notFinite(number);
  const [mantissa, exponent] = number.toExponential(Math.min(100, digits)).split("e") as [string, string];
  const half = /^-?\d(?:\.\d*)?$/.test(mantissa) ? exactHalf(number, digits) : null;
  return signed(number, `${half ?? mantissa}e${exponent[0]}${exponent.slice(1).padStart(2, "0")}`);
}

/** `%g`: as few digits as hold `digits` of them, an exponent where the number is very large or small. */
export function general(number: number, digits: number): string {
  if (!Number.isFinite(number)) return notFinite(number);
  const significant = Math.max(1, digits);
  const exponent = number === 0 ? 0 : Number(exponential(number, significant - 1).split("e")[1]);
  const bare = (text: string) => (text.includes(".") ? text.replace(/\.?0+$/, "") : text);
  if (exponent >= -4 && exponent < significant) return bare(fixed(number, significant - 1 - exponent));
  const [mantissa, power] = exponential(number, significant - 1).split("e") as [string, string];
  return `${bare(mantissa)}e${power}`;
}

/** The mantissa of an exact half, to the even digit; null: it is none. */
function exactHalf(number: number, digits: number): string | null {
  const [exact] = Math.abs(number).toExponential(100).split("e") as [string];
  const all = exact.replace(".", "");
  if (!/^50*$/.test(all.slice(digits + 1))) return null;
  const kept = BigInt(all.slice(0, digits + 1));
  // An odd nine before a half carries on: JavaScript's own way, upwards, is right then.
  if (kept % 2n !== 0n) return null;
  const text = String(kept);
  return `${number < 0 ? "-" : ""}${text[0]}${digits > 0 ? `.${text.slice(1)}` : ""}`;
}

const notFinite = (number: number): string => (Number.isNaN(number) ? "nan" : number > 0 ? "inf" : "-inf");

/** Python writes the sign of a zero, and of what is rounded to it. */
const signed = (number: number, text: string): string => ((number < 0 || Object.is(number, -0)) && !text.startsWith("-") ? `-${text}` : text);
