import { existsSync } from "node:fs";
import { resolve } from "node:path";
import type { FetchOptions } from "./fetch.js";
import { parseHubName } from "./name.js";

/**
 * Where a model lies on this machine: the path given, or for the name of a repository (`org/name`, `org/name:file.gguf`,
 * `org/name@revision`) its folder in the hub's cache, fetched where it is not there. A folder or file of that name goes first.
 */
export async function localPath(name: string, options: FetchOptions = {}): Promise<string> {
  if (existsSync(resolve(name))) return name;
  const hub = parseHubName(name);
  if (hub === null) return name;
  // The hub's library takes a while to load, and most models lie on the disk.
  const { hubModel } = await import("./fetch.js");
  return hubModel(hub, options);
}
