import { createRequire } from "node:module";

/** What is mended of danfojs: its own fields, which a column of the same name does not cover. */
interface Frame {
  readonly $data: unknown[];
  readonly $index: (string | number)[];
  readonly $columns: string[];
  readonly columns: string[];
  $setValues(values: unknown[], checkLength: boolean): void;
  $setIndex(index: (string | number)[]): void;
  $getColumnDtype(name: string): string;
}

type Method = (this: Frame, ...parameters: any[]) => any;

interface Danfo {
  readonly DataFrame: { new (data: unknown, options?: object): Frame; prototype: Record<string, Method> };
  readonly Series: { new (data: unknown, options?: object): Frame & Record<string, Method>; prototype: Record<string, Method> };
  readCSV?: (...parameters: any[]) => Promise<unknown>;
}

const mendedAlready = Symbol.for("sdtp.danfo");

/** danfojs-node, mended. It takes more than a second to load. */
export const danfo = (): typeof import("danfojs-node") => mended(createRequire(import.meta.url)("danfojs-node") as object) as typeof import("danfojs-node");

/**
 * danfojs with its mistakes on missing values put right: `describe` of columns with null, the order of `sortValues` around NaN (missing
 * ones come last, as in pandas), the number of rows of each group where all columns are keys, and names of columns with blanks around them; frames without rows can be sorted and described.
 * @param module danfojs-node, changed; something else is left alone
 */
export function mended(module: object): object {
  const library = module as Partial<Danfo> & { [mendedAlready]?: true };
  if (library[mendedAlready] || !library.DataFrame?.prototype || !library.Series?.prototype) return module;
  const { DataFrame, Series } = library as Danfo;
  Object.defineProperty(library, mendedAlready, { value: true });

  // Frames that come of others (query, loc, head, …) are of the class beneath danfojs-node's own: methods are mended where they are defined.
  const [frames, columns] = [defining(DataFrame.prototype, "sortValues"), defining(Series.prototype, "sortValues")];

  frames["describe"] = function (this: Frame) {
    const names = this.columns.filter((name) => this.$getColumnDtype(name) !== "string");
    const statistics = ["count", "mean", "std", "min", "median", "max", "var"];
    const of = (name: string) => {
      const at = this.$columns.indexOf(name);
      const values = (this.$data as unknown[][]).map((row) => row[at]).filter((value) => !isMissing(value));
      const series = new Series(values.length > 0 ? values : [0]);
      return statistics.map((statistic) => (statistic === "count" ? values.length : values.length === 0 ? NaN : series[statistic]!()));
    };
    return new DataFrame(Object.fromEntries(names.map((name) => [name, of(name)])), { index: ["count", "mean", "std", "min", "median", "max", "variance"] });
  };

  const sortFrame = frames["sortValues"]!;
  frames["sortValues"] = function (this: Frame, by: string, options: SortOptions = {}) {
    const at = this.$columns.indexOf(by);
    // Its own words on a column that is not there.
    if (at < 0) return sortFrame.call(this, by, options);
    return reordered(this, ordered((this.$data as unknown[][]).map((row) => row[at]), options), options, (data, index) => new DataFrame(data, { columns: [...this.$columns], index }));
  };
  columns["sortValues"] = function (this: Frame, options: SortOptions = {}) {
    return reordered(this, ordered(this.$data, options), options, (data, index) => new Series(data, { columns: [...this.$columns], index }));
  };

  const mean = columns["mean"]!;
  columns["mean"] = function (this: Frame, ...options: unknown[]) {
    return this.$data.length === 0 ? NaN : mean.call(this, ...options);
  };

  const groupby = frames["groupby"]!;
  frames["groupby"] = function (this: Frame, by: string[]) {
    if (this.$data.length === 0) throw new Error(`groupby: ${[by].flat().join(", ")} (the frame has no rows)`);
    const groups = groupby.call(this, by) as Record<string, unknown>;
    const keys = Array.isArray(by) ? by : [by];
    if (!this.$columns.every((name) => keys.includes(name))) return groups;
    const rows = this.$data as unknown[][];
    const places = keys.map((name) => this.$columns.indexOf(name));
    const count = () => {
      const counts = new Map<string, { key: unknown[]; count: number }>();
      for (const row of rows) {
        const key = places.map((at) => row[at]);
        const name = JSON.stringify(key.map((value) => (typeof value === "number" && !Number.isFinite(value) ? String(value) : value)));
        const found = counts.get(name);
        if (found) found.count++;
        else counts.set(name, { key, count: 1 });
      }
      return new DataFrame([...counts.values()].map(({ key, count }) => [...key, count]), { columns: [...keys, "count"] });
    };
    const none = (method: string) => () => {
      throw new Error(`groupby: ${keys.join(", ")} (all columns are keys, so that none is left for ${method}; count() gives the rows of each group)`);
    };
    for (const method of ["sum", "mean", "std", "var", "min", "max", "cumSum", "cumProd", "cumMax", "cumMin"]) groups[method] = none(method);
    groups["count"] = groups["size"] = count;
    return groups;
  };

  const column = frames["column"]!;
  frames["column"] = function (this: Frame, name: string) {
    const found = this.$columns.includes(name) ? [name] : this.$columns.filter((each) => String(each).trim() === String(name).trim());
    if (found.length === 1) return column.call(this, found[0]!);
    throw new Error(`column: ${JSON.stringify(name)} (must be one of ${this.$columns.map((each) => JSON.stringify(each)).join(", ")})`);
  };

  const readCSV = library.readCSV;
  if (readCSV) {
    const read = async (...parameters: unknown[]) => {
      const frame = (await readCSV.apply(library, parameters)) as Frame & { rename?(names: object, options: object): unknown };
      const blank = frame?.$columns?.filter((name) => typeof name === "string" && name !== name.trim() && !frame.$columns.includes(name.trim())) ?? [];
      if (blank.length > 0) frame.rename?.(Object.fromEntries(blank.map((name) => [name, name.trim()])), { axis: 1, inplace: true });
      return frame;
    };
    try {
      library.readCSV = read;
    } catch {
      Object.defineProperty(library, "readCSV", { value: read, enumerable: true });
    }
  }
  return module;
}

/** The prototype that a method is defined in. */
function defining(prototype: Record<string, Method>, method: string): Record<string, Method> {
  return Object.hasOwn(prototype, method) ? prototype : defining(Object.getPrototypeOf(prototype) as Record<string, Method>, method);
}

interface SortOptions {
  readonly ascending?: boolean;
  readonly inplace?: boolean;
}

const isMissing = (value: unknown): boolean => value === null || value === undefined || (typeof value === "number" && Number.isNaN(value));

/** Places of values in order; equal ones keep theirs, missing ones come last either way. */
function ordered(values: readonly unknown[], { ascending = true }: SortOptions): number[] {
  const compare = (a: any, b: any) => (a < b ? -1 : a > b ? 1 : 0);
  const [here, missing]: [number[], number[]] = [[], []];
  values.forEach((value, i) => (isMissing(value) ? missing : here).push(i));
  return [...here.sort((a, b) => (ascending ? 1 : -1) * compare(values[a], values[b]) || a - b), ...missing];
}

function reordered(frame: Frame, order: readonly number[], { inplace = false }: SortOptions, make: (data: unknown[], index: (string | number)[]) => Frame): Frame | undefined {
  const [data, index] = [order.map((at) => frame.$data[at]), order.map((at) => frame.$index[at]!)];
  if (!inplace) return make(data, index);
  frame.$setValues(data, false);
  frame.$setIndex(index);
  return undefined;
}
