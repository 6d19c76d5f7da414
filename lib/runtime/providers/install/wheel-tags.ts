import { compareVersions } from "../installed.js";
import type { IndexFile } from "./package-index.js";

/** What a wheel's name says (PEP 427). */
export interface Wheel extends IndexFile {
  readonly version: string;
  /** `manylinux_2_28_x86_64`, `win_amd64`, …: those that it is for. */
  readonly platforms: readonly string[];
}

/** The machine that a wheel is for. */
export interface WheelMachine {
  readonly platform: string;
  readonly arch: string;
  /** Version of the C library, as 2.36; null: not the GNU one. */
  readonly glibc: string | null;
}

export function thisMachine(): WheelMachine {
  const { header } = process.report.getReport() as { header?: { glibcVersionRuntime?: string } };
  return { platform: process.platform, arch: process.arch, glibc: header?.glibcVersionRuntime ?? null };
}

const processors: Record<string, readonly string[]> = { x64: ["x86_64", "amd64"], arm64: ["aarch64", "arm64"] };

/** Whether a platform tag is of a machine. */
export function fits(tag: string, { platform, arch, glibc }: WheelMachine): boolean {
  const processor = processors[arch]?.find((each) => tag.endsWith(`_${each}`)) ?? (platform === "darwin" && tag.endsWith("_universal2") ? "universal2" : undefined);
  if (processor === undefined) return false;
  const system = tag.slice(0, -processor.length - 1);
  if (platform === "win32") return system === "win";
  if (platform === "darwin") return /^macosx_\d+_\d+$/.test(system);
  if (platform !== "linux") return false;
  if (system === "linux") return true;
  const old: Record<string, string> = { manylinux1: "2.5", manylinux2010: "2.12", manylinux2014: "2.17" };
  const needed = old[system] ?? /^manylinux_(\d+_\d+)$/.exec(system)?.[1]?.replace("_", ".");
  return needed !== undefined && glibc !== null && compareVersions(glibc, needed) >= 0;
}

/**
 * The wheel of a package for a machine: of the newest version that has one, or of the version named. Which Python it is for does not matter: its library is all that is used.
 * @throws where there is none, with what there is
 */
export function chooseWheel(name: string, files: readonly IndexFile[], version: string | undefined, machine: WheelMachine): Wheel {
  const wheels = files.flatMap((file): Wheel[] => {
    const [, of, platforms] = /^[^-]+-([^-]+)(?:-\d[^-]*)?-[^-]+-[^-]+-([^-]+)\.whl$/.exec(file.name) ?? [];
    return of && platforms ? [{ ...file, version: of, platforms: platforms.split(".") }] : [];
  });
  const isFinal = (of: string) => /^\d+(\.\d+)*(\.post\d+)?$/.test(of);
  const asked = wheels.filter((wheel) => (version === undefined ? !wheel.yanked && isFinal(wheel.version) : wheel.version === version));
  if (asked.length === 0) {
    const versions = [...new Set(wheels.map((wheel) => wheel.version))].sort(compareVersions);
    throw new Error(version === undefined ? `package: ${name} (has no wheel on the index)` : `package: ${name}==${version} (has no such version as a wheel; ${versions.length ? `there are ${versions.join(", ")}` : "there is none"})`);
  }
  const [best] = asked.filter(({ platforms }) => platforms.some((tag) => fits(tag, machine))).sort((a, b) => compareVersions(b.version, a.version) || Number(/-none-/.test(b.name)) - Number(/-none-/.test(a.name)) || (a.name < b.name ? -1 : 1));
  if (best) return best;
  const tags = [...new Set(asked.flatMap(({ platforms }) => platforms))].sort();
  throw new Error(`package: ${name} (has no wheel for ${machine.platform} ${machine.arch}${machine.glibc ? ` with glibc ${machine.glibc}` : ""}; only for ${tags.join(", ")})`);
}
