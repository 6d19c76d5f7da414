// How a sweep grows with its workers: `node results/published/queue/growth.mjs [WORKERS...]`, after a build and with redis-server.
// Real jobs go through a real server to real workers, each with a machine name and connections of its own; only the measuring is
// replaced by waiting as long as it took in results/published/main-job, scaled down. Writes growth.json beside this file, and what README.md says of it.
import { spawn } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { cpus, loadavg, tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { connect } from "../../../dist/lib/queue/connection.js";
import { Following } from "../../../dist/lib/queue/follow.js";
import { work } from "../../../dist/lib/queue/worker.js";

const here = dirname(fileURLToPath(import.meta.url));
const counts = process.argv.slice(2).map(Number).filter((count) => count > 0);
const workers = counts.length > 0 ? counts : [1, 2, 4, 8, 16, 32, 64];
/** Jobs for each worker, and at least. */
const [EACH, LEAST] = [4, 16];
/** Mean length of a simulated job, in seconds. */
const MEAN = 1.5;

/** Seconds of each cell of the published run: all runs of all configurations at one length. */
function measuredTimes() {
  const folder = join(here, "..", "main-job");
  const seconds = new Map();
  for (const name of readdirSync(folder).filter((file) => file.endsWith(".json"))) {
    const { metadata, results } = JSON.parse(readFileSync(join(folder, name), "utf8"));
    for (const [length, entry] of Object.entries(results)) {
      const { samples } = entry.sdtp ?? entry.baseline;
      const runs = samples.prefill_seconds.map((prefill, i) => prefill + samples.decode_seconds[i]);
      const mean = runs.reduce((a, b) => a + b, 0) / runs.length;
      seconds.set(length, (seconds.get(length) ?? 0) + (runs.length + metadata.warmup) * mean);
    }
  }
  return seconds;
}

const times = [...measuredTimes().values()];
const scale = MEAN / (times.reduce((a, b) => a + b, 0) / times.length);
/** A result as large as a published cell's. */
const result = { rows: readdirSync(join(here, "..", "main-job")).filter((file) => file.endsWith(".json")).map((file) => Object.values(JSON.parse(readFileSync(join(here, "..", "main-job", file), "utf8")).results)[0]) };

/** Seconds that the jobs take with so many workers where nothing else takes any time: each goes to the first that is free. */
function ideal(lengths, count) {
  const free = Array(count).fill(0);
  for (const seconds of lengths) {
    const first = free.indexOf(Math.min(...free));
    free[first] += seconds;
  }
  return Math.max(...free);
}

/** The page beside this file with this record's figures. */
function described(page, { rows, result_bytes: bytes, published_job_seconds: seconds }) {
  const line = ({ workers, jobs, speedup, ideal_speedup: ideal, overhead_milliseconds: { p50, p95 }, empty_cpu_milliseconds_per_job: { server, clients } }) =>
    `| ${workers} | ${jobs} | ${speedup.toFixed(1)} | ${ideal.toFixed(1)} | ${p50.toFixed(0)} | ${p95.toFixed(0)} | ${server.toFixed(1)} | ${clients.toFixed(1)} |`;
  const table = page.replace(/(\n\|[-|]+\|\n)(?:\| \d.*\n)+/, (_, rule) => `${rule}${rows.map(line).join("\n")}\n`);
  const missed = rows.filter(({ overhead_milliseconds: { p50 } }) => p50 >= 20);
  const counts = (list) => list.map(({ workers }) => workers).join(", ");
  const server = rows.map((row) => row.empty_cpu_milliseconds_per_job.server);
  const both = rows.map((row) => row.empty_cpu_milliseconds_per_job.server + row.empty_cpu_milliseconds_per_job.clients);
  const most = 1e3 / Math.max(...server);
  const mean = seconds.reduce((a, b) => a + b, 0) / seconds.length;
  const held = rows.filter((row) => !missed.includes(row));
  const said = [
    `Of the time between two jobs, the processor time of all that take part, on jobs that do nothing, is ${Math.min(...both).toFixed(0)} to ${Math.max(...both).toFixed(0)} ms a job, of which the server's ${Math.min(...server).toFixed(1)} to ${Math.max(...server).toFixed(1)}; the rest is waiting for a core of this machine.`,
    `The goal, less than 20 ms in the median, ${missed.length === 0 ? "holds for all of them" : `holds with ${counts(held) || "no number of"} workers, and is missed with ${missed.map(({ workers, overhead_milliseconds: { p50 } }) => `${workers} (${p50.toFixed(0)} ms)`).join(", ")}`}: they share these two cores with the server and the coordinator, and on machines of their own would wait for the server alone.`,
    `A server that runs on one core takes some ${(Math.floor(most / 10) * 10).toFixed(0)} such jobs a second (results of ${(bytes / 1e3).toFixed(0)} kB before they are packed): at the ${mean.toFixed(1)} s that the published cells take on average, that is more workers than ${(Math.floor((most * mean) / 1000) * 1000).toFixed(0)}. Jobs of a tenth of a second would reach it with about ${(most / 10).toFixed(0)}.`,
  ].join("\n");
  return table.replace(/<!-- by growth\.mjs -->[^]*<!-- -->/, `<!-- by growth.mjs -->\n${said}\n<!-- -->`);
}

/** Processor seconds that the server has used. */
async function serverCpu(redis) {
  const info = await redis.info("cpu");
  return ["used_cpu_sys", "used_cpu_user"].reduce((sum, name) => sum + Number(new RegExp(`^${name}:([\\d.]+)`, "m").exec(info)[1]), 0);
}

async function simulate(url, count, lengths) {
  const prefix = `growth-${count}-${lengths.length}-${lengths[0] > 0 ? "timed" : "empty"}`;
  const connection = await connect(url);
  const stop = new AbortController();
  const [ends, gaps] = [new Map(), []];
  let [first, last, ended] = [Infinity, 0, 0];
  const doJob = async (_, job, { machine }) => {
    const now = performance.now();
    first = Math.min(first, now);
    if (ends.has(machine)) gaps.push(now - ends.get(machine));
    if (job.data.seconds > 0) await new Promise((resolve) => setTimeout(resolve, 1e3 * job.data.seconds));
    last = performance.now();
    ends.set(machine, last);
    return { result };
  };
  const serverBefore = await serverCpu(connection.redis);
  const clientBefore = process.cpuUsage();
  const following = new Following(connection, prefix, { retryFailed: false, workerCommand: "", onEnd: async () => void ended++ });
  await following.file(lengths.map((seconds, i) => ({ id: `job${i}`, kind: "timed", device: "cpu", data: { label: `job ${i}`, seconds } })));
  const running = Promise.all(Array.from({ length: count }, (_, i) => work({ url, queueName: prefix, folder: tmpdir(), machine: `simulated-${process.pid}-${i}`, doJob, pollMilliseconds: 100, signal: stop.signal })));
  await following.follow(undefined);
  const { user, system } = process.cpuUsage(clientBefore);
  const cpu = { server: (1e3 * ((await serverCpu(connection.redis)) - serverBefore)) / lengths.length, clients: (user + system) / 1e3 / lengths.length };
  stop.abort();
  await running;
  await following.close();
  await connection.close();
  if (ended !== lengths.length) throw new Error(`jobs: ${ended} ended of ${lengths.length}`);
  gaps.sort((a, b) => a - b);
  const quantile = (share) => gaps[Math.min(gaps.length - 1, Math.floor(share * gaps.length))] ?? null;
  return { seconds: (last - first) / 1e3, overhead: { p50: quantile(0.5), p95: quantile(0.95) }, cpu };
}

const folder = mkdtempSync(join(tmpdir(), "growth-"));
const port = 7300 + (process.pid % 500);
const server = spawn("redis-server", ["--port", String(port), "--save", "", "--appendonly", "yes", "--dir", folder], { stdio: ["ignore", "pipe", "inherit"] });
await new Promise((resolve, reject) => {
  server.once("error", reject);
  server.stdout.on("data", (text) => String(text).includes("Ready to accept") && resolve());
});
try {
  const url = `redis://127.0.0.1:${port}`;
  const before = loadavg()[0];
  const rows = [];
  for (const count of workers) {
    const lengths = Array.from({ length: Math.max(LEAST, EACH * count) }, (_, i) => times[i % times.length] * scale);
    const { seconds, overhead } = await simulate(url, count, lengths);
    const alone = lengths.reduce((a, b) => a + b, 0);
    const empty = await simulate(url, count, Array(Math.max(100, 8 * count)).fill(0));
    rows.push({
      workers: count, jobs: lengths.length, seconds, speedup: alone / seconds, ideal_speedup: alone / ideal(lengths, count),
      overhead_milliseconds: overhead, empty_jobs_per_second: Math.max(100, 8 * count) / empty.seconds, empty_overhead_milliseconds: empty.overhead, empty_cpu_milliseconds_per_job: empty.cpu,
    });
    console.log(rows.at(-1));
  }
  const record = {
    schema_version: 1, time: new Date().toISOString(), mean_job_seconds: MEAN, published_job_seconds: times, result_bytes: JSON.stringify(result).length,
    cpu: { model: cpus()[0].model.trim(), cores: cpus().length }, load: [before, loadavg()[0]], node: process.versions.node, rows,
  };
  writeFileSync(join(here, "growth.json"), `${JSON.stringify(record, null, 2)}\n`);
  const readme = join(here, "README.md");
  writeFileSync(readme, described(readFileSync(readme, "utf8"), record));
} finally {
  server.kill();
  rmSync(folder, { recursive: true, force: true });
}
