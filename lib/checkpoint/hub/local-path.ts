import { existsSync } from "node:fs";
import { join, resolve } from "node:path";
import type { FetchOptions } from "./fetch.js";
import { parseHubName, type HubName } from "./name.js";

/**
 * Where a model lies on this machine: the path given, or for the name of a repository (`org/name`, `org/name:file.gguf`,
 * `org/name@revision`) its folder in the hub's cache, fetched where it is not there. A folder or file of that name goes first.
 */
export async function localPath(name: string, options: FetchOptions = {}): Promise<string> {
  return located(name, async (hub) => (await import("./fetch.js")).hubModel(hub, options));
}

/** The same for who wants no more than a model's configuration: of one that is not here only that is fetched. */
export async function localConfigPath(name: string, options: FetchOptions = {}): Promise<string> {
  return located(name, async (hub) => {
    const [{ fetchRepository, hubModel }, { cachedSnapshot }, { hubSettings }] = await Promise.all([import("./fetch.js"), import("./cache.js"), import("./settings.js")]);
    const settings = options.settings ?? hubSettings();
    const here = await cachedSnapshot(settings.cache, hub);
    if (hub.file === null && here !== null && existsSync(join(here, "config.json"))) return here;
    // A GGUF file has its configuration inside.
    if (hub.file !== null || settings.offline) return hubModel(hub, options);
    const { folder } = await fetchRepository(hub, { ...options, choose: (files) => files.filter(({ path }) => path === "config.json") });
    return existsSync(join(folder, "config.json")) ? folder : hubModel(hub, options);
  });
}

async function located(name: string, fromHub: (hub: HubName) => Promise<string>): Promise<string> {
  if (existsSync(resolve(name))) return name;
  const hub = parseHubName(name);
  if (hub === null) return name;
  // The hub's library takes a while to load, and most models lie on the disk: it is imported only here.
  return fromHub(hub);
}
