import { resolve, sep } from "node:path";

/**
 * Short names of data files, by which their lines are told apart: the file's own without its ending, with as many folders before it as files of the same
 * name need (`niah_single_1/validation` beside `vt/validation`).
 * @returns one a file, in their order
 * @throws on a file that is given twice
 */
export function fileNames(files: readonly string[]): string[] {
  const parts = files.map((file) => resolve(file).replace(/\.(jsonl|ndjson|json)$/, "").split(sep));
  const paths = files.map((file) => resolve(file));
  const twice = paths.findIndex((path, i) => paths.indexOf(path) !== i);
  if (twice >= 0) throw new Error(`data file: ${files[twice]} (is given twice)`);
  const name = (i: number, count: number) => parts[i]!.slice(-count).join("/");
  return files.map((_, i) => {
    let count = 1;
    while (count < parts[i]!.length && files.some((_, other) => other !== i && name(other, count) === name(i, count))) count++;
    return name(i, count);
  });
}

/** Items whose ids are each there once: rows are paired by them. Where data repeat one, the later ones get a number. */
export function withOwnIds<T extends { readonly id: string }>(items: readonly T[]): T[] {
  const seen = new Set(items.map(({ id }) => id));
  const met = new Set<string>();
  return items.map((item) => {
    if (!met.has(item.id)) {
      met.add(item.id);
      return item;
    }
    let count = 2;
    while (seen.has(`${item.id}#${count}`)) count++;
    seen.add(`${item.id}#${count}`);
    return { ...item, id: `${item.id}#${count}` };
  });
}
