// Time and memory of an export to HTML beside nbconvert's, alternating, on a notebook of 30 MB that it makes:
// node results/published/export/compare.mjs JUPYTER-NBCONVERT [RUNS] > results/published/export/export.json
// Linux only: memory is the process's own high-water mark.
import { spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { cpus, tmpdir } from "node:os";
import { join } from "node:path";
import { deflateSync, crc32 } from "node:zlib";

const [nbconvert, runs = "7"] = process.argv.slice(2);
if (!nbconvert) throw new Error("nbconvert: missing (the path of jupyter-nbconvert, such as venv/bin/jupyter-nbconvert)");
const folder = mkdtempSync(join(tmpdir(), "sdtp-export-bench-"));

/** A PNG of noise, which does not compress. */
function noise(width, height) {
  const chunk = (type, data) => {
    const [length, sum] = [Buffer.alloc(4), Buffer.alloc(4)];
    length.writeUInt32BE(data.length);
    sum.writeUInt32BE(crc32(Buffer.concat([Buffer.from(type), data])));
    return Buffer.concat([length, Buffer.from(type), data, sum]);
  };
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  header.set([8, 2, 0, 0, 0], 8);
  const rows = Buffer.concat(Array.from({ length: height }, () => Buffer.concat([Buffer.from([0]), randomBytes(3 * width)])));
  return Buffer.concat([Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]), chunk("IHDR", header), chunk("IDAT", deflateSync(rows, { level: 1 })), chunk("IEND", Buffer.alloc(0))]);
}

/** Runs a program to its end. @returns seconds, those of the processor, and the peak of its resident memory in MiB */
async function measured(program, args) {
  const start = performance.now();
  const child = spawn(program, args, { stdio: ["ignore", "ignore", "pipe"], cwd: folder });
  let [peak, processor, errors] = [0, 0, ""];
  child.stderr.on("data", (data) => (errors += data));
  const watch = setInterval(() => {
    try {
      peak = Math.max(peak, Number(/VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${child.pid}/status`, "utf8"))?.[1] ?? 0) / 1024);
      // utime and stime in hundredths of a second, the 14th and 15th field; the second one is a name in brackets.
      const fields = readFileSync(`/proc/${child.pid}/stat`, "utf8").replace(/^.*\) /, "").split(" ");
      processor = (Number(fields[11]) + Number(fields[12])) / 100;
    } catch {}
  }, 10);
  const code = await new Promise((resolve) => child.on("close", resolve));
  clearInterval(watch);
  if (code !== 0) throw new Error(`${program}: exit code ${code}\n${errors}`);
  return { seconds: (performance.now() - start) / 1000, processorSeconds: processor, mebibytes: peak };
}

const version = (program, args) => new Promise((resolve) => {
  let text = "";
  const child = spawn(program, args, { stdio: ["ignore", "pipe", "ignore"] });
  child.stdout.on("data", (data) => (text += data));
  child.on("close", () => resolve(text.trim()));
});
const median = (values) => [...values].sort((a, b) => a - b)[values.length >> 1];

try {
  const cells = Array.from({ length: 8 }, (_, i) => [
    { cell_type: "markdown", id: `m${i}`, metadata: {}, source: `## Picture ${i}\n\nText with $x_${i}$.` },
    { cell_type: "code", id: `c${i}`, metadata: {}, execution_count: i + 1, source: `show(${i})`, outputs: [{ output_type: "display_data", metadata: {}, data: { "image/png": noise(1000, 940).toString("base64"), "text/plain": "a picture" } }] },
  ]).flat();
  const file = join(folder, "big.ipynb");
  writeFileSync(file, JSON.stringify({ nbformat: 4, nbformat_minor: 5, metadata: { kernelspec: { name: "python3", display_name: "Python 3", language: "python" }, language_info: { name: "python" } }, cells }));
  const ours = [process.execPath, [new URL("../../../lib/cli/sdtp.mjs", import.meta.url).pathname, "export", file, "-o", join(folder, "ours.html")]];
  const theirs = [nbconvert, ["--to", "html", file, "--output", join(folder, "theirs.html"), "--log-level", "ERROR"]];
  for (const each of [ours, theirs]) await measured(...each);
  const rows = [];
  for (let run = 0; run < Number(runs); run++) rows.push({ sdtp: await measured(...ours), nbconvert: await measured(...theirs) });
  const ratios = (what) => rows.map((row) => row.sdtp[what] / row.nbconvert[what]);
  const round = (value) => Number(value.toFixed(3));
  const result = {
    notebook: { bytes: statSync(file).size, pictures: 8 },
    pages: { sdtp: statSync(join(folder, "ours.html")).size, nbconvert: statSync(join(folder, "theirs.html")).size },
    versions: { node: process.version, nbconvert: await version(nbconvert, ["--version"]) },
    machine: `${cpus().length} x ${cpus()[0].model}`,
    medians: Object.fromEntries(["sdtp", "nbconvert"].map((name) => [name, { seconds: round(median(rows.map((row) => row[name].seconds))), processorSeconds: round(median(rows.map((row) => row[name].processorSeconds))), mebibytes: round(median(rows.map((row) => row[name].mebibytes))) }])),
    ratios: { seconds: round(median(ratios("seconds"))), processorSeconds: round(median(ratios("processorSeconds"))), mebibytes: round(median(ratios("mebibytes"))) },
    rows,
  };
  process.stdout.write(`${JSON.stringify(result, null, 1)}\n`);
} finally {
  rmSync(folder, { recursive: true, force: true });
}
