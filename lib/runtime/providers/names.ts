/** Plugin providers as devices: `openvino`, which was tried, and any other by a name given to it. */
export type PluginName = "openvino" | `plugin:${string}`;

export function isPluginName(text: string): text is PluginName {
  return text === "openvino" || /^plugin:[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/.test(text);
}

/** What a provider is called where plugins are added: `openvino`, `NAME` of `plugin:NAME`. */
export const pluginOf = (device: PluginName): string => device.replace(/^plugin:/, "");

/** The device of a provider that was added under a name. */
export const deviceOf = (name: string): PluginName => (name === "openvino" ? name : `plugin:${name}`);

/** Names a plugin's library for all processes that are started from here, such as those that measure: what `--provider-library` sets. */
export const LIBRARY_VARIABLE = "SDTP_PROVIDER_LIBRARY";
