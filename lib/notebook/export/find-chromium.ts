import { accessSync, constants } from "node:fs";
import { delimiter, join } from "node:path";

const names = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome", "microsoft-edge", "microsoft-edge-stable", "brave-browser"];

/** Where macOS and Windows put them. */
function installed(env: NodeJS.ProcessEnv): string[] {
  const windows = [env["PROGRAMFILES"], env["PROGRAMFILES(X86)"], env["LOCALAPPDATA"]].filter((folder) => folder !== undefined);
  return [
    ...["Chromium", "Google Chrome", "Microsoft Edge"].map((name) => `/Applications/${name}.app/Contents/MacOS/${name}`),
    ...windows.flatMap((folder) => [join(folder, "Google", "Chrome", "Application", "chrome.exe"), join(folder, "Microsoft", "Edge", "Application", "msedge.exe"), join(folder, "Chromium", "Application", "chrome.exe")]),
  ];
}

/**
 * The browser for PDF and for charts as pictures: `given`, the variable CHROMIUM, one on the PATH, or one where
 * macOS and Windows install it.
 * @returns undefined where there is none
 * @throws where `given` or CHROMIUM names a file that cannot be run
 */
export function findChromium(given?: string, env: NodeJS.ProcessEnv = process.env): string | undefined {
  const [source, named] = given ? ["--chromium", given] : ["CHROMIUM", env["CHROMIUM"]];
  if (named) {
    if (!canRun(named)) throw new Error(`${source}: ${named} (no program there)`);
    return named;
  }
  const onPath = (env["PATH"] ?? "").split(delimiter).filter(Boolean).flatMap((folder) => names.map((name) => join(folder, name)));
  return [...onPath, ...installed(env)].find(canRun);
}

function canRun(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
