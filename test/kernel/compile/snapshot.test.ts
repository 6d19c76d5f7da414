import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, afterEach, before, describe, it } from "node:test";
import { makeSnapshot, snapshotFile } from "../../../kernel/compile/snapshot/keep.js";
import { root, Session } from "../session.js";

const LINUX = { skip: process.platform !== "linux" && "reads /proc" };

/** The process that compiles for a kernel from a snapshot, if one does. */
function compilerOf({ kernel }: Session): number | undefined {
  const isIt = (pid: string) => {
    try {
      const parent = readFileSync(`/proc/${pid}/stat`, "utf8").replace(/^.*\) . /, "").split(" ")[0];
      return Number(parent) === kernel.pid && readFileSync(`/proc/${pid}/cmdline`, "utf8").includes("--snapshot-blob");
    } catch {
      return false;
    }
  };
  const pid = readdirSync("/proc").filter((name) => /^\d+$/.test(name)).find(isIt);
  return pid === undefined ? undefined : Number(pid);
}

describe("snapshot of the compiler", () => {
  const { SDTP_CACHE } = process.env;
  let cache: string;
  let session: Session | undefined;
  const start = async (files: Record<string, string> = {}) => (session = await Session.start({ env: { SDTP_CACHE: cache } }, files));

  before(async () => {
    cache = process.env.SDTP_CACHE = mkdtempSync(join(tmpdir(), "sdtp-snapshot-"));
    assert.equal(snapshotFile(root), undefined);
    const file = await makeSnapshot(root);
    assert.equal(snapshotFile(root), file);
    assert.equal(await makeSnapshot(root), file);
  });
  afterEach(async () => {
    await session?.end();
    session = undefined;
  });
  after(() => {
    if (SDTP_CACHE === undefined) delete process.env.SDTP_CACHE;
    else process.env.SDTP_CACHE = SDTP_CACHE;
    rmSync(cache, { recursive: true });
  });

  it("compiles cells of any folder as the compiler itself does", LINUX, async () => {
    const files = {
      "tsconfig.json": JSON.stringify({ compilerOptions: { strict: true, paths: { "own/*": ["./lib/*"] } } }),
      "local.ts": "export const local: { readonly here: string } = { here: 'beside the notebook' };",
    };
    await start(files);
    const { value, run } = { value: (code: string) => session!.value(code), run: (code: string) => session!.run(code) };
    assert.equal(await value('import { local } from "./local.ts"; local.here'), "'beside the notebook'");
    assert.equal(await value("[1, 2, 3].map((x) => x + 1)"), "[ 2, 3, 4 ]");
    assert.equal(await value("typeof sdtp.load + typeof dfd.DataFrame"), "'functionfunction'");
    assert.match(String((await run("const a: number = local.here")).reply.evalue), /Type 'string' is not assignable to type 'number'/);
    assert.match(String((await run("function any(x) { return x }")).reply.evalue), /implicitly has an 'any' type/);
    assert.match(String((await run("new Uint8Array(1).nothing")).reply.evalue), /'nothing' does not exist on type 'Uint8Array/);
    assert.ok((await session!.client.complete("process.vers")).matches.includes("versions"));
    assert.ok(compilerOf(session!), "it runs from the snapshot");
  });

  it("another compiler goes on where its process is killed", LINUX, async () => {
    await start();
    await session!.run("interface Point { x: number }\nconst point: Point = { x: 5 };");
    const pid = compilerOf(session!) as number;
    process.kill(pid, "SIGKILL");
    // A zombie until the kernel has seen it.
    while ([pid, undefined].includes(compilerOf(session!))) await new Promise((resolve) => setTimeout(resolve, 20));
    assert.equal(await session!.value("const next: Point = point; next.x"), "5");
    assert.match(String((await session!.run("point.y")).reply.evalue), /'y' does not exist on type 'Point'/);
  });

  it("a cell too deep for the stack of a process is compiled on that of a thread", LINUX, async () => {
    await start();
    await session!.run("const kept = 1");
    const depth = 4000;
    assert.equal(await session!.value(`type Deep = ${"(".repeat(depth)}number${")".repeat(depth)}; const deep: Deep = kept; deep`), "1");
    assert.equal(compilerOf(session!), undefined);
    assert.equal(await session!.value("kept + 1"), "2");
  });

  it("a damaged one is done without", LINUX, async () => {
    const file = snapshotFile(root) as string;
    const whole = readFileSync(file);
    for (const damaged of [whole.subarray(0, 1_000_000), Buffer.alloc(1000), Buffer.concat([whole.subarray(0, 20_000_000), Buffer.alloc(1_000_000), whole.subarray(21_000_000)])]) {
      writeFileSync(file, damaged);
      await start();
      assert.equal(await session!.value("const a = 20; a + 22"), "42");
      await session!.end();
      session = undefined;
    }
    writeFileSync(file, whole);
  });

  it("leaves nothing where its making is ended", async () => {
    const empty = (process.env.SDTP_CACHE = mkdtempSync(join(tmpdir(), "sdtp-snapshot-")));
    await assert.rejects(makeSnapshot(root, AbortSignal.timeout(1000)), /abort/i);
    assert.deepEqual(readdirSync(empty), []);
    rmSync(empty, { recursive: true });
    process.env.SDTP_CACHE = cache;
  });
});
