// Where the CUDA provider is looked for, and what is known of it before it is loaded. Nothing is put into node_modules here.
import assert from "node:assert/strict";
import { copyFileSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { installCuda } from "../../../../lib/runtime/devices/cuda-install.js";
import { cudaProvider, hasCudaFiles, linkCudaProvider, PROVIDER_FILES, runtimeFolder } from "../../../../lib/runtime/devices/cuda-provider.js";
import { neededLibraries } from "../../../../lib/runtime/devices/elf.js";

const skip = process.platform !== "linux" || process.arch !== "x64" ? "linux x64 alone has a CUDA provider" : false;

test("a library's needs are read out of it", { skip }, () => {
  const needed = neededLibraries(join(runtimeFolder(), "onnxruntime_binding.node"));
  assert.ok(needed.includes("libonnxruntime.so.1") && needed.includes("libc.so.6"), needed.join(", "));
  assert.throws(() => neededLibraries(new URL(import.meta.url).pathname), /is no ELF library of 64 bits|is cut short/);
});

test("the provider is named with what it lacks, its version and CUDA's", { skip }, async (t) => {
  const folder = mkdtempSync(join(tmpdir(), "sdtp-cuda-"));
  t.after(() => rmSync(folder, { recursive: true }));
  const env = { SDTP_ORT_CUDA: folder };
  assert.deepEqual(cudaProvider(env).missing, [...PROVIDER_FILES]);
  assert.throws(() => linkCudaProvider(env), { message: `SDTP_ORT_CUDA: ${folder} (has no ${PROVIDER_FILES[0]} and no ${PROVIDER_FILES[1]})` });
  // What stands in for it after an install by npm.
  for (const file of PROVIDER_FILES) writeFileSync(join(folder, file), "Not installed.\n");
  assert.equal(hasCudaFiles(env), false);
  assert.deepEqual(cudaProvider(env).missing, [...PROVIDER_FILES]);

  for (const file of PROVIDER_FILES) copyFileSync(join(runtimeFolder(), "onnxruntime_binding.node"), join(folder, file));
  assert.equal(hasCudaFiles(env), true);
  writeFileSync(join(folder, "build_and_package_info.py"), "package_name = 'onnxruntime-gpu'\n__version__ = '1.29.0'\ncuda_version = '12.8'\n");
  assert.match(cudaProvider(env).problem!, /is of ONNX Runtime 1\.29\.0 \(must be 1\.30\.0/);
  assert.throws(() => linkCudaProvider(env), /holds the provider of ONNX Runtime 1\.29\.0; must be 1\.30\.0/);
  const before = readdirSync(runtimeFolder());
  await assert.rejects(installCuda(folder), /must be 1\.30\.0/);
  await assert.rejects(installCuda(join(folder, "onnxruntime_gpu-1.29.0-cp311-cp311-manylinux_2_28_x86_64.whl")), /is of ONNX Runtime 1\.29\.0; must be onnxruntime-gpu==1\.30\.0/);
  await assert.rejects(installCuda(join(folder, "other.whl")), /is no wheel of onnxruntime-gpu/);
  await assert.rejects(installCuda("elsewhere"), /^Error: cuda: elsewhere \(must be npm, pip, a wheel/);
  assert.deepEqual(readdirSync(runtimeFolder()), before);

  // Without that file, the version is a text in the library; of libraries that are not found the loader's path is asked.
  rmSync(join(folder, "build_and_package_info.py"));
  const { version, cuda, notFound } = cudaProvider(env);
  assert.equal(cuda, null);
  assert.ok(version === null || /^1\.\d+\.\d+$/.test(version));
  assert.deepEqual(notFound, ["libonnxruntime.so.1"]);
  const other = join(folder, "elsewhere");
  mkdirSync(other);
  writeFileSync(join(other, "libonnxruntime.so.1"), "");
  assert.deepEqual(cudaProvider({ ...env, LD_LIBRARY_PATH: other }).notFound, []);
});
