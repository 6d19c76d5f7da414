import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { loadWithCodeCache } from "../../../kernel/compile/code-cache.js";

describe("code cache", () => {
  let folder: string;
  let path: string;
  const { SDTP_CACHE } = process.env;
  before(() => {
    folder = mkdtempSync(join(tmpdir(), "sdtp-code-"));
    path = join(folder, "module.cjs");
    writeFileSync(path, "exports.own = require('node:path').basename(__filename); exports.twice = (x) => 2 * x;");
  });
  after(() => {
    if (SDTP_CACHE === undefined) delete process.env.SDTP_CACHE;
    else process.env.SDTP_CACHE = SDTP_CACHE;
    rmSync(folder, { recursive: true });
  });

  const load = async () => {
    const loaded = loadWithCodeCache(path, "module-1");
    const { own, twice } = loaded.exports as { own: string; twice: (x: number) => number };
    assert.equal(own, "module.cjs");
    assert.equal(twice(21), 42);
    await loaded.keep();
  };

  it("is made once, and made again where it does not fit", async () => {
    process.env.SDTP_CACHE = join(folder, "cache");
    await load();
    const [entry = ""] = readdirSync(process.env.SDTP_CACHE);
    const file = join(process.env.SDTP_CACHE, entry, "code.v8");
    const made = readFileSync(file);
    assert.ok(made.length > 100);
    await load();
    assert.deepEqual(readFileSync(file), made);
    writeFileSync(file, "damaged");
    // A text that V8 has not compiled in this process.
    writeFileSync(path, `${readFileSync(path, "utf8")} exports.more = 1;`);
    await load();
    assert.ok(readFileSync(file).length > 100);
    assert.equal(readdirSync(process.env.SDTP_CACHE).length, 1);
  });

  it("does without a folder that it can write to", async () => {
    process.env.SDTP_CACHE = "/dev/null/cache";
    await load();
  });
});
