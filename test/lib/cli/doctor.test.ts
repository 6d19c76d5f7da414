import assert from "node:assert/strict";
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { sdtp, temporaryFolder } from "./sdtp.js";

interface Report {
  ok: boolean;
  problems: number;
  [section: string]: unknown;
}

const find = (report: Report, section: string, what: string) => (report[section] as { what: string; state: string; says: string; todo?: string; data?: Record<string, unknown> }[]).find((finding) => finding.what === what)!;

test("doctor says what works, what does not and what to do, and exits with 1 where something that is there does not work", async (t) => {
  const cwd = temporaryFolder(t);
  const before = { ...process.env };
  Object.assign(process.env, { JUPYTER_DATA_DIR: join(cwd, "jupyter"), VK_DRIVER_FILES: join(cwd, "gone.json"), VK_ICD_FILENAMES: join(cwd, "gone.json") });
  t.after(() => {
    for (const name of ["JUPYTER_DATA_DIR", "VK_DRIVER_FILES", "VK_ICD_FILENAMES"]) {
      if (before[name] === undefined) delete process.env[name];
      else process.env[name] = before[name];
    }
  });
  assert.equal((await sdtp(cwd, "kernel", "install")).code, 0);
  const kernel = join(cwd, "jupyter", "kernels", "broken");
  mkdirSync(kernel, { recursive: true });
  writeFileSync(join(kernel, "kernel.json"), JSON.stringify({ argv: [process.execPath, "-e", "throw new Error('no such luck')"], display_name: "broken", language: "typescript", metadata: { sdtp: {} } }));

  const { code, stdout } = await sdtp(cwd, "doctor", "--json");
  assert.equal(code, 1);
  const report = JSON.parse(stdout) as Report;
  assert.equal(report.ok, false);
  const works = find(report, "kernels", "kernel sdtp");
  assert.equal(works.state, "ok", works.says);
  assert.match(works.says, /starts and answers in \d/);
  const broken = find(report, "kernels", "kernel broken");
  assert.equal(broken.state, "problem");
  assert.match(broken.says, /does not start: .*no such luck/);
  assert.equal(broken.todo, "npx sdtp kernel install --name broken");
  for (const [what, unit] of [["memory bandwidth", "bytes_per_second"], ["matrix products", "flops_per_second"]] as const) assert.ok((find(report, "speed", what).data![unit] as number) > 1e8);
  assert.equal(find(report, "installation", "Node").says, process.versions.node);

  if (process.platform === "linux") {
    assert.match(find(report, "devices", "Vulkan driver").says, /gone\.json names .*which is not there|manifest cannot be read/);
    const webgpu = find(report, "devices", "device webgpu");
    assert.equal(webgpu.state, "problem");
    assert.match(webgpu.says, /WebGPU adapter/);
    assert.match(webgpu.todo!, /driver/);
  }

  rmSync(kernel, { recursive: true });
  Object.assign(process.env, { VK_DRIVER_FILES: "", VK_ICD_FILENAMES: "", SDTP_CACHE: join(cwd, "cache") });
  writeFileSync(join(cwd, "file"), "");
  Object.assign(process.env, { CHROMIUM: join(cwd, "file") });
  t.after(() => delete process.env["CHROMIUM"]);
  const text = await sdtp(cwd, "doctor");
  assert.equal(text.code, 1);
  assert.match(text.stdout, /PROBLEM {2}browser: CHROMIUM: .* \(no program there\)\n +-> correct the variable CHROMIUM/);
  assert.match(text.stdout, /\d problems?/);
});
