#!/usr/bin/env node
// The `sdtp` command. Plain JavaScript, so that it works in a checkout before and after the build.
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";

const main = new URL("../../dist/lib/cli/main.js", import.meta.url);
if (!existsSync(fileURLToPath(main))) {
  await import("./setup.mjs");
}
process.setSourceMapsEnabled?.(true);
const { run } = await import(main.href);
await run(process.argv);
