import { mkdirSync, rmSync, statfsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { environment } from "../bench/environment.js";
import { cacheFolder } from "../checkpoint/cache.js";
import { formatBytes } from "../checkpoint/free-space.js";
import { findChromium } from "../notebook/export/find-chromium.js";
import type { Finding } from "./finding.js";

/** Releases that the package is tried on, each from where ES modules can be required: those of `engines` in package.json. */
const NODE = "20.19, 22.12, 24 or newer";
const isSupported = (major: number, minor: number) => (major === 20 && minor >= 19) || (major === 22 && minor >= 12) || major >= 24;

export function installation(): Finding[] {
  const { versions, platform, cpu, git_commit: commit } = environment();
  return [
    { what: "sdtp-notebook", state: "ok", says: `${versions["sdtp-notebook"]}${commit ? ` (commit ${commit.slice(0, 10)})` : ""} on ${platform}, ${cpu.cores} cores of ${cpu.model}`, data: { versions, platform, cpu, commit } },
    node(versions["node"]!),
    cache(),
    chromium(),
  ];
}

function node(version: string): Finding {
  const [major, minor] = version.split(".").map(Number) as [number, number];
  const supported = isSupported(major, minor);
  return { what: "Node", state: supported ? "ok" : "problem", says: version, ...(!supported && { todo: `install Node ${NODE}` }), data: { version } };
}

function cache(): Finding {
  const folder = cacheFolder();
  const what = "cache folder";
  try {
    mkdirSync(folder, { recursive: true });
    const probe = join(folder, `probe-${process.pid}`);
    writeFileSync(probe, "");
    rmSync(probe);
    const { bavail, bsize } = statfsSync(folder);
    return { what, state: "ok", says: `${folder}, ${formatBytes(bavail * bsize)} free`, data: { folder, free_bytes: bavail * bsize } };
  } catch (error) {
    return { what, state: "problem", says: `${folder} cannot be written (${(error as NodeJS.ErrnoException).code})`, todo: "make it writable, or name another folder by the variable SDTP_CACHE", data: { folder } };
  }
}

function chromium(): Finding {
  const what = "browser";
  try {
    const found = findChromium();
    return found
      ? { what, state: "ok", says: `${found}, for sdtp export --to pdf and pictures of charts`, data: { program: found } }
      : { what, state: "note", says: "no Chromium, Chrome or Edge", todo: "needed for sdtp export --to pdf and for pictures of charts only: install one, or name it by the variable CHROMIUM" };
  } catch (error) {
    return { what, state: "problem", says: (error as Error).message, todo: "correct the variable CHROMIUM or remove it" };
  }
}
