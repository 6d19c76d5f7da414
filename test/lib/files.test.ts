import assert from "node:assert/strict";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { makeFolder, writeOutput } from "../../lib/files.js";

test("folders are made as far down as needed; what cannot be made is an error at once", async (t) => {
  const folder = mkdtempSync(join(tmpdir(), "sdtp-files-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  await makeFolder(join(folder, "a", "b"));
  await makeFolder(join(folder, "a", "b"));
  await writeOutput(join(folder, "a", "c", "d.txt"), "text");
  assert.equal(readFileSync(join(folder, "a", "c", "d.txt"), "utf8"), "text");
  writeFileSync(join(folder, "file"), "");
  await assert.rejects(writeOutput(join(folder, "file", "x", "y.md"), ""), /^Error: output: .*y\.md \(cannot be written: ENOTDIR\)$/);
  await assert.rejects(writeOutput(join(folder, "file", "y.md"), ""), /^Error: output: .*y\.md \(cannot be written: ENOTDIR\)$/);
});

test("a folder that the system refuses below one that is there is an error too, not a loop", { skip: !existsSync("/proc/self") && "no /proc" }, async () => {
  await assert.rejects(writeOutput("/proc/none/y.md", "", "report"), /^Error: report: \/proc\/none\/y\.md \(cannot be written: E[A-Z]+\)$/);
});
