/** The protocol counts Unicode code points, JavaScript counts UTF-16 units. */

export function codePointToUnit(text: string, codePoints: number): number {
  let unit = 0;
  for (let i = 0; i < codePoints && unit < text.length; i++) unit += (text.codePointAt(unit) ?? 0) > 0xffff ? 2 : 1;
  return unit;
}

export function unitToCodePoint(text: string, unit: number): number {
  return [...text.slice(0, unit)].length;
}
