import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, lstatSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { makeFolder, writeOutput, writeWholeSync } from "../../lib/files.js";

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

for (const [name, call] of [["writeOutput", "await files.writeOutput"], ["writeWholeSync", "files.writeWholeSync"]] as const) {
  test(`a file that does not fit is not there, and the one before it still is: ${name}`, { skip: process.platform !== "linux" && "needs a limit of the size of files" }, (t) => {
    const folder = mkdtempSync(join(tmpdir(), "sdtp-files-"));
    t.after(() => rmSync(folder, { recursive: true, force: true }));
    const file = join(folder, "f.json");
    writeFileSync(file, "before");
    const write = `import * as files from ${JSON.stringify(new URL("../../lib/files.js", import.meta.url).href)};
      try { ${call}(${JSON.stringify(file)}, "x".repeat(20000)); } catch (error) { console.log(error.message); process.exitCode = 3; }`;
    // The system writes what fits, says how much that was, and fails at the rest only.
    const { status, stdout, stderr } = spawnSync("bash", ["-c", `trap "" XFSZ; ulimit -f 8; exec "${process.execPath}" --input-type=module -e '${write}'`], { encoding: "utf8" });
    assert.equal(status, 3, stderr);
    assert.match(stdout, /EFBIG/);
    assert.deepEqual(readdirSync(folder), ["f.json"]);
    assert.equal(readFileSync(file, "utf8"), "before");
  });
}

test("a file written at once has the mode that is asked for, else that of the one before it, whose links are followed", { skip: process.platform === "win32" && "needs modes" }, (t) => {
  const folder = mkdtempSync(join(tmpdir(), "sdtp-files-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const [file, link] = [join(folder, "f"), join(folder, "link")];
  const mode = () => (statSync(file).mode & 0o777).toString(8);
  writeWholeSync(file, "secret", 0o600);
  assert.equal(mode(), "600");
  symlinkSync(file, link);
  writeWholeSync(link, new TextEncoder().encode("more"));
  assert.deepEqual([mode(), readFileSync(file, "utf8"), lstatSync(link).isSymbolicLink()], ["600", "more", true]);
  writeWholeSync(file, "script", 0o755);
  assert.equal(mode(), "755");
  assert.throws(() => writeWholeSync(join(folder, "none", "f"), ""), /ENOENT/);
  assert.deepEqual(readdirSync(folder).sort(), ["f", "link"]);
});
