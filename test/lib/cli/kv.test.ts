// sdtp kv and sdtp tokens, as a user runs them.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, test } from "node:test";
import { packageRoot } from "../../../lib/checkpoint/package-root.js";
import { loadRun } from "../../../lib/runtime/load-run.js";
import { tinyCheckpoint } from "../../reference/checkpoints.js";

const sdtp = (...args: string[]) =>
  new Promise<{ code: number; stdout: string; stderr: string }>((done) => {
    execFile(process.execPath, [join(packageRoot(), "lib", "cli", "sdtp.mjs"), ...args], { maxBuffer: 2 ** 26 }, (error, stdout, stderr) => done({ code: error ? Number(error.code) : 0, stdout, stderr }));
  });

describe("sdtp kv, sdtp tokens", () => {
  const tiny = tinyCheckpoint("llama");
  const folder = mkdtempSync(join(tmpdir(), "sdtp-kv-"));
  const prompt = join(folder, "prompt.txt");
  writeFileSync(prompt, "The quick brown fox jumps over the lazy dog <b>&amp;</b>. ".repeat(3));
  after(() => {
    tiny.remove();
    rmSync(folder, { recursive: true, force: true });
  });
  const common = ["--model", tiny.folder, "--prompt-file", prompt, "--threads", "1", "--scorer", "norm"];

  test("kv --json: lengths, positions, verification, drift and tracking; --save and --html write files", async () => {
    const [page, saved] = [join(folder, "kv.html"), join(folder, "run.safetensors")];
    const { code, stdout, stderr } = await sdtp("kv", ...common, "--config", "sdtp-low", "--length", "60", "--track", "3", "--json", "--html", page, "--save", saved);
    assert.equal(code, 0, stderr);
    const result = JSON.parse(stdout);
    assert.equal(result.prompt_length, 60);
    assert.ok(result.verification.ok);
    const kept = result.stages.map(({ kept_positions }: { kept_positions: number[] }) => kept_positions.length);
    assert.deepEqual(kept, result.stages.map(({ keep }: { keep: number }) => keep));
    assert.equal(result.kv[2].length, kept.at(result.stages.at(-1).after_layer < 2 ? -1 : -2));
    assert.equal(result.kv_bytes, result.kv.reduce((sum: number, { bytes }: { bytes: number }) => sum + bytes, 0));
    assert.equal(result.drift.length, 3);
    assert.ok(result.tracking.steps.length >= 1 && result.tracking.steps.length <= 3);
    assert.match(readFileSync(page, "utf8"), /<!doctype html>[^]*Retention by layer and position[^]*Decode tracking/);
    const run = await loadRun(saved);
    assert.deepEqual(run.kv.lengths, result.kv.map(({ length }: { length: number }) => length));
  });

  test("kv in words", async () => {
    const { code, stdout } = await sdtp("kv", ...common, "--config", "keep07");
    assert.equal(code, 0);
    assert.match(stdout, /KV cache: .*keep07, norm, evict/);
    assert.match(stdout, /all that was checked holds[^]*✓ stages: 1 stage keeps the scheduled count: \d+ → \d+/);
  });

  test("tokens: the whole prompt, fallen tokens in brackets; --json one row a token", async () => {
    const text = readFileSync(prompt, "utf8");
    const { code, stdout, stderr } = await sdtp("tokens", ...common, "--config", "keep07");
    assert.equal(code, 0, stderr);
    const shown = stdout.slice(stdout.indexOf("\n") + 1);
    assert.match(shown, /\[0:[^\]]+\]/);
    const json = JSON.parse((await sdtp("tokens", ...common, "--config", "keep07", "--json")).stdout);
    assert.equal(json.tokens.map(({ text }: { text: string }) => text).join(""), shown.replace(/\[0:([^\]]*)\]/g, "$1").replace(/\n$/, ""));
    assert.ok(json.tokens.map(({ text }: { text: string }) => text).join("").includes(text.slice(0, 20)));
    assert.equal(json.tokens.filter(({ stage }: { stage: number | null }) => stage === null).length, Math.floor(0.7 * json.tokens.length));
  });

  test("tokens --html escapes the prompt", async () => {
    const page = join(folder, "tokens.html");
    await sdtp("tokens", ...common, "--html", page);
    const html = readFileSync(page, "utf8");
    assert.ok(html.includes("&lt;") && !html.includes("<b>&amp;</b>"));
  });

  test("caches in half precision and int8 are verified and counted as they are held", async () => {
    for (const [dtype, bytes] of [["fp16", 2 * 4 * 8 * 2], ["int8", 2 * 4 * (8 + 4)]] as const) {
      const { code, stdout, stderr } = await sdtp("kv", ...common, "--kv-dtype", dtype, "--json");
      assert.equal(code, 0, stderr);
      const { kv } = JSON.parse(stdout) as { kv: { length: number; bytes: number }[] };
      for (const row of kv) assert.equal(row.bytes, row.length * bytes);
    }
  });

  test("wrong usage is named", async () => {
    const missing = await sdtp("kv", "--model", tiny.folder, "--prompt-file", join(folder, "none.txt"));
    assert.equal(missing.code, 1);
    assert.match(missing.stderr, /prompt file: .*none\.txt \(no such file\)/);
    const binary = join(folder, "binary.txt");
    writeFileSync(binary, Buffer.from([0x61, 0xff, 0xfe]));
    assert.match((await sdtp("tokens", "--model", tiny.folder, "--prompt-file", binary)).stderr, /prompt file: .*binary\.txt \(is not UTF-8 text\)/);
    const at = join(binary, "run.safetensors");
    assert.match((await sdtp("kv", ...common, "--save", at)).stderr, /^sdtp: safetensors file: .*run\.safetensors \(cannot be written: (ENOTDIR|EEXIST)\)\n$/);
    assert.equal((await sdtp("kv", "--track", "x")).code, 2);
    assert.match((await sdtp("kv", ...common, "--length", "100000")).stderr, /prompt: .* has \d+ tokens \(length 100000 needs as many/);
  });
});
