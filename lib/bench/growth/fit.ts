/** y ≈ factor · x^exponent. */
export interface PowerLaw {
  readonly exponent: number;
  readonly factor: number;
  /** Largest relative distance of a point from the law: what a single exponent leaves out. */
  readonly furthest: number;
}

/**
 * The power law nearest to points, by least squares of the logarithms.
 * @throws on fewer than two different x, or a value that is not above zero
 */
export function fitPower(points: readonly (readonly [x: number, y: number])[]): PowerLaw {
  const wrong = points.find(([x, y]) => !(x > 0 && y > 0 && Number.isFinite(x) && Number.isFinite(y)));
  if (wrong) throw new Error(`growth: a point at ${wrong[0]} with ${wrong[1]} (both must be above 0)`);
  if (new Set(points.map(([x]) => x)).size < 2) throw new Error(`growth: ${points.length} ${points.length === 1 ? "point" : "points"} (an exponent needs two different sizes)`);
  const logs = points.map(([x, y]) => [Math.log(x), Math.log(y)] as const);
  const mean = (at: 0 | 1) => logs.reduce((sum, log) => sum + log[at], 0) / logs.length;
  const [middleX, middleY] = [mean(0), mean(1)];
  const along = logs.reduce((sum, [x, y]) => sum + (x - middleX) * (y - middleY), 0);
  const exponent = along / logs.reduce((sum, [x]) => sum + (x - middleX) ** 2, 0);
  const factor = Math.exp(middleY - exponent * middleX);
  return { exponent, factor, furthest: Math.max(...points.map(([x, y]) => Math.abs(y / (factor * x ** exponent) - 1))) };
}
