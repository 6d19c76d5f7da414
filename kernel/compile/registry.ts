import type * as TS from "@tslab/typescript-for-tslab";

/** Texts as TypeScript reads them, by path. */
type Texts = Map<string, { version: string; snapshot: TS.IScriptSnapshot }>;

/** What projects have in common; a snapshot of the compiler holds it. */
let common: { documents: TS.DocumentRegistry; texts: Texts } | undefined;

export interface Documents {
  registry: TS.DocumentRegistry;
  /** Texts of files that projects share. */
  texts: Texts;
}

/**
 * Parsed files. Those that do not change while a notebook runs, of packages and the library, are read and parsed once
 * for all projects; others belong to one project, also where two of them have the same path.
 * @param isFixed tells the former by their paths
 */
export function documents(ts: typeof TS, folder: string, isFixed: (path: string) => boolean): Documents {
  const shared = (common ??= { documents: ts.createDocumentRegistry(true, folder), texts: new Map() });
  const own = ts.createDocumentRegistry(true, folder);
  const of = (path: string) => (isFixed(path) ? shared.documents : own);
  const registry: TS.DocumentRegistry = {
    acquireDocument: (path, ...rest) => of(path).acquireDocument(path, ...rest),
    acquireDocumentWithKey: (path, ...rest) => of(path).acquireDocumentWithKey(path, ...rest),
    updateDocument: (path, ...rest) => of(path).updateDocument(path, ...rest),
    updateDocumentWithKey: (path, ...rest) => of(path).updateDocumentWithKey(path, ...rest),
    getKeyForCompilationSettings: (options) => own.getKeyForCompilationSettings(options),
    // What is shared stays, whoever lets go of it.
    releaseDocument: (path: string, ...rest: unknown[]) => void (isFixed(path) || (own.releaseDocument as (...all: unknown[]) => void)(path, ...rest)),
    releaseDocumentWithKey: (path: string, ...rest: unknown[]) => void (isFixed(path) || (own.releaseDocumentWithKey as (...all: unknown[]) => void)(path, ...rest)),
    reportStats: () => own.reportStats(),
  };
  return { registry, texts: shared.texts };
}
