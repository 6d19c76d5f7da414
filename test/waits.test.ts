import assert from "node:assert/strict";
import { it } from "node:test";
import { eventually, within } from "./waits.js";

it("a wait ends, and says what was awaited and what was there instead", async () => {
  let looks = 0;
  assert.equal(await eventually("the third look", () => ++looks >= 3 && "third"), "third");
  await assert.rejects(eventually("a door", () => false, { patience: 1, seen: () => ["a wall"] }), { message: 'a door: not within 0.001 s; instead: ["a wall"]' });
  await assert.rejects(eventually("a look that never ends", () => new Promise<boolean>(() => undefined), { patience: 1 }), { message: "a look that never ends: not within 0.001 s" });
  await assert.rejects(within("an answer", new Promise(() => undefined), { patience: 1, seen: () => Promise.reject(new Error("nobody there")) }), { message: "an answer: not within 0.001 s; instead: nobody there" });
  await assert.rejects(within("a failure", Promise.reject(new Error("as it was"))), { message: "as it was" });
});
