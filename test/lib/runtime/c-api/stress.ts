// Runs under forced garbage collection: many at once, of arrays that nobody else holds, some stopped, sessions released in the middle.
// As a command: `npm run test:stress` (10,000 runs in the main thread and in each of two worker threads); a short form is in stress.test.ts.
import { isMainThread, parentPort, Worker, workerData } from "node:worker_threads";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { fileURLToPath } from "node:url";
import { openLibrary } from "../../../../lib/runtime/c-api/library.js";
import { CApiSession } from "../../../../lib/runtime/c-api/session.js";
import { Random } from "../../../../lib/random.js";
import { addAndPick, count, counting, float32, FOREVER, int64 } from "./graphs.js";

export interface Stressed {
  readonly runs: number;
  readonly wrong: number;
  readonly stopped: number;
  readonly sessions: number;
}

/** @param runs to make in this thread @param seed of sizes and choices */
export async function stress(runs: number, seed: number): Promise<Stressed> {
  setFlagsFromString("--expose-gc");
  const collect = runInNewContext("gc") as () => void;
  const library = await openLibrary();
  const random = new Random(seed);
  const under = (most: number) => random.int(most);
  const [adding, endless] = [addAndPick(), counting()];
  const open = (onnx: Uint8Array) => CApiSession.open(library, onnx.slice(), { threads: 1 + under(2) });
  let [session, counter] = [await open(adding), await open(endless)];
  const result = { runs: 0, wrong: 0, stopped: 0, sessions: 2 };
  let junk: unknown[] = [];

  const one = async (on: CApiSession, start: number) => {
    // On the heap of V8, off it, and empty ones; nobody but the session holds these arrays.
    const [n, d, m] = [[1, 3, 40, 2000][under(4)]!, 1 + under(8), under(5)];
    const rows = Array.from({ length: m }, () => under(n));
    const { y, picked, "rows.again": again } = await on.run({ x: float32(Array.from({ length: n * d }, (_, i) => start + i), [n, d]), rows: int64(rows, [m]) });
    const right = (y!.data as Float32Array).every((value, i) => value === start + i + 1) && y!.size === n * d
      && (picked!.data as Float32Array).every((value, i) => value === start + rows[Math.floor(i / d)]! * d + (i % d)) && picked!.size === m * d
      && (again!.data as BigInt64Array).every((value, i) => Number(value) === rows[i]) && again!.size === m;
    result.runs++;
    if (!right) result.wrong++;
  };

  for (let round = 0; result.runs < runs; round++) {
    const started = Array.from({ length: 4 }, () => one(session, under(1000)));
    if (round % 10 === 0) {
      const controller = new AbortController();
      const stopped = counter.run(count(FOREVER), ["end"], { signal: controller.signal }).then(() => result.wrong++, () => result.stopped++);
      setTimeout(() => controller.abort(), under(3));
      started.push(stopped as Promise<never>);
    }
    if (round % 25 === 0) {
      const [old, before] = [session, counter];
      [session, counter] = [await open(adding), await open(endless)];
      result.sessions += 2;
      // Some are released in the middle of their runs, others forgotten.
      if (under(2) === 0) started.push(old.release() as Promise<never>, before.release() as Promise<never>);
    }
    if (round % 5 === 0) collect();
    // What was freed is written over at once.
    junk = Array.from({ length: 40 }, (_, i) => new Float32Array(1 + ((i * 37) % 3000)).fill(-7));
    await Promise.all(started);
    if (round % 5 === 0) collect();
  }
  if (junk.length === 0) throw new Error("unreachable");
  await Promise.all([session.release(), counter.release()]);
  return result;
}

/** As `stress`, in a worker thread. */
export function stressInWorker(runs: number, seed: number): Promise<Stressed> {
  return new Promise((resolve, reject) => {
    const worker = new Worker(fileURLToPath(import.meta.url), { workerData: { runs, seed } });
    worker.once("message", resolve);
    worker.once("error", reject);
    worker.once("exit", (code) => reject(new Error(`the thread ended with ${code}`)));
  });
}

const asked = workerData as { runs: number; seed: number } | null;
if (!isMainThread && asked?.runs) parentPort!.postMessage(await stress(asked.runs, asked.seed));
else if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const runs = Number(process.argv[2] ?? 10_000);
  const started = performance.now();
  const all = await Promise.all([stress(runs, 1), stressInWorker(runs, 2), stressInWorker(runs, 3)]);
  const again = { rss_mib: Math.round(process.memoryUsage.rss() / 2 ** 20) };
  console.log(JSON.stringify({ node: process.versions.node, platform: `${process.platform} ${process.arch}`, seconds: Math.round((performance.now() - started) / 1e3), threads: all, ...again }));
  if (all.some(({ wrong }) => wrong > 0)) process.exitCode = 1;
}
