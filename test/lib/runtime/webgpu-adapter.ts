import { existsSync, readdirSync } from "node:fs";
import { GraphBuilder } from "../../../lib/onnx/builder.js";
import { createSession } from "../../../lib/runtime/session.js";

/** The software driver in Debian's chromium package. */
const SWIFTSHADER = "/usr/lib/chromium/vk_swiftshader_icd.json";

/** Whether tests can run on WebGPU; else why not, in words for `skip`. Takes the software driver where there is no other. */
export async function webgpuMissing(): Promise<string | false> {
  const drivers = ["/usr/share/vulkan/icd.d", "/etc/vulkan/icd.d"].flatMap((folder) => (existsSync(folder) ? readdirSync(folder) : []));
  const { VK_ICD_FILENAMES, VK_DRIVER_FILES } = process.env;
  if (drivers.length === 0 && !VK_ICD_FILENAMES && !VK_DRIVER_FILES && existsSync(SWIFTSHADER)) process.env["VK_ICD_FILENAMES"] = SWIFTSHADER;
  const g = new GraphBuilder("adapter", "standard");
  g.output(g.add(g.input("x", "float32", ["n"]), 1), "y");
  try {
    await (await createSession(g, { provider: "webgpu" })).release();
    return false;
  } catch (error) {
    const [, reason] = /(Failed to get a WebGPU adapter.*)/.exec((error as Error).message) ?? [];
    return `no WebGPU here: ${reason ?? (error as Error).message} (on Debian, chromium and libvulkan1 bring a software driver)`;
  }
}
