import type { Command } from "commander";
import { interruptSignal } from "../interrupt.js";

/** `sdtp cuda`: the CUDA provider. */
export function register(program: Command): void {
  program
    .command("cuda")
    .description("ONNX Runtime's CUDA provider: what is there, what fits, and how it gets there")
    .option("--install <source>", "npm (onnxruntime-node's own install script: CUDA 12), pip (fetches the wheel of onnxruntime-gpu: CUDA 13), a wheel's file, or a folder that has it (links are made)")
    .option("--json", "print JSON")
    .addHelpText("after", `
Nothing is fetched without --install. SDTP_ORT_CUDA names a folder to take the provider from instead, such as onnxruntime/capi of onnxruntime-gpu.
Exit code 1 where the provider is missing or cannot be used. sdtp doctor checks the card too.`)
    .action((options: { install?: string; json?: boolean }) => cuda(options));
}

async function cuda({ install, json }: { install?: string; json?: boolean }): Promise<void> {
  const [{ cudaProvider, LEAST_DRIVER }, { cudaInstall }] = await Promise.all([import("../../runtime/devices/cuda-provider.js"), import("../../runtime/devices/cuda-home.js")]);
  if (install !== undefined) {
    const { installCuda } = await import("../../runtime/devices/cuda-install.js");
    await installCuda(install, { signal: interruptSignal(), onOutput: (text) => process.stderr.write(text) });
  }
  const provider = cudaProvider();
  if (provider.problem !== null) process.exitCode = 1;
  if (json) return console.log(JSON.stringify(provider, null, 2));
  const { folder, missing, version, cuda: major, problem } = provider;
  if (missing.length === 0 && version !== null) console.log(`ONNX Runtime ${version} for CUDA ${major ?? "(unknown)"} in ${folder}${major !== null && LEAST_DRIVER[major] ? `; needs a driver from ${LEAST_DRIVER[major]} on` : ""}`);
  if (problem !== null) console.log(`${problem}${missing.length > 0 ? `\n-> ${cudaInstall}` : ""}`);
}
