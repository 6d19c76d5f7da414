// What a bare machine needs, packed, brought over and run there: with its own Node, and nothing on the PATH but the system's.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { packGpu } from "../../../../lib/bench/gpu/pack.js";

test("pieces are checked, joined, and run without anything else", { skip: process.platform !== "linux" && "is for Linux here" }, async (t) => {
  const folder = mkdtempSync(join(tmpdir(), "sdtp-packed-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const packed = join(folder, "pieces");
  const { pieces, bytes } = await packGpu(packed, { pieceBytes: 20e6 });
  assert.ok(pieces.length >= 2, `${pieces.length} pieces`);
  assert.ok(pieces.every((name) => statSync(join(packed, name)).size <= 20e6));
  assert.equal(pieces.reduce((sum, name) => sum + statSync(join(packed, name)).size, 0), bytes);
  await assert.rejects(packGpu(packed), /^Error: pack: .* \(must be empty, or not there yet\)$/);

  const env = { PATH: "/usr/bin:/bin", HOME: folder, SDTP_CACHE: join(folder, "cache") };
  const target = join(folder, "there");
  execFileSync(join(packed, "unpack.sh"), [target], { env, stdio: "pipe" });
  assert.ok(existsSync(join(target, "sdtp", "node")));
  // Far from any node_modules; a run that has no time checks that all it imports is there.
  const run = (...args: string[]) => execFileSync(join(target, "sdtp", "bench-gpu.sh"), args, { env, cwd: folder, encoding: "utf8", stdio: "pipe" });
  assert.match(run("--device", "cpu", "--tiny", "--minutes", "0.00001", "--folder", "out"), /0 of \d+ parts are done/);
  assert.ok(existsSync(join(folder, "out", "run.json")));

  const last = join(packed, pieces.at(-1)!);
  const whole = readFileSync(last);
  writeFileSync(last, whole.subarray(0, -1));
  assert.throws(() => execFileSync(join(packed, "unpack.sh"), [join(folder, "again")], { env, stdio: "pipe" }), /pieces are missing or damaged/);
  assert.deepEqual(readdirSync(join(folder, "again")), []);
});
