/** `0:07`, `2:05`, `1:02:05`. */
export function duration(seconds: number): string {
  const whole = Math.round(seconds);
  const two = (n: number) => String(n).padStart(2, "0");
  const [h, m, s] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  return h > 0 ? `${h}:${two(m)}:${two(s)}` : `${m}:${two(s)}`;
}

/** Seconds left, from the share that is done after so many; null where it is too early to say. */
export function extrapolated(share: number, seconds: number): number | null {
  return share < 0.02 || share >= 1 ? null : (seconds * (1 - share)) / share;
}
