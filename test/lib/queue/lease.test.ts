import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { parsePlacement, type Placement } from "../../../lib/bench/placement.js";
import { Machine } from "../../../lib/queue/lease.js";
import { temporaryFolder } from "../cli/sdtp.js";

const [cpu, first, second]: Placement[] = [{ name: "cpu", device: "cpu" }, parsePlacement("cuda:0"), parsePlacement("cuda:1")] as [Placement, Placement, Placement];

test("timed work is alone on its device and never beside quality work; quality work shares; a card leaves the others free", async (t) => {
  const machine = new Machine("m", temporaryFolder(t));
  const timed = await machine.hold("timed", first!);
  assert.equal(await machine.tryHold("timed", first!), null);
  assert.equal(await machine.tryHold("timed", cpu!), null);
  assert.equal(await machine.tryHold("quality", second!), null);
  const other = await machine.tryHold("timed", second!);
  assert.ok(other);
  timed.release();
  other.release();
  const quality = [await machine.tryHold("quality", cpu!), await machine.tryHold("quality", cpu!)];
  assert.ok(quality.every((lease) => lease !== null));
  assert.equal(await machine.tryHold("timed", first!), null);

  // Timed work that waits has its turn before more quality work.
  const waits = machine.hold("timed", cpu!);
  await new Promise((resolve) => setTimeout(resolve, 100));
  assert.equal(await machine.tryHold("quality", cpu!), null);
  for (const lease of quality) lease!.release();
  (await waits).release();
  const again = await machine.tryHold("quality", cpu!);
  assert.ok(again);
  again.release();
});

test("what a killed process held is free at once, and so is a lock that it left", async (t) => {
  const root = temporaryFolder(t);
  const url = (name: string) => new URL(`../../../lib/${name}.js`, import.meta.url).href;
  const child = spawn(process.execPath, ["--input-type=module", "-e", `import { Machine } from ${JSON.stringify(url("queue/lease"))}; await new Machine("m", ${JSON.stringify(root)}).hold("timed", { name: "cpu", device: "cpu" }); console.log("held"); setInterval(() => {}, 1000);`], { stdio: ["ignore", "pipe", "inherit"] });
  await new Promise((resolve) => child.stdout.once("data", resolve));
  const machine = new Machine("m", root);
  assert.equal(await machine.tryHold("timed", cpu!), null);
  const gone = new Promise((resolve) => child.once("exit", resolve));
  child.kill("SIGKILL");
  await gone;
  const lease = await machine.tryHold("timed", cpu!);
  assert.ok(lease);
  lease.release();
  // Another process with its number, and a file that was cut short, hold nothing.
  writeFileSync(join(root, "m", "1-0.json"), JSON.stringify({ pid: process.pid, started: "1", kind: "timed", placement: "cpu", waits: false }));
  writeFileSync(join(root, "m", "2-0.json"), `{"pid":`);
  mkdirSync(join(root, "m", "lock"));
  const after = await machine.hold("timed", cpu!);
  after.release();
});

test("two machines do not know of each other", async (t) => {
  const root = temporaryFolder(t);
  assert.ok(await new Machine("a", root).tryHold("timed", cpu!));
  assert.ok(await new Machine("b/../a", root).tryHold("timed", cpu!));
});
