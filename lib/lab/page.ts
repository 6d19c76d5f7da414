import type { Assets } from "./assets.js";

export interface PageOptions {
  /** The folder that is served. */
  readonly folder: string;
  readonly terminals: boolean;
  /** Below the folder, what is to be opened; empty: what was open. */
  readonly tree: string;
  readonly workspace: string;
  /** One document fills the page. */
  readonly single: boolean;
  readonly notFound?: string;
}

/** Plugins that ask servers on the network, and those for language servers, which there are none of. */
const DISABLED = ["@jupyterlab/apputils-extension:announcements", "@jupyterlab/notebook-extension:language-server", "@jupyterlab/fileeditor-extension:language-server"];

/** JupyterLab's page. What it reads of the server is in `jupyter-config-data`. */
export function page(assets: Assets, { folder, terminals, tree, workspace, single, notFound }: PageOptions): string {
  const config = {
    appName: "JupyterLab", appNamespace: "lab", appUrl: "/lab", appVersion: assets.version, notebookVersion: "[7, 0, 0]",
    baseUrl: "/", wsUrl: "", treeUrl: "/lab/tree", workspacesUrl: "/lab/workspaces", labextensionsUrl: "/lab/extensions",
    settingsUrl: "/lab/api/settings", themesUrl: "/lab/api/themes", translationsApiUrl: "/lab/api/translations", workspacesApiUrl: "/lab/api/workspaces", licensesUrl: "/lab/api/licenses",
    fullAppUrl: "/lab", fullStaticUrl: "/static/lab", fullTreeUrl: "/lab/tree", fullWorkspacesUrl: "/lab/workspaces", fullLabextensionsUrl: "/lab/extensions",
    fullSettingsUrl: "/lab/api/settings", fullThemesUrl: "/lab/api/themes", fullTranslationsApiUrl: "/lab/api/translations", fullWorkspacesApiUrl: "/lab/api/workspaces", fullLicensesUrl: "/lab/api/licenses",
    cacheFiles: true, devMode: false, buildAvailable: false, buildCheck: false, exposeAppInBrowser: true, quitButton: true, store_id: 0, collaborative: false,
    federated_extensions: [], ignorePlugins: [], disabledExtensions: DISABLED, deferredExtensions: [],
    terminalsAvailable: terminals, serverRoot: folder.replaceAll("\\", "/"), preferredPath: "/",
    mode: single ? "single-document" : "multiple-document", workspace, treePath: tree, ...(notFound !== undefined && { notFoundUrl: notFound }),
  };
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>JupyterLab</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<script id="jupyter-config-data" type="application/json">${JSON.stringify(config).replaceAll("<", "\\u003c")}</script>
<link rel="icon" href="data:image/svg+xml,${encodeURIComponent(ICON)}" class="favicon">
${assets.scripts.map((name) => `<script defer src="/static/lab/${name.replace(/^static\//, "")}"></script>`).join("\n")}
</head>
<body class="jp-ThemedContainer">
<script>
// The token is in a cookie now: it need not stand in the address.
const address = new URL(location.href);
if (address.searchParams.has("token")) { address.searchParams.delete("token"); history.replaceState({}, "", address); }
</script>
</body>
</html>
`;
}

const ICON = '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 16 16"><circle cx="8" cy="8" r="7" fill="#3178c6"/><path d="M4 6h8M8 6v6" stroke="#fff" stroke-width="2"/></svg>';

/** What is shown to a browser without the token. */
export function refusedPage(message: string): string {
  const text = message.replaceAll("&", "&amp;").replaceAll("<", "&lt;");
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>sdtp lab: refused</title>
<style>body { font: 16px/1.5 system-ui, sans-serif; margin: 4rem auto; max-width: 36rem; padding: 0 1rem } input { font: inherit; width: 100%; box-sizing: border-box; padding: .4rem } button { font: inherit; margin-top: .6rem; padding: .3rem 1rem }</style></head>
<body><main><h1>This lab asks for its token</h1><p>${text}</p>
<form action="/lab"><label>Token <input name="token" type="password" autocomplete="off" autofocus></label><button>Open</button></form></main></body></html>
`;
}
