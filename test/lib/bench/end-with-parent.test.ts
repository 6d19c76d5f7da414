import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { test } from "node:test";
import { until } from "../cli/sdtp.js";

const module = new URL("../../../lib/bench/end-with-parent.js", import.meta.url).href;

/** A process that starts `child` as `isolate` does, says its id, and does nothing more. */
function parentOf(child: string): { parent: ChildProcess; child: Promise<number> } {
  const script = `
    const started = require("node:child_process").spawn(process.execPath, ["--input-type=module", "--eval", ${JSON.stringify(child)}], { stdio: ["ignore", "ignore", "inherit", "ipc"] });
    started.once("message", () => console.log(started.pid));
    setInterval(() => {}, 1000);`;
  const parent = spawn(process.execPath, ["--eval", script], { stdio: ["ignore", "pipe", "inherit"] });
  return { parent, child: new Promise((resolve) => parent.stdout!.setEncoding("utf8").once("data", (text: string) => resolve(Number(text)))) };
}

function lives(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

for (const [what, work] of [
  ["in the middle of a run, which blocks its event loop", "Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 60_000)"],
  ["while it waits", "setTimeout(() => {}, 60_000)"],
] as const) {
  test(`a process that measures ends when the one that started it is killed: ${what}`, async () => {
    const { parent, child } = parentOf(`
      import { endWithParent } from ${JSON.stringify(module)};
      endWithParent();
      process.send("ready", () => setTimeout(() => ${work}, 100));`);
    const pid = await child;
    await new Promise((resolve) => setTimeout(resolve, 300));
    assert.ok(lives(pid), "it ends before its parent does");
    parent.kill("SIGKILL");
    try {
      await until(() => !lives(pid), 10);
    } finally {
      if (lives(pid)) process.kill(pid, "SIGKILL");
    }
  });
}
