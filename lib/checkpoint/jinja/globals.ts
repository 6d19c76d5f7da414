import { strftime } from "./strftime.js";
import { toText } from "./text.js";
import { isDict, isInteger, keyOf, Namespace, type Callable, type Value } from "./values.js";

/** As in Jinja's sandbox. */
const LONGEST_RANGE = 100_000;

const range: Callable = (args) => {
  const numbers = args.map((each) => {
    if (!isInteger(each)) throw new Error("range: must be integers");
    return each;
  });
  const [start, stop, step] = numbers.length < 2 ? [0, numbers[0] ?? 0, 1] : [numbers[0]!, numbers[1]!, numbers[2] ?? 1];
  if (step === 0) throw new Error("range: the step must not be zero");
  const count = Math.max(0, Math.ceil((stop - start) / step));
  if (count > LONGEST_RANGE) throw new Error(`range: ${count} numbers (at most ${LONGEST_RANGE})`);
  return Array.from({ length: count }, (_, i) => start + i * step);
};

const namespace: Callable = (args, named) => {
  const made = new Namespace();
  for (const each of args) if (isDict(each)) for (const [key, value] of each) made.fields.set(String(key), value);
  for (const [name, value] of named) made.fields.set(name, value);
  return made;
};

const dict: Callable = (args, named) => {
  const made = new Map<string | number | boolean | null, Value>();
  const [first] = args;
  if (isDict(first ?? null)) for (const [key, value] of first as Map<string, Value>) made.set(key, value);
  else if (Array.isArray(first)) for (const pair of first) made.set(keyOf((pair as Value[])[0]!), (pair as Value[])[1]!);
  for (const [name, value] of named) made.set(name, value);
  return made;
};

/** What every template knows besides its variables. */
export function globals(now: () => Date): [string, Value][] {
  return [
    ["range", range],
    ["namespace", namespace],
    ["dict", dict],
    ["raise_exception", (args: readonly Value[], named: ReadonlyMap<string, Value>) => {
      throw new Error(toText(args[0] ?? named.get("message") ?? ""));
    }],
    ["strftime_now", (args: readonly Value[], named: ReadonlyMap<string, Value>) => strftime(now(), toText(args[0] ?? named.get("format") ?? ""))],
  ];
}
