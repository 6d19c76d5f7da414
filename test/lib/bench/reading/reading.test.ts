// What a device says of itself, by a pretended nvidia-smi and pretended counters in the formats of the real ones.
import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { counted, integrate } from "../../../../lib/bench/reading/energy.js";
import { startMeter, timeOf } from "../../../../lib/bench/reading/meter.js";
import { Rapl } from "../../../../lib/bench/reading/rapl.js";
import { chosenCard, lookForCards } from "../../../../lib/runtime/devices/nvidia-smi.js";
import { fakeSmi, written, type FakeSmi } from "./fake-smi.js";

const H200 = "0, GPU-6b5e6f6e-1111-2222-3333-444455556666, NVIDIA H200, 550.127.05, 143771, 4, Disabled, 9.0";
const T4 = "1, GPU-99999999-1111-2222-3333-444455556666, Tesla T4, 550.127.05, 15360, 0, [N/A], 7.5";

test("power is integrated between samples, by straight lines, and beyond them stays as it is", () => {
  const samples = [{ at: 1000, watts: 100 }, { at: 2000, watts: 300 }, { at: 3000, watts: 300 }];
  assert.equal(integrate(samples, [1000, 3000]), 200 + 300);
  // From 150 W at 1250 to 250 W at 1750.
  assert.equal(integrate(samples, [1250, 1750]), 0.5 * 200);
  assert.equal(integrate(samples, [3000, 4000]), 300);
  assert.equal(integrate(samples, [0, 1000]), 100);
  assert.equal(integrate([], [0, 1000]), null);
  const counter = [{ at: 10, joules: 1 }, { at: 20, joules: 3 }, { at: 30, joules: 9 }];
  assert.equal(counted(counter, [10, 30]), 8);
  assert.equal(counted(counter, [12, 19]), 2);
  assert.equal(counted(counter, [12, 31]), null);
});

test("cards are read as the driver describes them, old drivers and split cards too", async (t) => {
  const look = async (fake: FakeSmi | null) => lookForCards({ env: fakeSmi(t, fake) });
  const { cards } = await look({ gpus: [H200, T4] });
  assert.deepEqual(cards[0], { index: 0, uuid: "GPU-6b5e6f6e-1111-2222-3333-444455556666", name: "NVIDIA H200", driver: "550.127.05", memoryBytes: 143771 * 2 ** 20, usedBytes: 4 * 2 ** 20, mig: false, computeCapability: "9.0" });
  assert.equal(cards[1]!.mig, false);
  const [old] = (await look({ gpus: [H200], unknown: ["mig.mode.current", "compute_cap"] })).cards;
  assert.deepEqual([old!.name, old!.mig, old!.computeCapability], ["NVIDIA H200", false, null]);
  const [split] = (await look({ gpus: ["0, GPU-5, NVIDIA A100-SXM4-40GB, 535.104.05, 40960, [Insufficient Permissions], Enabled, 8.0"] })).cards;
  assert.deepEqual([split!.mig, split!.memoryBytes, split!.usedBytes], [true, null, null]);
  const [silent] = (await look({ gpus: ["0, GPU-5, NVIDIA GB10, 580.95.05, [N/A], [N/A], Disabled, 12.1"] })).cards;
  assert.equal(silent!.memoryBytes, null);
});

test("where no card is to be seen, the words say why", async (t) => {
  const problem = async (fake: FakeSmi | null, timeout?: number) => (await lookForCards({ env: fakeSmi(t, fake), ...(timeout !== undefined && { timeout }) })).problem;
  assert.equal(await problem(null), "nvidia-smi: not found on the PATH (it comes with NVIDIA's driver)");
  assert.equal(await problem({ fails: { code: 9, says: "NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver. Make sure that the latest NVIDIA driver is installed and running." } }),
    "nvidia-smi: NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver. Make sure that the latest NVIDIA driver is installed and running.");
  assert.equal(await problem({ fails: { code: 6, says: "No devices were found" } }), "nvidia-smi: No devices were found");
  assert.equal(await problem({ gpus: [] }), 'nvidia-smi: no card (it says "")');
  assert.equal(await problem({ hangs: "all" }, 1500), "nvidia-smi: gave no answer in 1.5 s");
});

