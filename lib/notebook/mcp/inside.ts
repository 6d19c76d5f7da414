import { existsSync, realpathSync } from "node:fs";
import { basename, dirname, isAbsolute, join, relative, resolve } from "node:path";

/**
 * The real path of something inside a folder, links followed; it need not be there yet.
 * @param folder a real path
 * @throws where it lies outside
 */
export function inside(folder: string, path: string): string {
  const wanted = resolve(folder, path);
  const real = realOf(wanted);
  const way = relative(folder, real);
  if (way === ".." || /^\.\.[\\/]/.test(way) || isAbsolute(way)) throw new Error(`path: ${path} (lies outside of ${folder})`);
  return real;
}

/** With the part that is there resolved. */
function realOf(path: string): string {
  try {
    return realpathSync(path);
  } catch {
    return dirname(path) === path ? path : join(realOf(dirname(path)), basename(path));
  }
}

/** A model by name, or a folder or file inside. @throws for any other path */
export function modelInside(folder: string, model: string): string {
  const shape = /^synthetic:(.*)$/s.exec(model)?.[1];
  if (shape !== undefined) return /[/\\]/.test(shape) ? `synthetic:${inside(folder, shape)}` : model;
  // A folder of that name goes before a name of the hub.
  const isName = model === "tiny" || /^\w[\w.-]*\/\w[\w.-]*(@[\w.-]+)?(:[\w.-]+\.gguf)?$/.test(model);
  return isName && !existsSync(join(folder, model)) ? model : inside(folder, model);
}
