import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { choose } from "../../../../lib/runtime/c-api/backend.js";
import { mapFile } from "../../../../lib/runtime/c-api/mapped-file.js";
import { temporaryFolder } from "../../checkpoint/fixtures.js";

const BYTES = 2 ** 26;

/** Pages of files that this process holds, in bytes. */
const filePages = () => 1024 * Number(/RssFile:\s+(\d+)/.exec(readFileSync("/proc/self/status", "utf8"))![1]);

test("a mapped file's pages go back to the system when they are given back, and are read again", { skip: process.platform !== "linux" && "only Linux says which pages a process holds" }, async (t) => {
  const { library, why } = await choose("auto");
  if (!library) return t.skip(why);
  const path = join(await temporaryFolder(t), "weights");
  writeFileSync(path, new Uint8Array(BYTES).fill(7));
  const file = mapFile(path);
  // A page has 4096 bytes or more.
  const sum = () => {
    const bytes = new Uint8Array(library.view(file.address, BYTES));
    let all = 0;
    for (let at = 0; at < BYTES; at += 4096) all += bytes[at]!;
    return all;
  };
  const before = filePages();
  assert.equal(sum(), (7 * BYTES) / 4096);
  assert.ok(filePages() - before > BYTES / 2);
  file.giveBack();
  assert.ok(filePages() - before < BYTES / 2);
  assert.equal(sum(), (7 * BYTES) / 4096);
  file.unmap();
});
