import { delimiter, join } from "node:path";
import type * as TS from "@tslab/typescript-for-tslab";

export interface Resolver {
  /** The file that a module's name means in `containing`. */
  resolve(module: string, containing: string, mode?: TS.ResolutionMode): TS.ResolvedModuleFull | undefined;
  /** Looks everything up anew: `npm install` may have run in another window. */
  forget(): void;
}

/**
 * Modules as cells mean them: from the notebook's project, else NODE_PATH's folders, else this package.
 * @param packageRoot this package's folder
 */
export function createResolver(ts: typeof TS, folder: string, packageRoot: string, options: TS.CompilerOptions, host: TS.ModuleResolutionHost): Resolver {
  const cache = ts.createModuleResolutionCache(folder, (name) => name, options);
  const own = join(packageRoot, "dist", "index.ts");
  const nodePath = (process.env.NODE_PATH ?? "").split(delimiter).filter(Boolean);
  const from = (module: string, containing: string, mode?: TS.ResolutionMode) => ts.resolveModuleName(module, containing, options, host, cache, undefined, mode).resolvedModule;
  return {
    forget: () => cache.clear(),
    resolve(module, containing, mode) {
      // danfojs names two types of Plotly's, for charts that do not work in Node. Reading them takes as long as all else.
      if (module === "plotly.js-dist-min" && containing.includes("danfojs-node")) return undefined;
      const found = from(module, containing, mode);
      if (found || /^[./]/.test(module) || containing.includes("/node_modules/")) return found;
      for (const base of nodePath) {
        const there = from(join(base, module), containing, mode);
        if (there) return there;
      }
      return module === "sdtp-notebook" ? from(join(packageRoot, "dist/lib/index.js"), own, mode) : from(module, own, mode);
    },
  };
}
