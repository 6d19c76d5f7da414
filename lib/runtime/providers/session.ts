import { unlessAborted } from "../../ambient-signal.js";
import { backend, BACKEND_VARIABLE } from "../c-api/backend.js";
import type { Library } from "../c-api/library.js";
import { registerProvider, type ChosenProvider, type ProviderDevice } from "../c-api/provider.js";
import type { LoadedGraph } from "../loaded-graph.js";

/** A graph that a plugin's provider does what it can of. */
export interface PluginGraph extends LoadedGraph {
  /** Operators by the provider that does them, where that was to be recorded. */
  readonly assigned: ReadonlyMap<string, readonly string[]> | null;
}

/**
 * Loads a graph for a plugin's provider. Nothing stops a run inside of its works: one that is aborted rejects at once, and goes on for nobody to the end of the work that it
 * is in; a release waits for that.
 * @throws where ONNX Runtime's C API is not used here, or the library cannot be used
 */
export async function openPluginSession(onnx: Uint8Array, provider: ChosenProvider, settings: { readonly threads?: number | undefined; readonly folder?: string | undefined }): Promise<PluginGraph> {
  const library = await pluginLibrary();
  const { CApiSession } = await import("../c-api/session.js");
  const session = await CApiSession.open(library, onnx, { ...settings, provider });
  return {
    inputNames: session.inputNames,
    outputNames: session.outputNames,
    assigned: session.assigned,
    async run(feeds, wanted, { signal } = {}) {
      signal?.throwIfAborted();
      return unlessAborted(session.run(feeds, wanted, { signal }), signal);
    },
    release: () => session.release(),
  };
}

/** The devices of a plugin's library. @throws as `openPluginSession` */
export async function pluginDevices(file: string): Promise<ProviderDevice[]> {
  return registerProvider(await pluginLibrary(), file);
}

async function pluginLibrary(): Promise<Library> {
  const { library, why } = await backend();
  if (!library) throw new Error(`plugin providers need ONNX Runtime's C API (${why}; ${BACKEND_VARIABLE}=c-api asks for it)`);
  return library;
}
