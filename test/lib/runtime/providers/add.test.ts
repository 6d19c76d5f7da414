// Bringing a plugin provider from a package index: which wheel, its hash, what is left where something is wrong.
import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { addProvider } from "../../../../lib/runtime/providers/install/add.js";
import { packageIndex } from "../../../../lib/runtime/providers/install/package-index.js";
import { chooseWheel, fits, type WheelMachine } from "../../../../lib/runtime/providers/install/wheel-tags.js";
import { compareVersions, installedProviders, pluginFile } from "../../../../lib/runtime/providers/installed.js";
import { index, wheel } from "./index-server.js";

const machine: WheelMachine = { platform: "linux", arch: "x64", glibc: "2.31" };

/** A cache folder of its own. */
function alone(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), "sdtp-provider-"));
  const before = { ...process.env };
  process.env["SDTP_CACHE"] = folder;
  delete process.env["SDTP_PROVIDER_LIBRARY"];
  t.after(() => {
    for (const name of ["SDTP_CACHE", "SDTP_PROVIDER_LIBRARY", "PIP_INDEX_URL"]) {
      if (before[name] === undefined) delete process.env[name];
      else process.env[name] = before[name];
    }
    rmSync(folder, { recursive: true });
  });
  return folder;
}

const linux = (version: string, tag = "manylinux_2_28_x86_64") => `onnxruntime_ep_test-${version}-py3-none-${tag}.whl`;

for (const form of ["json", "html"] as const) {
  test(`the newest wheel for this machine comes into the cache folder, checked and whole (${form} pages)`, async (t) => {
    const folder = alone(t);
    const { url, requests } = await index(t, { "onnxruntime-ep-test": {
      [linux("1.9.0")]: { bytes: wheel() }, [linux("1.10.0")]: { bytes: wheel() }, [linux("1.11.0", "win_amd64")]: { bytes: wheel() }, [linux("1.12.0")]: { bytes: wheel(), yanked: true }, [linux("2.0.0rc1")]: { bytes: wheel() },
      "onnxruntime_ep_test-1.13.0.tar.gz": { bytes: wheel() },
    } }, form);
    const seen: number[] = [];
    const { installed, fetched } = await addProvider("test", { index: url, machine, onProgress: (done) => seen.push(done) });
    assert.deepEqual([installed.version, installed.name, installed.device, fetched], ["1.10.0", "test", "plugin:test", true]);
    assert.equal(seen.at(-1), wheel().length);
    assert.equal(readFileSync(join(installed.folder, installed.library), "latin1"), "\0CreateEpFactories\0");
    assert.deepEqual(readdirSync(folder), [installed.key]);
    assert.deepEqual(await installedProviders(), [installed]);
    assert.deepEqual(await pluginFile("plugin:test"), { device: "plugin:test", file: join(installed.folder, installed.library), version: "1.10.0" });
    const asked = requests.length;
    assert.equal((await addProvider("onnxruntime_ep_test", { index: url, machine })).fetched, false);
    assert.equal(requests.length, asked + 1, "what is there is not fetched again");
    assert.equal((await addProvider("test==1.9.0", { index: url, machine })).installed.version, "1.9.0");
    assert.equal((await pluginFile("plugin:test")).version, "1.10.0", "the newest is taken");
  });
}

