import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { tinyCheckpoint } from "../../reference/checkpoints.js";
import { temporaryFolder } from "../cli/sdtp.js";
import { noServer, quick, redisServer, rowNames, running, swept, worker } from "./server.js";

test("a worker whose network is cut loses its job to another, and goes on when the network is back: every row once", { skip: noServer || noNamespaces() }, async (t) => {
  const cwd = temporaryFolder(t);
  const { folder, remove } = tinyCheckpoint("llama");
  t.after(remove);
  const { port } = await redisServer(t, cwd, "--bind", "0.0.0.0", "--protected-mode", "no");
  const far = farMachine(t);
  const sweep = (...more: string[]) => running(t, cwd, quick(folder, "--lengths", "30", "50", "--folder", "s", "--queue", `redis://127.0.0.1:${port}`, ...more));
  const follows = sweep("--repeats", "40");
  const cut = worker(t, cwd, `redis://${far.host}:${port}`, "far", ["--models", folder], { within: far.within });
  await cut.says(/takes: /);
  // Everything is dropped from now on, and nobody is told.
  far.cut();
  const near = worker(t, cwd, `redis://127.0.0.1:${port}`, "near", ["--models", folder]);
  const { rows } = await swept(follows);
  assert.deepEqual(rows.map(({ machine, error }) => [machine, error]), Array(4).fill(["near", null]));
  assert.deepEqual(rowNames(join(cwd, "s")), ["30 baseline", "30 keep07", "50 baseline", "50 keep07"]);
  await cut.says(/is away .*waiting for it/);
  near.child.kill("SIGINT");
  await near.ended;
  far.heal();
  await cut.says(/is back/);
  const again = await swept(sweep("--repeats", "2"));
  assert.deepEqual(again.rows.map(({ machine }) => machine), Array(4).fill("far"));
});

/** A network of its own, joined to this one by a cable that can be cut. */
function farMachine(t: TestContext) {
  const id = `sdtp${process.pid % 10000}`;
  const subnet = `10.${200 + (process.pid % 50)}.${(process.pid >> 6) % 250}`;
  const ip = (...words: string[]) => execFileSync("ip", words, { stdio: ["ignore", "ignore", "pipe"] });
  ip("netns", "add", id);
  t.after(() => ip("netns", "del", id));
  ip("link", "add", `${id}a`, "type", "veth", "peer", "name", `${id}b`, "netns", id);
  ip("addr", "add", `${subnet}.1/24`, "dev", `${id}a`);
  ip("link", "set", `${id}a`, "up");
  ip("-n", id, "addr", "add", `${subnet}.2/24`, "dev", `${id}b`);
  ip("-n", id, "link", "set", `${id}b`, "up");
  ip("-n", id, "link", "set", "lo", "up");
  return { host: `${subnet}.1`, within: ["ip", "netns", "exec", id], cut: () => ip("link", "set", `${id}a`, "down"), heal: () => ip("link", "set", `${id}a`, "up") };
}

function noNamespaces(): string | false {
  const id = `sdtp-try-${process.pid}`;
  try {
    execFileSync("ip", ["netns", "add", id], { stdio: "ignore" });
    execFileSync("ip", ["netns", "exec", id, "true"], { stdio: "ignore" });
    execFileSync("ip", ["netns", "del", id], { stdio: "ignore" });
    return false;
  } catch {
    return "needs root, ip (apt-get install iproute2) and leave to make network namespaces";
  }
}
