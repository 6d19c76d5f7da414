// Run as a process by cache.test.ts: asks for a cache entry and reports on stdout whether it built it.
// Arguments: cache folder, key, what the build does. With `hang` the build never ends.
import { appendFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { cached } from "../../../lib/checkpoint/cache.js";

const [root, key, behaviour] = process.argv.slice(2) as [string, string, "build" | "hang"];
let built = false;
const folder = await cached(
  key,
  async (temporary) => {
    built = true;
    await appendFile(join(root, "..", "builds"), `${process.pid}\n`);
    await writeFile(join(temporary, "first"), "1");
    if (behaviour === "hang") {
      console.log("building");
      await sleep(600_000);
    }
    await sleep(300);
    await writeFile(join(temporary, "second"), "2");
  },
  { folder: root },
);
console.log(JSON.stringify({ built, folder }));
