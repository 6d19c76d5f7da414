import assert from "node:assert/strict";
import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { mkdir, readFile, readdir, writeFile } from "node:fs/promises";
import { homedir, hostname } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { Command } from "commander";
import { cached, cacheFolder, clearCache, listCache } from "../../../lib/checkpoint/cache.js";
import { formatBytes, requireFreeSpace } from "../../../lib/checkpoint/free-space.js";
import { register } from "../../../lib/cli/commands/cache.js";
import { temporaryFolder } from "./fixtures.js";

function startBuilder(root: string, behaviour: "build" | "hang"): ChildProcess {
  const script = fileURLToPath(new URL("./cache-builder.js", import.meta.url));
  return spawn(process.execPath, [script, root, "entry", behaviour], { stdio: ["ignore", "pipe", "inherit"] });
}

async function outputOf(builder: ChildProcess): Promise<{ built: boolean; folder: string }> {
  let output = "";
  for await (const chunk of builder.stdout!) output += String(chunk);
  return JSON.parse(output) as { built: boolean; folder: string };
}

test("where the cache folder is", () => {
  assert.equal(cacheFolder({ SDTP_CACHE: "/a", XDG_CACHE_HOME: "/b" }, "linux"), "/a");
  assert.equal(cacheFolder({ XDG_CACHE_HOME: "/b" }, "linux"), join("/b", "sdtp-notebook"));
  assert.equal(cacheFolder({}, "linux"), join(homedir(), ".cache", "sdtp-notebook"));
  assert.equal(cacheFolder({}, "darwin"), join(homedir(), "Library", "Caches", "sdtp-notebook"));
  assert.equal(cacheFolder({ LOCALAPPDATA: "L" }, "win32"), join("L", "sdtp-notebook", "Cache"));
});

test("builds once, then finds the entry", async (t) => {
  const folder = join(await temporaryFolder(t), "not-there-yet");
  let builds = 0;
  const build = async (temporary: string) => {
    builds++;
    assert.deepEqual(await readdir(temporary), []);
    await writeFile(join(temporary, "value"), "42");
  };
  const entry = await cached("weights-1.0_x", build, { folder });
  assert.equal(entry, join(folder, "weights-1.0_x"));
  assert.equal(await cached("weights-1.0_x", build, { folder }), entry);
  assert.equal(builds, 1);
  assert.equal(await readFile(join(entry, "value"), "utf8"), "42");
  assert.deepEqual(await readdir(folder), ["weights-1.0_x"]);
});

test("a build that throws leaves nothing, and the next call builds", async (t) => {
  const folder = await temporaryFolder(t);
  const failing = cached("a", async (temporary) => {
    await writeFile(join(temporary, "half"), "");
    throw new Error("disk on fire");
  }, { folder });
  await assert.rejects(failing, /disk on fire/);
  assert.deepEqual(await readdir(folder), []);
  await cached("a", async () => {}, { folder });
  assert.deepEqual(await readdir(folder), ["a"]);
});

test("calls at once in one process build once", async (t) => {
  const folder = await temporaryFolder(t);
  let builds = 0;
  const entries = await Promise.all([1, 2, 3].map(() => cached("a", async () => void builds++, { folder })));
  assert.equal(builds, 1);
  assert.equal(new Set(entries).size, 1);
});

test("two processes at once: one builds, both get the whole entry", async (t) => {
  const parent = await temporaryFolder(t);
  const root = join(parent, "cache");
  const results = await Promise.all([startBuilder(root, "build"), startBuilder(root, "build")].map(outputOf));
  assert.deepEqual(results.map(({ built }) => built).sort(), [false, true]);
  assert.equal((await readFile(join(parent, "builds"), "utf8")).trim().split("\n").length, 1);
  for (const { folder } of results) assert.deepEqual((await readdir(folder)).sort(), ["first", "second"]);
  assert.deepEqual(await readdir(root), ["entry"]);
});

test("should two build the same entry all the same, the first to finish wins", async (t) => {
  const folder = await temporaryFolder(t);
  const entry = await cached("a", async (temporary) => {
    await writeFile(join(temporary, "mine"), "");
    // As if another process had lost sight of the lock and finished first.
    await mkdir(join(folder, "a"));
    await writeFile(join(folder, "a", "theirs"), "");
  }, { folder });
  assert.deepEqual(await readdir(entry), ["theirs"]);
  assert.deepEqual(await readdir(folder), ["a"]);
});

test("what a killed build leaves is taken over and cleaned up", async (t) => {
  const root = join(await temporaryFolder(t), "cache");
  const builder = startBuilder(root, "hang");
  await once(builder.stdout!, "data");
  const leftovers = await readdir(root);
  assert.ok(leftovers.some((name) => name.includes(`~${builder.pid}~`)), leftovers.join());
  assert.deepEqual(await listCache(root), [], "an unfinished build is no entry");
  builder.kill("SIGKILL");
  await once(builder, "exit");
  await cached("entry", async (temporary) => writeFile(join(temporary, "again"), ""), { folder: root, staleAfter: 5000 });
  assert.deepEqual(await readdir(root), ["entry"]);
  assert.deepEqual(await readdir(join(root, "entry")), ["again"]);
});

