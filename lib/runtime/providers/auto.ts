import { join } from "node:path";
import { backend } from "../c-api/backend.js";
import { installedProviders, type PluginFile } from "./installed.js";
import { knownProvider } from "./known.js";
import { storedLoss, tooCostly } from "./loss.js";

/**
 * The plugin's provider that `auto` takes for a model: one that was tried, that was added here, and whose loss on the model was measured and is small. Whether it
 * computes what the CPU does is seen when it is opened.
 * @param why told of each that is not taken
 */
export async function pluginForAuto(modelHash: (() => Promise<string>) | undefined, why: string[]): Promise<PluginFile | null> {
  const known = (await installedProviders()).filter(({ name }) => knownProvider(name).bfloat16);
  const names = new Set<string>();
  for (const { name, device, version, folder, library } of known) {
    // The newest of each name, as it would be opened.
    if (names.has(name)) continue;
    names.add(name);
    const { library: cApi, why: reason } = await backend();
    if (!cApi) {
      why.push(`${device}: needs ONNX Runtime's C API (${reason})`);
      continue;
    }
    const plugin: PluginFile = { device, file: join(folder, library), version };
    const loss = modelHash ? await storedLoss(plugin, await modelHash()) : null;
    const costly = loss ? tooCostly(loss) : `its loss on this model was not measured (sdtp provider check ${name} --model …)`;
    if (costly === null) return plugin;
    why.push(`${device}: ${costly}`);
  }
  return null;
}
