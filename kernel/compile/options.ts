import { existsSync } from "node:fs";
import { join } from "node:path";
import type * as TS from "@tslab/typescript-for-tslab";
import { nodeLib } from "./node-lib.js";

/** Options of a tsconfig.json that change what a cell may contain, or what its text means. */
const HONOURED = new Set([
  ...["strict", "noImplicitAny", "strictNullChecks", "strictFunctionTypes", "strictBindCallApply", "strictBuiltinIteratorReturn"],
  ...["strictPropertyInitialization", "noImplicitThis", "useUnknownInCatchVariables", "noUncheckedIndexedAccess"],
  ...["exactOptionalPropertyTypes", "noImplicitOverride", "noImplicitReturns", "noFallthroughCasesInSwitch"],
  ...["noPropertyAccessFromIndexSignature", "allowUnreachableCode", "erasableSyntaxOnly", "noErrorTruncation"],
  ...["experimentalDecorators", "emitDecoratorMetadata", "useDefineForClassFields"],
  ...["jsx", "jsxFactory", "jsxFragmentFactory", "jsxImportSource"],
  ...["paths", "baseUrl", "pathsBasePath", "lib", "customConditions"],
]);

/** Options that say where files go or come from, or what holds for cells in any case: nobody expects more of them here. */
const MOOT = new Set([
  ...["outDir", "outFile", "rootDir", "declaration", "declarationDir", "declarationMap", "emitDeclarationOnly", "noEmit", "noEmitOnError"],
  ...["sourceMap", "inlineSourceMap", "inlineSources", "sourceRoot", "mapRoot", "removeComments", "incremental", "composite", "tsBuildInfoFile"],
  ...["skipLibCheck", "skipDefaultLibCheck", "forceConsistentCasingInFileNames", "esModuleInterop", "allowSyntheticDefaultImports"],
  ...["resolveJsonModule", "moduleDetection", "isolatedModules", "allowImportingTsExtensions", "rewriteRelativeImportExtensions", "alwaysStrict"],
  ...["ignoreDeprecations", "configFilePath", "pretty", "newLine", "importHelpers", "noEmitHelpers", "downlevelIteration", "types", "typeRoots"],
  ...["allowJs", "libReplacement", "preserveConstEnums", "verbatimModuleSyntax"],
]);

export interface Settings {
  options: TS.CompilerOptions;
  /** What a tsconfig.json asks for that cells cannot have, or why it was not read: one sentence, for the person. */
  remark?: string;
}

/**
 * The compiler's options for cells: those of this kernel (documented in kernel/README.md), over which a
 * `tsconfig.json` beside the notebook has its say.
 * @param folder the notebook's
 */
export function settings(ts: typeof TS, folder: string): Settings {
  const own: TS.CompilerOptions = {
    // Regular expressions are checked against it and taken as they are; what else it brings, every Node has. `using` and decorators are later still.
    target: ts.ScriptTarget.ES2025,
    module: ts.ModuleKind.ESNext,
    moduleResolution: ts.ModuleResolutionKind.Bundler,
    lib: nodeLib(),
    types: ["node"],
    strict: false,
    esModuleInterop: true,
    allowImportingTsExtensions: true,
    resolveJsonModule: true,
    allowJs: true,
    jsx: ts.JsxEmit.React,
    preserveConstEnums: true,
    declaration: true,
    inlineSourceMap: true,
    newLine: ts.NewLineKind.LineFeed,
    skipLibCheck: true,
    // A cell's unused label or code behind a `throw` is somebody trying something.
    allowUnusedLabels: true,
    ignoreDeprecations: "6.0",
    rootDir: "/",
    outDir: "outDir",
  };
  const file = join(folder, "tsconfig.json");
  if (!existsSync(file)) return { options: own };
  const { config, error } = ts.readConfigFile(file, ts.sys.readFile);
  const parsed = error ? undefined : ts.parseJsonConfigFileContent(config, { ...ts.sys, readDirectory: () => [] }, folder, undefined, file);
  // 18003 and 18002: no files of its own.
  const wrong = error ?? parsed?.errors.find(({ code }) => code !== 18002 && code !== 18003);
  if (!parsed || wrong) return { options: own, remark: `tsconfig.json: not used (${wrong ? ts.flattenDiagnosticMessageText(wrong.messageText, " ") : "unreadable"})` };
  return merge(ts, own, parsed.options);
}

function merge(ts: typeof TS, own: TS.CompilerOptions, asked: TS.CompilerOptions): Settings {
  const options = { ...own };
  const refused: string[] = [];
  for (const [name, value] of Object.entries(asked)) {
    const preserved = name === "jsx" && (value === ts.JsxEmit.Preserve || value === ts.JsxEmit.ReactNative);
    if (HONOURED.has(name) && !preserved) options[name] = value;
    else if (preserved) refused.push("jsx (preserved JSX cannot run)");
    else if (!MOOT.has(name) && options[name] !== value) refused.push(name);
  }
  // `pathsBasePath` is where TypeScript notes which file `paths` are relative to.
  if (refused.length === 0) return { options };
  return { options, remark: `tsconfig.json: ${refused.join(", ")} ${refused.length > 1 ? "do" : "does"} not hold for cells, which run on this Node one by one; the rest does` };
}
