import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { root, Session } from "./session.js";

describe("the library stops when its cell is interrupted", () => {
  let session: Session;
  before(async () => {
    session = await Session.start();
    await session.value("const sleep = (ms: number) => new Promise<void>(done => setTimeout(done, ms)); sleep.length");
  });
  after(() => session.end());

  /** Milliseconds of CPU that the execution process uses in half a second when no cell runs. */
  const background = async () => {
    await session.value("await sleep(300)");
    return Number(await session.value("const used = process.cpuUsage(); await sleep(500); const { user, system } = process.cpuUsage(used); (user + system) / 1000"));
  };

  it("generate", async () => {
    await session.run("const model = await sdtp.load('tiny')");
    const { reply } = await session.interrupted(
      "console.log('started'); await sdtp.generate(model, Array.from({ length: 100 }, (_, i) => i + 10), { maxNewTokens: 10_000, fixedLength: true })",
      { delay: 300 },
    );
    assert.equal(reply.ename, "KeyboardInterrupt");
    const used = await background();
    assert.ok(used < 200, `${used} ms of CPU in 500 ms`);
  });

  it("a sweep in `for await`, and the process that measures for it", { skip: process.platform !== "linux" && "reads /proc" }, async () => {
    const pid = Number(await session.value("process.pid"));
    // Loaded apart: what it starts is interrupted, not the loading.
    await session.run(`const { sweep } = await import("${join(root, "dist/lib/bench/sweep/sweep.js")}")`);
    const running = session.run("let rows = 0; for await (const row of sweep({ configs: ['keep07'], lengths: [512], repeats: 10_000, folder: 'swept' })) rows++;");
    const deadline = Date.now() + 60_000;
    while (children(pid).length === 0 && Date.now() < deadline) await new Promise((resolve) => setTimeout(resolve, 50));
    assert.equal(children(pid).length, 1);
    await session.client.interrupt();
    assert.equal((await running).reply.ename, "KeyboardInterrupt");
    await new Promise((resolve) => setTimeout(resolve, 1000));
    assert.equal(await session.value("rows"), "0");
    assert.deepEqual(children(pid), []);
    // The folder is made with the first result.
    assert.equal(await session.value("require('node:fs').existsSync('swept/cells')"), "false");
  });
});

/** Processes of `pid` that measure; others, such as git, come and go. */
function children(pid: number): number[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((each) => {
      try {
        const isChild = Number(readFileSync(`/proc/${each}/stat`, "utf8").replace(/^.*\) . /, "").split(" ")[0]) === pid;
        return isChild && readFileSync(`/proc/${each}/cmdline`, "utf8").includes("worker.js");
      } catch {
        return false;
      }
    });
}
