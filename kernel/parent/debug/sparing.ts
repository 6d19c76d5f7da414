/** Of the time that passes, the part that is spent at most. */
const PART = 0.2;

/**
 * Does what costs the thread of the cells time no more often than it can afford. JupyterLab asks for all variables with every
 * line that a cell prints: those who ask meanwhile share the next answer.
 * @param saves whether to: nothing is computed that would be held up where it does not
 */
export function sparing<T>(act: () => Promise<T>, saves: () => boolean): () => Promise<T> {
  let now: Promise<unknown> | undefined;
  let next: Promise<T> | undefined;
  let rests = 0;
  const start = (): Promise<T> => {
    const started = performance.now();
    const acting = act().finally(() => {
      const ended = performance.now();
      rests = ended + (ended - started) * (1 / PART - 1);
      now = undefined;
    });
    now = acting.catch(() => undefined);
    return acting;
  };
  const later = async (): Promise<T> => {
    await now;
    const rest = rests - performance.now();
    if (saves() && rest > 0) await new Promise((resolve) => setTimeout(resolve, rest));
    next = undefined;
    return start();
  };
  return () => next ?? (now || (saves() && performance.now() < rests) ? (next = later()) : start());
}
