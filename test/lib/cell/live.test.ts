import assert from "node:assert/strict";
import { test } from "node:test";
import { live, withProgress } from "../../../lib/cell/live.js";
import { until } from "../cli/sdtp.js";
import { fakeNotebook } from "./fake-notebook.js";

test("outside of a notebook, and where it is not wanted, nothing shows", (t) => {
  assert.equal(live(), undefined);
  const displays = fakeNotebook(t);
  assert.equal(live(false), undefined);
  assert.equal(displays.length, 0);
});

test("a bar moves, what was found stands under it, and a line is left of it in the end", async (t) => {
  const displays = fakeNotebook(t);
  const found = await withProgress(undefined, { done: (count: number) => `${count} found` }, async (output) => {
    output!.show({ html: "<table></table>", text: "a table" });
    output!.update(0.5, "half <done>", 90);
    // Not at once, as it was shown just now; but though nothing follows.
    await until(() => displays[0]!.states.some((state) => state["text/plain"]!.includes("50 %")));
    return 7;
  });
  assert.equal(found, 7);
  const { states } = displays[0]!;
  assert.match(states[0]!["text/plain"]!, /^░{30} 0 %, 0:00$/);
  const half = states.find((state) => state["text/plain"]!.includes("50 %"))!;
  assert.match(half["text/plain"]!, /^█{15}░{15} 50 %, 0:00, about 1:30 left: half <done>\na table$/);
  assert.match(half["text/html"]!, /<progress value="0\.5000" .*half &lt;done&gt;<\/div><table><\/table>$/);
  assert.equal(states.at(-1)!["text/plain"], "7 found (0:00)\na table");
  assert.doesNotMatch(states.at(-1)!["text/html"]!, /<progress/);
});

test("work that throws leaves a line that says so, and the error goes on", async (t) => {
  const displays = fakeNotebook(t);
  const work = (stopped?: string) => withProgress(true, { done: () => "done", ...(stopped && { stopped }) }, () => Promise.reject(new Error("no")));
  await assert.rejects(work(), /^Error: no$/);
  await assert.rejects(work("stopped; kept"), /^Error: no$/);
  assert.deepEqual(displays.map(({ states }) => states.at(-1)!["text/plain"]), ["stopped (0:00)", "stopped; kept (0:00)"]);
});
