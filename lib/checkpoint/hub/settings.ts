import { existsSync, readFileSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";

/** Where the hub is and where its files are kept, by the environment variables that its own programs go by. */
export interface HubSettings {
  /** HF_ENDPOINT; the public hub. */
  readonly endpoint: string;
  /** HF_HUB_CACHE, HF_HOME/hub, XDG_CACHE_HOME/huggingface/hub, ~/.cache/huggingface/hub. */
  readonly cache: string;
  /** HF_TOKEN, or what `hf auth login` left. */
  readonly token: string | undefined;
  /** HF_HUB_OFFLINE: nothing is asked of the hub. */
  readonly offline: boolean;
}

/** https://huggingface.co/docs/huggingface_hub/package_reference/environment_variables */
export function hubSettings(env: NodeJS.ProcessEnv = process.env): HubSettings {
  const home = env["HF_HOME"] || join(env["XDG_CACHE_HOME"] || join(homedir(), ".cache"), "huggingface");
  const tokenFile = env["HF_TOKEN_PATH"] || join(home, "token");
  const on = (value: string | undefined) => /^(1|on|yes|true)$/i.test(value ?? "");
  return {
    endpoint: (env["HF_ENDPOINT"] || "https://huggingface.co").replace(/\/+$/, ""),
    cache: env["HF_HUB_CACHE"] || env["HUGGINGFACE_HUB_CACHE"] || join(home, "hub"),
    token: env["HF_TOKEN"]?.trim() || (existsSync(tokenFile) ? readFileSync(tokenFile, "utf8").trim() || undefined : undefined),
    offline: on(env["HF_HUB_OFFLINE"]) || on(env["TRANSFORMERS_OFFLINE"]),
  };
}
