/** The same values, made without waiting for them to be taken: who reads slowly, slows nobody down. */
export async function* ahead<T>(values: AsyncGenerator<T>): AsyncGenerator<T> {
  const made: T[] = [];
  let [over, stopped] = [false, false];
  let failure: { readonly error: unknown } | null = null;
  let wake = () => {};
  const making = (async () => {
    try {
      for await (const value of values) {
        if (stopped) break;
        made.push(value);
        wake();
      }
    } catch (error) {
      failure = { error };
    } finally {
      over = true;
      wake();
    }
  })();
  try {
    for (;;) {
      if (made.length > 0) yield made.shift()!;
      else if (over) break;
      else await new Promise<void>((resolve) => (wake = resolve));
    }
    if (failure) throw (failure as { error: unknown }).error;
  } finally {
    stopped = true;
    await making;
  }
}
