import type { Command } from "commander";
import type { ProviderLoss } from "../../runtime/providers/loss.js";
import type { CheckRecord } from "../../runtime/devices/verdict.js";
import { interruptSignal } from "../interrupt.js";
import { addDtypeOption, addCheckpointOptions, addProviderOption, loadModel, nonNegativeInteger, positiveInteger, type ModelOptions } from "../options.js";

interface CheckCommandOptions extends Pick<ModelOptions, "model" | "threads" | "dtype"> {
  prompts: number;
  length: number;
  seed: number;
  loss: boolean;
  json?: boolean;
}

/** `sdtp provider list|add|check`: plugin execution providers of ONNX Runtime. */
export function register(program: Command): void {
  const provider = program.command("provider").description("plugin providers of ONNX Runtime, such as OpenVINO: add, list, check against the CPU");

  provider
    .command("list")
    .description("the providers that were added, whether they proved themselves, what they cost which models")
    .option("--json", "print JSON")
    .action(list);

  provider
    .command("add")
    .description("fetch a provider's wheel from a package index into the cache folder, and check it against the CPU")
    .argument("<name>", "openvino, or another NAME for the package onnxruntime-ep-NAME; NAME==VERSION for an older one")
    .option("--index <url>", "address of the package index (default: PIP_INDEX_URL, else the public one)")
    .option("--json", "print JSON")
    .action(add);

  addProviderOption(addDtypeOption(addCheckpointOptions(provider.command("check").description("a provider against the CPU: every operator, a pruned prompt and decode steps; then what its rounding costs a model, which --device auto goes by"))))
    .argument("<name>", "openvino, or the name of another provider")
    .option("--prompts <n>", "prompts of each kind", positiveInteger, 100)
    .option("--length <n>", "tokens of each prompt", positiveInteger, 1024)
    .option("--seed <n>", "of the pass keys", nonNegativeInteger, 0)
    .option("--no-loss", "check it only; measure nothing")
    .option("--json", "print JSON")
    .action(check);
}

async function list({ json }: { json?: boolean }): Promise<void> {
  const { installedProviders } = await import("../../runtime/providers/installed.js");
  const { storedLosses } = await import("../../runtime/providers/loss.js");
  const [all, losses] = [await installedProviders(), await storedLosses()];
  if (json) return console.log(JSON.stringify(all.map((each) => ({ ...each, losses: losses.filter(({ device, version }) => device === each.device && version === each.version) })), null, 2));
  if (all.length === 0) return console.log("no providers were added (sdtp provider add openvino)");
  for (const { name, version, device, folder, library } of all) {
    console.log(`${name} ${version}  --device ${device}  ${folder}/${library}`);
    for (const loss of losses) if (loss.device === device && loss.version === version) console.log(`  ${lossLine(loss)}`);
  }
}

async function add(name: string, { index, json }: { index?: string; json?: boolean }): Promise<void> {
  const [{ addProvider }, { pluginFile }, { progressBar }] = await Promise.all([import("../../runtime/providers/install/add.js"), import("../../runtime/providers/installed.js"), import("../progress.js")]);
  const bar = progressBar();
  try {
    const { installed, fetched } = await addProvider(name, { index, signal: interruptSignal(), onProgress: (done, total) => bar.update(total ? done / total : 0, `fetching ${name}`) });
    bar.stop();
    // The version asked for, though a newer one may be there too.
    const { join } = await import("node:path");
    const plugin = { ...(await pluginFile(installed.device, join(installed.folder, installed.library))), version: installed.version };
    const record = await proved(plugin);
    if (json) return console.log(JSON.stringify({ ...installed, fetched, check: record }, null, 2));
    console.log(`${installed.name} ${installed.version} ${fetched ? "is" : "was already"} in ${installed.folder}`);
    tell(record);
  } finally {
    bar.stop();
  }
}