test("clearing leaves the temporary folder of a build that is running", async (t) => {
  const root = join(await temporaryFolder(t), "cache");
  await cached("old", async () => {}, { folder: root });
  const builder = startBuilder(root, "hang");
  t.after(() => builder.kill("SIGKILL"));
  await once(builder.stdout!, "data");
  const foreign = join(root, `other.tmp~not-${hostname()}~1~0123abcd`);
  await mkdir(foreign);
  assert.deepEqual((await clearCache(undefined, root)).map(({ key }) => key), ["old"]);
  const names = await readdir(root);
  assert.ok(names.some((name) => name.includes(`~${builder.pid}~`)), names.join());
  assert.ok(existsSync(foreign), "another machine's build of today may still be running");
  assert.ok(!names.includes("old"));
});

test("lists entries with their bytes; clears all or some", async (t) => {
  const folder = await temporaryFolder(t);
  for (const [key, bytes] of [["b", 10], ["a", 300], ["c", 1]] as const) {
    await cached(key, async (temporary) => {
      await mkdir(join(temporary, "inner"));
      await writeFile(join(temporary, "inner", "data"), Buffer.alloc(bytes));
    }, { folder });
  }
  assert.deepEqual((await listCache(folder)).map(({ key, bytes }) => [key, bytes]), [["a", 300], ["b", 10], ["c", 1]]);
  await assert.rejects(clearCache(["a", "nothing"], folder), /cache key: nothing \(not in /);
  assert.equal((await listCache(folder)).length, 3);
  assert.deepEqual((await clearCache(["a"], folder)).map(({ key }) => key), ["a"]);
  assert.equal((await clearCache(undefined, folder)).length, 2);
  assert.deepEqual(await readdir(folder), []);
  assert.deepEqual(await listCache(join(folder, "none")), []);
});

test("keys that are no plain names are refused", async (t) => {
  const folder = await temporaryFolder(t);
  for (const key of ["", "../a", "a/b", ".hidden", "a b", "a.lock", "a.part", "a.tmp~h~1~0123abcd"]) {
    await assert.rejects(cached(key, async () => {}, { folder }), /cache key: /, key);
  }
});

test("what is to be kept of a build that threw is there for the next one, listed, and gone when that is done", async (t) => {
  const folder = await temporaryFolder(t);
  const build = (fails: boolean) => cached("a", async (temporary) => {
    if (fails) {
      await writeFile(join(temporary, "first half"), "1");
      throw new Error("stopped");
    }
    assert.deepEqual(await readdir(temporary), ["first half"]);
    await writeFile(join(temporary, "second half"), "2");
  }, { folder, keep: true });
  await assert.rejects(build(true), /stopped/);
  assert.deepEqual((await listCache(folder)).map(({ key }) => key), ["a.part"]);
  assert.deepEqual((await readdir(await build(false))).sort(), ["first half", "second half"]);
  assert.deepEqual(await readdir(folder), ["a"]);
  await assert.rejects(cached("b", async () => { throw new Error("at once"); }, { folder, keep: true }), /at once/);
  assert.deepEqual(await readdir(folder), ["a"], "nothing made, nothing kept");
  await assert.rejects(cached("c", async (temporary) => { await writeFile(join(temporary, "half"), ""); throw new Error("stopped"); }, { folder, keep: true }), /stopped/);
  assert.deepEqual((await clearCache(["c.part"], folder)).map(({ key }) => key), ["c.part"]);
});

test("too little free space: an error with the needed and the free bytes", async (t) => {
  const folder = await temporaryFolder(t);
  await requireFreeSpace(folder, 1, "a byte");
  await assert.rejects(requireFreeSpace(folder, 1e18, "synthetic model x"), /free space: \d+ bytes \([\d.]+ [kMGT]?B\) in .* \(synthetic model x needs 1000000000000000000 bytes, 1000000\.0 TB\)/);
  assert.deepEqual([0, 999, 1000, 999_949, 999_950, 15.2e9].map(formatBytes), ["0 B", "999 B", "1.0 kB", "999.9 kB", "1.0 MB", "15.2 GB"]);
});

test("sdtp cache list and clear", async (t) => {
  const folder = await temporaryFolder(t);
  const before = process.env.SDTP_CACHE;
  process.env.SDTP_CACHE = folder;
  t.after(() => {
    if (before === undefined) delete process.env.SDTP_CACHE;
    else process.env.SDTP_CACHE = before;
  });
  for (const key of ["one", "two"]) await cached(key, async (temporary) => writeFile(join(temporary, "x"), Buffer.alloc(1500)));
  const run = async (...words: string[]) => {
    const log = t.mock.method(console, "log", () => {});
    const program = new Command();
    register(program);
    await program.parseAsync(["cache", ...words], { from: "user" });
    const output = log.mock.calls.map((call) => String(call.arguments[0])).join("\n");
    log.mock.restore();
    return output;
  };
  assert.match(await run("list"), /^ +1\.5 kB {2}\d{4}-\d\d-\d\d \d\d:\d\d {2}one\n.* two\n3\.0 kB in /);
  const listed = JSON.parse(await run("list", "--json")) as { folder: string; bytes: number; entries: { key: string; bytes: number }[] };
  assert.deepEqual([listed.folder, listed.bytes, listed.entries.map(({ key }) => key)], [folder, 3000, ["one", "two"]]);
  await assert.rejects(run("clear", "three"), /cache key: three/);
  assert.match(await run("clear", "two"), /two\n1\.5 kB removed from /);
  const cleared = JSON.parse(await run("clear", "--json")) as { bytes: number; removed: { key: string }[] };
  assert.deepEqual([cleared.bytes, cleared.removed.map(({ key }) => key)], [1500, ["one"]]);
  assert.equal((await run("list")).trim(), `0 B in ${folder}`);
});
