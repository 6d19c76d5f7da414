import type { Random } from "../../random.js";

/**
 * Seconds after the start at which requests are sent, in ascending order: the gaps between them follow a gamma distribution of
 * shape `burstiness` (1: a Poisson process; less: in bursts; more: evenly), and are scaled so that the last one is sent when the
 * rate says, as `vllm bench serve` does it.
 * @param rate requests a second; Infinity: all at once
 */
export function arrivals(count: number, rate: number, burstiness: number, random: Random): number[] {
  if (!(rate > 0)) throw new Error(`request rate: ${rate} (must be positive, or inf for all at once)`);
  if (!(burstiness > 0)) throw new Error(`burstiness: ${burstiness} (must be positive)`);
  if (rate === Infinity) return new Array<number>(count).fill(0);
  let at = 0;
  const times = Array.from({ length: count }, () => (at += burstiness === Infinity ? 1 : gamma(burstiness, random)));
  const scale = count / rate / at;
  return times.map((time) => time * scale);
}

/** A gamma-distributed number of scale 1 (Marsaglia and Tsang 2000). */
function gamma(shape: number, random: Random): number {
  // Their method is for shapes of 1 and more; a smaller one is made of the next.
  if (shape < 1) return gamma(shape + 1, random) * (1 - random.next()) ** (1 / shape);
  const d = shape - 1 / 3;
  const c = 1 / Math.sqrt(9 * d);
  for (;;) {
    const x = random.normal();
    const v = (1 + c * x) ** 3;
    if (v > 0 && Math.log(1 - random.next()) < 0.5 * x * x + d - d * v + d * Math.log(v)) return d * v;
  }
}
