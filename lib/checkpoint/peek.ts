import { resolve } from "node:path";
import { parseConfig, readConfig } from "./config.js";
import { localConfigPath } from "./hub/local-path.js";
import { readJsonObject } from "./json.js";
import { locateFolder, locateGguf } from "./locate.js";
import { isSyntheticName } from "./synthetic-name.js";
import { syntheticShapes } from "./synthetic-shapes.js";
import type { ModelConfig } from "./types.js";

/**
 * The shape of a model by name: no weights are looked at, and none are made.
 * @throws where there is no such model, or its config.json says what is not supported
 */
export async function peekConfig(name: string): Promise<ModelConfig> {
  if (!isSyntheticName(name)) {
    const path = await localConfigPath(name);
    const gguf = await locateGguf(path);
    if (gguf === null) return readConfig(await locateFolder(path));
    const [{ readGguf }, { ggufConfig }] = await Promise.all([import("./gguf/split.js"), import("./gguf/config.js")]);
    return (await ggufConfig(await readGguf(gguf), gguf)).config;
  }
  const shape = name.slice("synthetic:".length);
  if (Object.hasOwn(syntheticShapes, shape)) return parseConfig(syntheticShapes[shape]!, name);
  if (!/[/\\]|\.json$/.test(shape)) throw new Error(`synthetic model: ${shape} (must be ${Object.keys(syntheticShapes).join(", ")} or the path of a config.json)`);
  return parseConfig(await readJsonObject(resolve(shape)), resolve(shape));
}
