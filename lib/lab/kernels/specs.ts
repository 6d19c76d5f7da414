import { readdirSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { listKernels } from "../../jupyter/kernelspec.js";
import { chooseKernel, type ChosenKernel } from "../../notebook/run/kernel.js";
import { Refusal } from "../refusal.js";

/** Pictures of this package's own kernel, by file name, for where it is not installed. */
export type Logos = Readonly<Record<string, string | Uint8Array>>;

const NONE = { nbformat: 4 as const, nbformat_minor: 5, metadata: {}, cells: [] };
const OWN = "sdtp";

/** The kernel of a name, this package's own where none is given. @throws Refusal */
export function kernelNamed(name = OWN): ChosenKernel {
  try {
    return chooseKernel(NONE, name);
  } catch (error) {
    throw new Refusal(404, (error as Error).message);
  }
}

/** Every kernel that can be started, as Jupyter's API lists them: this package's first. */
export function kernelspecs(logos: Logos): object {
  const own = kernelNamed();
  const installed = listKernels().filter(({ name }) => name !== OWN);
  const entry = (name: string, spec: object, files: readonly string[]) => [name, { name, spec: { display_name: name, language: "", env: {}, metadata: {}, ...spec }, resources: Object.fromEntries(files.map((file) => [file.replace(/\.(png|svg)$/, (ending) => (file.startsWith("logo-svg") || ending === ".png" ? "" : ending)), `/kernelspecs/${encodeURIComponent(name)}/${encodeURIComponent(file)}`])) }] as const;
  return {
    default: OWN,
    kernelspecs: Object.fromEntries([
      entry(OWN, own.spec, Object.keys(logos)),
      ...installed.map(({ name, folder, spec }) => entry(name, spec, readdirSync(folder).filter((file) => /^logo-.*\.(png|svg)$|^kernel\.(js|css)$/.test(file)))),
    ]),
  };
}

/** A picture of a kernelspec. @throws Refusal */
export async function resource(logos: Logos, name: string, file: string): Promise<string | Uint8Array> {
  const kernel = listKernels().find((each) => each.name === name.toLowerCase());
  const own = name === OWN ? logos[file] : undefined;
  if (own !== undefined) return own;
  if (!kernel || !/^logo-[^/\\]+$|^kernel\.(js|css)$/.test(file)) throw new Refusal(404, `${name}/${file}: there is no such file of a kernel`);
  return readFile(join(kernel.folder, file)).catch(() => { throw new Refusal(404, `${name}/${file}: there is no such file of a kernel`); });
}
