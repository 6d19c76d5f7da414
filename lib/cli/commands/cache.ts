import type { Command } from "commander";
import { cacheFolder, clearCache, listCache, type CacheEntry } from "../../checkpoint/cache.js";
import { formatBytes } from "../../checkpoint/free-space.js";

/** `sdtp cache list|clear`: what was made from checkpoints and kept, such as synthetic and converted weights. */
export function register(program: Command): void {
  const cache = program.command("cache").description("show or clear the cache folder (SDTP_CACHE sets another one)");

  cache
    .command("list")
    .description("list entries with their size and date")
    .option("--json", "print JSON")
    .action(async ({ json }: { json?: boolean }) => {
      const entries = await listCache();
      if (json) console.log(JSON.stringify({ folder: cacheFolder(), bytes: total(entries), entries }, null, 2));
      else console.log([...entries.map(line), `${formatBytes(total(entries))} in ${cacheFolder()}`].join("\n"));
    });

  cache
    .command("clear")
    .description("remove entries, all of them when no key is given")
    .argument("[key...]", "keys as `sdtp cache list` shows them")
    .option("--json", "print JSON")
    .action(async (keys: string[], { json }: { json?: boolean }) => {
      const removed = await clearCache(keys.length > 0 ? keys : undefined);
      if (json) console.log(JSON.stringify({ folder: cacheFolder(), bytes: total(removed), removed }, null, 2));
      else console.log([...removed.map(line), `${formatBytes(total(removed))} removed from ${cacheFolder()}`].join("\n"));
    });
}

function line({ key, bytes, created }: CacheEntry): string {
  return `${formatBytes(bytes).padStart(9)}  ${created.toISOString().slice(0, 16).replace("T", " ")}  ${key}`;
}

function total(entries: readonly CacheEntry[]): number {
  return entries.reduce((sum, { bytes }) => sum + bytes, 0);
}
