import { homedir } from "node:os";
import { delimiter, join } from "node:path";

/** Where Jupyter looks, as jupyter_core does. `env` and `platform` are parameters for tests. */
export interface PathContext {
  env?: NodeJS.ProcessEnv;
  platform?: NodeJS.Platform;
  home?: string;
}

/** The user's data folder: JUPYTER_DATA_DIR, or the platform's. */
export function userDataDir({ env = process.env, platform = process.platform, home = homedir() }: PathContext = {}): string {
  if (env.JUPYTER_DATA_DIR) return env.JUPYTER_DATA_DIR;
  if (platform === "darwin") return join(home, "Library", "Jupyter");
  if (platform === "win32") {
    return env.APPDATA ? join(env.APPDATA, "jupyter") : join(env.JUPYTER_CONFIG_DIR ?? join(home, ".jupyter"), "data");
  }
  return join(env.XDG_DATA_HOME || join(home, ".local", "share"), "jupyter");
}

/** The folder for everyone on this machine. */
export function systemDataDir({ env = process.env, platform = process.platform }: PathContext = {}): string {
  return platform === "win32" ? join(env.PROGRAMDATA ?? "C:\\ProgramData", "jupyter") : "/usr/local/share/jupyter";
}

/** The active Python environment's folder (virtualenv or conda), undefined where there is none. */
export function sysPrefix({ env = process.env }: PathContext = {}): string | undefined {
  return env.VIRTUAL_ENV || env.CONDA_PREFIX || undefined;
}

/** Data folders in the order in which Jupyter searches them. */
export function dataDirs(context: PathContext = {}): string[] {
  const { env = process.env, platform = process.platform } = context;
  const dirs = (env.JUPYTER_PATH ?? "").split(delimiter).filter(Boolean);
  const prefix = sysPrefix(context);
  const user = userDataDir(context);
  if (prefix && env.JUPYTER_PREFER_ENV_PATH !== "0") dirs.push(join(prefix, "share", "jupyter"), user);
  else dirs.push(user, ...(prefix ? [join(prefix, "share", "jupyter")] : []));
  dirs.push(systemDataDir(context));
  if (platform !== "win32") dirs.push("/usr/share/jupyter");
  return [...new Set(dirs)];
}

/** Where connection files are written. */
export function runtimeDir(context: PathContext = {}): string {
  const { env = process.env } = context;
  return env.JUPYTER_RUNTIME_DIR ?? join(userDataDir(context), "runtime");
}
