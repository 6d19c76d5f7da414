import assert from "node:assert/strict";
import { readFileSync, readdirSync } from "node:fs";
import { describe, it } from "node:test";
import { Session } from "./session.js";

/** By then V8 has optimised what it will, and collected garbage as it does from then on. */
const WARM_UP = 700;
const CELLS = 1000;
const LIMIT = 50;

/** Resident memory of a process and its descendants, in MiB. */
function residentMemory(pid: number): number {
  const parents = readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .flatMap((name) => {
      try {
        return [[Number(name), Number(readFileSync(`/proc/${name}/stat`, "utf8").replace(/^.*\) . /, "").split(" ")[0])] as const];
      } catch {
        return [];
      }
    });
  const family = [pid];
  for (const member of family) family.push(...parents.filter(([, parent]) => parent === member).map(([child]) => child));
  const pages = family.map((member) => Number(readFileSync(`/proc/${member}/statm`, "utf8").split(" ")[1]));
  return (pages.reduce((sum, each) => sum + each, 0) * 4096) / 2 ** 20;
}

describe("memory", () => {
  it(`stays flat within ${LIMIT} MiB over ${CELLS} cells that declare the same names`, { skip: process.platform !== "linux" && "reads /proc", timeout: 1_200_000 }, async () => {
    const session = await Session.start();
    const samples: number[] = [];
    for (let i = 0; i < WARM_UP + CELLS; i++) {
      const { reply } = await session.run(
        `const table = Array.from({ length: 1000 }, (_, j) => ({ j, text: "row " + j }));\nfunction total(rows: typeof table): number { return rows.reduce((sum, row) => sum + row.j, ${i}) }\nclass Holder { value = total(table) }\nconst holder = new Holder();\nholder.value`,
      );
      assert.equal(reply.status, "ok");
      if (i >= WARM_UP && i % 50 === 0) samples.push(residentMemory(session.kernel.pid as number));
    }
    await session.end();
    // Garbage comes and goes: the lowest of the first and of the last samples tell what stays.
    const quarter = Math.floor(samples.length / 4);
    const growth = Math.min(...samples.slice(-quarter)) - Math.min(...samples.slice(0, quarter));
    assert.ok(growth <= LIMIT, `grew by ${growth.toFixed(1)} MiB: ${samples.map((each) => each.toFixed(0)).join(" ")}`);
  });
});
