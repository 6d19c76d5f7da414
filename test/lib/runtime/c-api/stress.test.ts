// The short form of `npm run test:stress`.
import assert from "node:assert/strict";
import { test } from "node:test";
import { stress, stressInWorker } from "./stress.js";

test("under forced garbage collection, with runs stopped and sessions released or forgotten in the middle, every number is right: here and in worker threads", async () => {
  for (const { runs, wrong, stopped, sessions } of await Promise.all([stress(300, 1), stressInWorker(300, 2), stressInWorker(300, 3)])) {
    assert.ok(runs >= 300 && stopped >= 7 && sessions > 4, JSON.stringify({ runs, stopped, sessions }));
    assert.equal(wrong, 0);
  }
});