test("the index is PIP_INDEX_URL, and a name and password in it go to the index alone", async (t) => {
  alone(t);
  const { url, requests } = await index(t, { "onnxruntime-ep-test": { [linux("1.0")]: { bytes: wheel() } } });
  process.env["PIP_INDEX_URL"] = url.replace("127.0.0.1", "me:s%40fe@127.0.0.1");
  assert.equal(packageIndex(), process.env["PIP_INDEX_URL"]);
  await addProvider("test", { machine });
  assert.ok(requests.length === 2 && requests.every((request) => request.endsWith(`Basic ${Buffer.from("me:s@fe").toString("base64")}`)), requests.join("\n"));
  await assert.rejects(addProvider("other", { machine }), ({ message }: Error) => /^package: onnxruntime-ep-other \(is not on http:\/\/127/.test(message) && !message.includes("s%40fe"));
});

test("what is wrong is one sentence, and nothing is left", async (t) => {
  const folder = alone(t);
  const { url } = await index(t, {
    "onnxruntime-ep-damaged": { [linux("1.0")]: { bytes: wheel(), sha256: "0".repeat(64) } },
    "onnxruntime-ep-unnamed": { [linux("1.0")]: { bytes: wheel(), sha256: null } },
    "onnxruntime-ep-nozip": { [linux("1.0")]: { bytes: Buffer.from("no zip") } },
    "onnxruntime-ep-outside": { [linux("1.0")]: { bytes: wheel({ "../../out.so": "\0CreateEpFactories\0" }) } },
    "onnxruntime-ep-empty": { [linux("1.0")]: { bytes: wheel({ "a/b.so": "nothing", "a/c.py": "\0CreateEpFactories\0" }) } },
    "onnxruntime-ep-twice": { [linux("1.0")]: { bytes: wheel({ "a/b.so": "1\0CreateEpFactories\0", "a/c.so": "2\0CreateEpFactories\0" }) } },
    "onnxruntime-ep-elsewhere": { [linux("1.0", "win_amd64")]: { bytes: wheel() }, [linux("1.0", "macosx_14_0_arm64")]: { bytes: wheel() } },
    "onnxruntime-ep-newer": { [linux("1.0", "manylinux_2_35_x86_64")]: { bytes: wheel() } },
    "onnxruntime-ep-source": { "onnxruntime_ep_source-1.0.tar.gz": { bytes: wheel() } },
  });
  for (const [name, message] of [
    ["damaged", /^package: onnxruntime_ep_test-1\.0-.*\.whl \(its sha256 is [0-9a-f]{64}, the index says 0{64}: damaged on the way, try again\)$/],
    ["unnamed", /the index names no sha256 of it/],
    ["nozip", /end of central directory/i],
    ["outside", /invalid relative path: \.\.\/\.\.\/out\.so/],
    ["empty", /has no library that makes execution providers/],
    ["twice", /has several libraries that make execution providers \(a\/b\.so, a\/c\.so; name one by --provider-library\)/],
    ["elsewhere", /^package: onnxruntime-ep-elsewhere \(has no wheel for linux x64 with glibc 2\.31; only for macosx_14_0_arm64, win_amd64\)$/],
    ["newer", /has no wheel for linux x64 with glibc 2\.31; only for manylinux_2_35_x86_64/],
    ["source", /has no wheel on the index/],
    ["newer==2.0", /has no such version as a wheel; there are 1\.0/],
    ["absent", /^package: onnxruntime-ep-absent \(is not on http/],
    ["../x", /^provider: \.\.\/x \(must be a name, or NAME==VERSION\)$/],
  ] as const) await assert.rejects(addProvider(name, { index: url, machine }), { message }, name);
  await assert.rejects(addProvider("test", { index: "file:///somewhere", machine }), { message: "package index: file:///somewhere (must be an address as https://HOST/simple)" });
  await assert.rejects(addProvider("test", { index: "http://127.0.0.1:9/simple", machine }), /^Error: package index: 127\.0\.0\.1:9 \(cannot be reached: .*; --index or PIP_INDEX_URL names another\)$/);
  await assert.rejects(addProvider("damaged", { index: url, machine, signal: AbortSignal.abort() }), { name: "AbortError" });
  assert.deepEqual(readdirSync(folder), []);
});

test("a library is named, or was added; else it is said how", async (t) => {
  const folder = alone(t);
  await assert.rejects(pluginFile("openvino"), { message: "device: openvino (its provider is not installed; to install it: sdtp provider add openvino; a library of one's own is named by --provider-library)" });
  await assert.rejects(pluginFile("plugin:mine", join(folder, "none.so")), /^Error: provider library: .*none\.so \(no such file; must be the library of a plugin provider of ONNX Runtime\)$/);
  await assert.rejects(pluginFile("plugin:mine", folder), /is no file/);
  const file = join(folder, "mine.so");
  writeFileSync(file, "");
  process.env["SDTP_PROVIDER_LIBRARY"] = file;
  assert.deepEqual(await pluginFile("plugin:mine"), { device: "plugin:mine", file, version: null });
});

test("wheels fit by processor, system and C library", () => {
  const mac: WheelMachine = { platform: "darwin", arch: "arm64", glibc: null };
  const windows: WheelMachine = { platform: "win32", arch: "x64", glibc: null };
  const musl: WheelMachine = { platform: "linux", arch: "x64", glibc: null };
  for (const [tag, of, right] of [
    ["manylinux_2_28_x86_64", machine, true], ["manylinux_2_31_x86_64", machine, true], ["manylinux_2_32_x86_64", machine, false], ["manylinux2014_x86_64", machine, true], ["linux_x86_64", machine, true],
    ["manylinux_2_28_aarch64", machine, false], ["musllinux_1_2_x86_64", machine, false], ["manylinux_2_28_x86_64", musl, false], ["win_amd64", machine, false], ["any", machine, false],
    ["win_amd64", windows, true], ["win_arm64", windows, false], ["macosx_14_0_arm64", mac, true], ["macosx_10_9_universal2", mac, true], ["macosx_10_9_x86_64", mac, false], ["manylinux_2_17_aarch64", { ...machine, arch: "arm64" }, true],
  ] as const) assert.equal(fits(tag, of), right, `${tag} on ${of.platform} ${of.arch}`);
  assert.ok(compareVersions("1.10.0", "1.9.3") > 0 && compareVersions("2.36", "2.4") > 0 && compareVersions("1.0", "1.0.0") === 0);
  assert.equal(chooseWheel("x", [{ name: "x-1.0-1-cp312-cp312-manylinux_2_17_x86_64.manylinux2014_x86_64.whl", url: "", sha256: "", yanked: false }], undefined, machine).version, "1.0");
});
