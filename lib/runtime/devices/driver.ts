import { existsSync, readdirSync, readFileSync, realpathSync, statSync } from "node:fs";
import { createRequire } from "node:module";
import { homedir, release } from "node:os";
import { dirname, join, resolve } from "node:path";

/** A Vulkan driver as its manifest names it. */
export interface VulkanDriver {
  /** The manifest. */
  readonly file: string;
  /** The library, with links followed, as far as it was found; its name often has the version in it. */
  readonly library: string;
  readonly bytes: number | null;
  /** ISO 8601. */
  readonly changed: string | null;
}

/** What a device's computing depends on, as far as it can be seen without starting it. */
export interface DriverFacts {
  readonly platform: string;
  readonly onnxruntime: string;
  readonly vulkan: readonly VulkanDriver[];
  /** PCI vendor and device of each graphics card (Linux). */
  readonly cards: readonly string[];
  /** First line of NVIDIA's kernel module (Linux); null: not loaded. */
  readonly nvidia: string | null;
  /** Whether all of this changes when a driver does: elsewhere than on Linux and macOS a driver's version cannot be seen. */
  readonly versioned: boolean;
}

/** @param env where the Vulkan loader's variables are looked up */
export function driverFacts(env: NodeJS.ProcessEnv = process.env): DriverFacts {
  const { version } = createRequire(import.meta.url)("onnxruntime-node/package.json") as { version: string };
  const linux = process.platform === "linux";
  return {
    platform: `${process.platform} ${process.arch} ${release()}`,
    onnxruntime: version,
    vulkan: linux ? manifests(env).map(vulkanDriver) : [],
    cards: linux ? cards() : [],
    nvidia: linux ? (text("/proc/driver/nvidia/version")?.split("\n")[0]?.trim() ?? null) : null,
    versioned: linux || process.platform === "darwin",
  };
}

/** Whether all there is for WebGPU computes on the CPU: right for trying things out, and slower than ONNX Runtime on the CPU itself. */
export function onlySoftware({ vulkan }: Pick<DriverFacts, "vulkan">): boolean {
  return vulkan.length > 0 && vulkan.every(({ library }) => /swiftshader|lvp|lavapipe|llvmpipe/i.test(library));
}

/** The manifests that the Vulkan loader reads, in its order. */
function manifests(env: NodeJS.ProcessEnv): string[] {
  const chosen = env["VK_DRIVER_FILES"] ?? env["VK_ICD_FILENAMES"];
  if (chosen) return chosen.split(":").filter((file) => file !== "");
  const data = [env["XDG_DATA_HOME"] ?? join(homedir(), ".local", "share"), ...(env["XDG_DATA_DIRS"] ?? "/usr/local/share:/usr/share").split(":")];
  const folders = ["/etc", ...data].map((folder) => join(folder, "vulkan", "icd.d"));
  return [...new Set(folders)].flatMap((folder) => list(folder).filter((name) => name.endsWith(".json")).map((name) => join(folder, name)));
}

function vulkanDriver(file: string): VulkanDriver {
  const library = libraryOf(file);
  const found = [library, ...(library.includes("/") ? [] : libraryFolders.map((folder) => join(folder, library)))].find((path) => existsSync(path));
  if (!found) return { file, library, bytes: null, changed: null };
  const { size, mtime } = statSync(found);
  return { file, library: realpathSync(found), bytes: size, changed: mtime.toISOString() };
}

const libraryFolders = ["/usr/lib/x86_64-linux-gnu", "/usr/lib/aarch64-linux-gnu", "/usr/lib64", "/usr/lib", "/usr/local/lib"];

function libraryOf(manifest: string): string {
  try {
    const { library_path: path } = (JSON.parse(readFileSync(manifest, "utf8")) as { ICD: { library_path: string } }).ICD;
    return path.includes("/") ? resolve(dirname(manifest), path) : path;
  } catch {
    return "(manifest cannot be read)";
  }
}

function cards(): string[] {
  const root = "/sys/class/drm";
  return list(root).filter((name) => /^card\d+$/.test(name)).flatMap((name) => {
    const [vendor, device] = ["vendor", "device"].map((part) => text(join(root, name, "device", part))?.trim());
    return vendor && device ? [`${vendor}:${device}`] : [];
  });
}

function list(folder: string): string[] {
  try {
    return readdirSync(folder).sort();
  } catch {
    return [];
  }
}

function text(file: string): string | null {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return null;
  }
}