async function check(name: string, { prompts, length, seed, loss: measured, json, ...options }: CheckCommandOptions): Promise<void> {
  const [{ pluginFile }, { deviceOf }, { requireDevice }] = await Promise.all([import("../../runtime/providers/installed.js"), import("../../runtime/providers/names.js"), import("../../runtime/devices/names.js")]);
  const device = deviceOf(name.replace(/^plugin:/, ""));
  requireDevice(device);
  const plugin = await pluginFile(device);
  const record = await proved(plugin);
  if (!json) tell(record);
  const loss = measured && record.verdict.ok ? await measure() : null;
  if (json) console.log(JSON.stringify({ check: record, loss }, null, 2));
  else if (loss) {
    const { tooCostly } = await import("../../runtime/providers/loss.js");
    console.log(lossLine(loss));
    const why = tooCostly(loss);
    console.log(why === null ? `--device auto takes ${device} for this model` : `--device auto does not take ${device} for this model: it ${why}`);
  }

  async function measure(): Promise<ProviderLoss> {
    const [{ providerLoss, processorName }, { heldOutText }, { storeLoss }, { keptSamples }, { progressBar }] = await Promise.all([
      import("../../evaluate/provider-loss.js"), import("../../train/corpus.js"), import("../../runtime/providers/loss.js"), import("../../runtime/providers/loss-samples.js"), import("../progress.js"),
    ]);
    const signal = interruptSignal();
    const cpu = await loadModel({ ...options, device: "cpu" }, signal);
    const there = await loadModel({ ...options, device }, signal);
    const bar = progressBar();
    try {
      const samples = await keptSamples(plugin, { model: await there.checkpoint.hash(), computed: there.computeDtype, length, prompts, seed, threads: cpu.threads ?? null, processor: processorName() });
      if (samples.found.length > 0) process.stderr.write(`going on after ${samples.found.length} of ${prompts} prompts that were measured before\n`);
      const found = await providerLoss(cpu, there, {
        text: heldOutText(), length, prompts, seed, version: plugin.version, signal,
        found: samples.found, onSample: (all) => samples.keep(all), onProgress: (share, label, secondsLeft) => bar.update(share, label, secondsLeft),
      });
      await storeLoss(plugin, found);
      await samples.drop();
      return found;
    } finally {
      bar.stop();
      await Promise.all([cpu.release(), there.release()]);
    }
  }
}

async function proved(plugin: import("../../runtime/providers/installed.js").PluginFile): Promise<CheckRecord> {
  const { checkedPlugin } = await import("../../runtime/devices/verdict.js");
  return checkedPlugin(plugin, { onStart: () => process.stderr.write(`checking ${plugin.device} against the CPU\n`) });
}

function tell({ device, verdict, time, seconds }: CheckRecord): void {
  if (!verdict.ok) {
    console.log(`${device} is refused: ${verdict.reason}`);
    process.exitCode = 1;
    return;
  }
  const { provider, version, operators, onCpu, noBfloat16 } = verdict.plugin!;
  const { prefillLogits, decodeLogits, cache } = verdict.differences;
  console.log(`${device} computes what the CPU does (${provider}${version === null ? "" : ` ${version}`}, checked ${time.slice(0, 10)} in ${seconds.toFixed(0)} s): ${operators} kinds of operators each alone; a pruned prompt, kept positions the same, logits within ${prefillLogits.toExponential(1)}, in decode ${decodeLogits.toExponential(1)}, keys and values ${cache.toExponential(1)}`);
  console.log(`left to the CPU: ${onCpu.join(", ") || "nothing"}`);
  console.log(`bfloat16: ${noBfloat16 ?? "yes"}`);
}

function lossLine({ model, dtype, compute_dtype: computed, length, prompts, loss, extra_loss: extra, same_first_choice: same, kept_same: kept, keys_right: keys, prefill_seconds: seconds }: ProviderLoss): string {
  const sign = (x: number) => `${x < 0 ? "-" : "+"}${Math.abs(x).toFixed(4)}`;
  return `${model} (weights ${dtype}, computed in ${computed}), ${prompts} prompts of ${length} tokens: loss ${loss.cpu.toFixed(4)} -> ${loss.device.toFixed(4)} nats (${sign(extra.mean)}, 95 % interval ${sign(extra.low)} to ${sign(extra.high)}), perplexity ${Math.exp(loss.cpu).toFixed(2)} -> ${Math.exp(loss.device).toFixed(2)}; `
    + `likeliest next token the same in ${same}; keep07 keeps ${(100 * kept).toFixed(2)} % the same; pass keys ${keys.cpu} -> ${keys.device}; prefill ${seconds.cpu.toFixed(3)} -> ${seconds.device.toFixed(3)} s`;
}
