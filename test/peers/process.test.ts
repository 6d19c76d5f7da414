import assert from "node:assert/strict";
import { writeFileSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { pathToFileURL } from "node:url";
import type { Prompt } from "../../lib/bench/prompt.js";
import { source } from "./environments.js";
import { rows } from "./peers.js";
import type { Settings } from "./samples.js";
import { visit } from "./visit.js";

const folder = mkdtempSync(join(tmpdir(), "sdtp-peers-"));
after(() => rmSync(folder, { recursive: true, force: true }));
const settings: Settings = { schema_version: 1, threads: 2, new_tokens: 5, cpu: { model: "a processor", cores: 2 }, memory_bytes: 2 ** 34 };
// SHA-256 of "[1,2,3]".
const prompt: Prompt = { source: "three ids", ids: [1, 2, 3], hash: "a615eeaee21de5179de080de8c3052c8da901138406ba71c38c032845f7d54f4" };

/** Visits a peer whose run is `body`, of `ids`, `newTokens` and `onToken`. */
async function visited(body: string, { timeout = 300, signal = new AbortController().signal } = {}) {
  const driver = join(folder, `${Math.random()}.mjs`);
  writeFileSync(driver, `import { serve } from ${JSON.stringify(pathToFileURL(source("drivers", "peer.mjs")).href)};
console.log("what a library prints");
let runs = 0;
await serve({ load: async ({ threads, maxTokens }) => ({ versions: { peer: "1" }, settings: { threads, maxTokens } }), run: async (ids, newTokens, onToken) => { runs++; ${body} } });`);
  return visit({ model: "smollm2", length: 3, row: rows[0]!, round: 1 }, { start: { command: process.execPath, args: [driver] }, path: driver, prompt, settings, commit: null, timeout, signal });
}

test("a_sample_is_of_the_second_run_of_a_process_of_its_own", async () => {
  const sample = await visited("for (let i = 0; i <= newTokens; i++) onToken(100 * runs + 10 * ids[0] + i); return ids;");
  // The run before it was of the ids from back to front: [3, 2, 1].
  assert.deepEqual(sample.tokens, [210, 211, 212, 213, 214, 215]);
  assert.equal(sample.decode_seconds.length, 5);
  assert.ok(sample.prefill_seconds >= 0 && sample.start_to_first_token_seconds > sample.prefill_seconds);
  assert.deepEqual(sample.settings, { threads: 2, maxTokens: 8 });
  assert.equal(sample.prompt_sha256, prompt.hash);
  if (process.platform === "linux") assert.ok(sample.peak_memory_bytes! > 1e7);
});

test("the_largest_memory_of_the_process_counts_though_it_was_given_back", { skip: process.platform !== "linux" }, async () => {
  const held = await visited("let held = Buffer.alloc(3e8, 1); for (let i = 0; i <= newTokens; i++) onToken(held[i]); held = null; return ids;");
  assert.ok(held.peak_memory_bytes! > 3e8);
});

test("a_peer_that_was_fed_other_tokens_is_refused", async () => {
  await assert.rejects(visited("for (let i = 0; i <= newTokens; i++) onToken(i); return ids.slice(1);"), /was fed other tokens than the 3 given/);
  await assert.rejects(visited("for (let i = 0; i <= newTokens; i++) onToken(i); return [3, 2, 1];"), /was fed other tokens than the 3 given/);
});

test("a_peer_that_stops_early_fails_crashes_or_ends_says_why", async () => {
  await assert.rejects(visited("onToken(1); return ids;"), /1 tokens came \(asked for 9\)/);
  await assert.rejects(visited("throw new Error('no such operator');"), /^Error: no such operator$/);
  await assert.rejects(visited("process.abort();"), /ended with SIGABRT/);
  await assert.rejects(visited("console.error('RuntimeError: out of memory'); process.exit(3);"), /ended with code 3: RuntimeError: out of memory/);
});

test("a_peer_that_takes_too_long_or_is_interrupted_is_ended", async () => {
  await assert.rejects(visited("for (;;);", { timeout: 1 }), /not done in 1 s/);
  const controller = new AbortController();
  const waiting = visited("for (;;);", { signal: controller.signal });
  controller.abort();
  await assert.rejects(waiting, { name: "AbortError" });
});
