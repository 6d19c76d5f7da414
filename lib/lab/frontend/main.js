// JupyterLab as its own application starts, without federated extensions: everything is in this bundle.
import "sdtp-style";
import { JupyterLab } from "@jupyterlab/application";
import { JupyterPluginRegistry, PageConfig } from "@jupyterlab/coreutils";
import { IConnectionStatus, IServiceManager } from "@jupyterlab/services";
import { extensions, mimeExtensions } from "sdtp-extensions";
import * as anywidget from "./anywidget.js";
import * as atStop from "./debugger.js";
import * as outlive from "./outlive.js";

const disabled = [];
const deferred = [];
const all = [];

/** Plugins of a package that are not switched off. */
function active([name, module]) {
  const plugins = [module.default ?? module].flat();
  return plugins.filter((plugin) => {
    const off = PageConfig.Extension.isDisabled(plugin.id);
    all.push({
      id: plugin.id, description: plugin.description, requires: plugin.requires ?? [], optional: plugin.optional ?? [],
      provides: plugin.provides ?? null, autoStart: plugin.autoStart, enabled: !off, extension: name,
    });
    if (off) disabled.push(plugin.id);
    else if (PageConfig.Extension.isDeferred(plugin.id)) deferred.push(plugin.id);
    return !off;
  });
}

async function main() {
  const mime = (await mimeExtensions()).flatMap(active);
  const plugins = [...(await extensions()), ["sdtp-notebook", outlive], ["sdtp-notebook", anywidget], ["sdtp-notebook", atStop]].flatMap(active);
  const pluginRegistry = new JupyterPluginRegistry();
  pluginRegistry.registerPlugins(plugins);
  const connectionStatus = await pluginRegistry.resolveOptionalService(IConnectionStatus);
  const serviceManager = await pluginRegistry.resolveRequiredService(IServiceManager);
  const lab = new JupyterLab({
    pluginRegistry, serviceManager, connectionStatus, mimeExtensions: mime, availablePlugins: all,
    disabled: { matches: disabled, patterns: PageConfig.Extension.disabled },
    deferred: { matches: deferred, patterns: PageConfig.Extension.deferred },
  });
  await lab.start({ ignorePlugins: deferred, bubblingKeydown: true });
  if (PageConfig.getOption("exposeAppInBrowser") === "true") window.jupyterapp = lab;
}

if (document.readyState === "complete") void main();
else window.addEventListener("load", () => void main());