test("the card is the one that CUDA takes first", async (t) => {
  const { cards } = await lookForCards({ env: fakeSmi(t, { gpus: [H200, T4] }) });
  const named = (env: NodeJS.ProcessEnv) => chosenCard(cards, env).name;
  const BUS = { CUDA_DEVICE_ORDER: "PCI_BUS_ID" };
  assert.equal(named(BUS), "NVIDIA H200");
  assert.equal(named({ ...BUS, CUDA_VISIBLE_DEVICES: "1" }), "Tesla T4");
  assert.equal(named({ CUDA_VISIBLE_DEVICES: "GPU-9999" }), "Tesla T4");
  assert.throws(() => named({}), /^Error: cards: NVIDIA H200, Tesla T4 \(of several kinds.*CUDA_DEVICE_ORDER=PCI_BUS_ID/);
  assert.throws(() => named({ ...BUS, CUDA_VISIBLE_DEVICES: "2" }), { message: "CUDA_VISIBLE_DEVICES: 2 (there are cards 0 to 1)" });
  assert.throws(() => named({ CUDA_VISIBLE_DEVICES: "" }), /\(empty\) \(hides every card/);
  assert.throws(() => named({ CUDA_VISIBLE_DEVICES: "GPU-7" }), /must be a number or one of GPU-6b5e/);
  const split = [{ ...cards[0]!, mig: true }];
  assert.equal(chosenCard(split, { CUDA_VISIBLE_DEVICES: "MIG-c7384736-a75d-5afc-978f-d2f1294409fd" }).name, "NVIDIA H200");
});

/** The record of a time in which so many lines were written. */
async function read(t: TestContext, fake: FakeSmi | null, lines = 12) {
  const env = fakeSmi(t, fake);
  const meter = await startMeter({ device: "cuda", env, interval: 20 });
  const from = Date.now();
  await written(env, lines, (fake?.apps?.length ?? 0) > 0);
  const to = Date.now();
  const readings = await meter.read();
  meter.stop();
  return { seconds: (to - from) / 1e3, record: readings.record({ prefill: [[from, to]], decode: [], tokens: 0 }) };
}

test("a card's memory is this process's where its processes can be seen, power gives energy", async (t) => {
  const { record, seconds } = await read(t, { gpus: [H200], samples: ["250.00, 900, 97, 1980, 2619"], apps: ["4242, 70000", "PID, 512", "PID, 2048", "PID, 1024"] });
  assert.equal(record.source, "nvidia-smi");
  assert.deepEqual([record.card, record.driver, record.peak_device_memory_of], ["NVIDIA H200", "550.127.05", "process"]);
  assert.equal(record.peak_device_memory_bytes, 2048 * 2 ** 20);
  assert.ok(Math.abs(record.energy_per_prompt_joules! - 250 * seconds) < 0.01 * 250 * seconds, `${record.energy_per_prompt_joules} J in ${seconds} s`);
  assert.equal(Math.round(record.power_watts!), 250);
  assert.deepEqual([record.utilization_percent, record.sm_clock_mhz, record.memory_clock_mhz, record.energy_per_token_joules], [97, 1980, 2619, null]);
  assert.deepEqual(record.missing, []);
});

test("where processes cannot be seen, memory is by how much more of the card is in use", async (t) => {
  const { record } = await read(t, { gpus: [H200], samples: ["90.10, 1000, 3, 345, 2619", "90.10, 3000, 3, 345, 2619", "90.10, 1500, 3, 345, 2619"] });
  assert.deepEqual([record.peak_device_memory_bytes, record.peak_device_memory_of], [2000 * 2 ** 20, "card"]);
});

test("what a card does not say is null, with the reason", async (t) => {
  const silent = await read(t, { gpus: [H200], samples: ["[N/A], 1000, [N/A], [Not Supported], [Unknown Error]"] });
  assert.deepEqual([silent.record.energy_per_prompt_joules, silent.record.power_watts, silent.record.utilization_percent, silent.record.sm_clock_mhz], [null, null, null, null]);
  assert.deepEqual(silent.record.missing, ["the card does not say its power"]);
  const split = await read(t, { gpus: ["0, GPU-5, NVIDIA A100-SXM4-40GB, 535.104.05, 40960, 12, Enabled, 8.0"], samples: ["300.00, 9000, [N/A], 1410, 1215"], apps: ["PID, [N/A]"] });
  assert.deepEqual([split.record.energy_per_prompt_joules, split.record.peak_device_memory_bytes, split.record.mig], [null, null, true]);
  assert.match(split.record.missing.join(), /^the card is split \(MIG\)/);
});

test("a card that is not there, and a program that hangs, are said and wait for nobody", async (t) => {
  const none = await read(t, null, 0);
  assert.deepEqual([none.record.source, none.record.missing], [null, ["nvidia-smi: not found on the PATH (it comes with NVIDIA's driver)"]]);
  const hanging = await read(t, { gpus: [H200], hangs: "samples" }, 0);
  assert.equal(hanging.record.samples, 0);
  assert.match(hanging.record.missing.join(), /^nvidia-smi: gave no sample in [\d.]+ s/);
});

test("times are of this machine's zone", () => {
  assert.equal(timeOf("2026/11/30 10:15:21.123"), new Date(2026, 10, 30, 10, 15, 21, 123).getTime());
  assert.equal(timeOf("[N/A]"), null);
});

test("processors' counters are summed over packages and memory, over their wraps", (t) => {
  const folder = mkdtempSync(join(tmpdir(), "sdtp-rapl-"));
  t.after(() => rmSync(folder, { recursive: true }));
  const zone = (name: string, label: string, energy: number) => {
    mkdirSync(join(folder, name), { recursive: true });
    writeFileSync(join(folder, name, "name"), `${label}\n`);
    writeFileSync(join(folder, name, "max_energy_range_uj"), "262143328850\n");
    writeFileSync(join(folder, name, "energy_uj"), `${energy}\n`);
  };
  const set = (first: number, core: number, memory: number, second: number) => {
    zone("intel-rapl:0", "package-0", first);
    zone("intel-rapl:0:0", "core", core);
    zone("intel-rapl:0:1", "dram", memory);
    zone("intel-rapl:1", "package-1", second);
  };
  set(262_143_000_000, 5, 1_000_000, 0);
  const counters = Rapl.open(folder);
  assert.ok(typeof counters !== "string");
  counters.mark(0);
  set(671_150, 5_000_000_000, 4_000_000, 2_000_000);
  counters.mark(1000);
  // 1 J of the first, which began again, 3 J of its memory, 2 J of the second; the cores are in the package's count.
  assert.deepEqual(counters.samples.map(({ joules }) => joules), [0, 1 + 3 + 2]);
  assert.match(Rapl.open(join(folder, "none")) as string, /none: not here/);
  mkdirSync(join(folder, "empty"));
  assert.match(Rapl.open(join(folder, "empty")) as string, /no package that counts its energy/);
});
