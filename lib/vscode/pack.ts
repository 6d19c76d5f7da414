import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import type ts from "@tslab/typescript-for-tslab";
import { strToU8, zipSync } from "fflate";

/** Names of the extension, and of the plugin in it. */
export const EXTENSION = "sdtp-notebook";
export const PLUGIN = "sdtp-notebook-cells";

const PARTS = ["plugin", "appended", "cells", "declared", "within"] as const;

/** Files of the extension by their paths in it. @param packageRoot of this package, whose types the cells of notebooks have that have none of their own */
export function extensionFiles(packageRoot: string): Record<string, string> {
  const manifest = JSON.parse(readFileSync(join(packageRoot, "package.json"), "utf8")) as { version: string; description: string; license: string };
  const typescript = createRequire(import.meta.url)("@tslab/typescript-for-tslab") as typeof ts;
  // VS Code and TypeScript's server load CommonJS.
  const commonJs = (name: string) =>
    typescript.transpileModule(readFileSync(join(packageRoot, "dist", "lib", "vscode", `${name}.js`), "utf8").replace(/^\/\/# sourceMappingURL=.*$/m, ""), {
      compilerOptions: { module: typescript.ModuleKind.CommonJS, target: typescript.ScriptTarget.ES2022, esModuleInterop: true },
    }).outputText;
  const json = (value: unknown) => `${JSON.stringify(value, null, 2)}\n`;
  const plugin = `node_modules/${PLUGIN}`;
  return {
    "package.json": json({
      name: EXTENSION, displayName: "sdtp notebook", description: "Cells of TypeScript notebooks know what the kernel knows: names of earlier cells, what is preloaded, await.",
      version: manifest.version, publisher: EXTENSION, license: manifest.license, engines: { vscode: "^1.90.0" }, categories: ["Notebooks", "Programming Languages"],
      extensionDependencies: ["vscode.typescript-language-features"], activationEvents: ["onNotebook:jupyter-notebook"], main: "./extension.js",
      contributes: { typescriptServerPlugins: [{ name: PLUGIN, enableForWorkspaceTypeScriptVersions: true }] },
      // It reads packages and types of the notebook's folder, as TypeScript does.
      capabilities: { untrustedWorkspaces: { supported: true }, virtualWorkspaces: false },
    }),
    "extension.js": commonJs("extension"),
    "cell-files.js": commonJs("cell-files"),
    "readme.md": "TypeScript cells of notebooks, as the kernel of sdtp-notebook sees them. `npx sdtp vscode` installs this extension.\n",
    [`${plugin}/package.json`]: json({ name: PLUGIN, version: manifest.version, main: "index.js", license: manifest.license }),
    [`${plugin}/index.js`]: `module.exports = (modules) => require("./plugin.js").plugin(modules, ${JSON.stringify(packageRoot)});\n`,
    ...Object.fromEntries(PARTS.map((name) => [`${plugin}/${name}.js`, commonJs(`plugin/${name}`)])),
  };
}

/** The extension as VS Code installs it: a zip with the files, a manifest, and what the endings of its files mean. */
export function vsix(packageRoot: string): Uint8Array {
  const files = extensionFiles(packageRoot);
  const { displayName, description, version, publisher, engines } = JSON.parse(files["package.json"]!) as { displayName: string; description: string; version: string; publisher: string; engines: { vscode: string } };
  const manifest = `<?xml version="1.0" encoding="utf-8"?>
<PackageManifest Version="2.0.0" xmlns="http://schemas.microsoft.com/developer/vsx-schema/2011" xmlns:d="http://schemas.microsoft.com/developer/vsx-schema-design/2011">
  <Metadata>
    <Identity Language="en-US" Id="${EXTENSION}" Version="${version}" Publisher="${publisher}" />
    <DisplayName>${displayName}</DisplayName>
    <Description xml:space="preserve">${description}</Description>
    <Tags>notebook,typescript,jupyter</Tags>
    <Categories>Notebooks,Programming Languages</Categories>
    <GalleryFlags>Public</GalleryFlags>
    <Properties>
      <Property Id="Microsoft.VisualStudio.Code.Engine" Value="${engines.vscode}" />
      <Property Id="Microsoft.VisualStudio.Code.ExtensionDependencies" Value="vscode.typescript-language-features" />
      <Property Id="Microsoft.VisualStudio.Code.ExtensionPack" Value="" />
      <Property Id="Microsoft.VisualStudio.Code.ExtensionKind" Value="workspace" />
    </Properties>
  </Metadata>
  <Installation>
    <InstallationTarget Id="Microsoft.VisualStudio.Code" />
  </Installation>
  <Dependencies />
  <Assets>
    <Asset Type="Microsoft.VisualStudio.Code.Manifest" Path="extension/package.json" Addressable="true" />
    <Asset Type="Microsoft.VisualStudio.Services.Content.Details" Path="extension/readme.md" Addressable="true" />
  </Assets>
</PackageManifest>
`;
  const types = `<?xml version="1.0" encoding="utf-8"?>
<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types"><Default Extension=".json" ContentType="application/json" /><Default Extension=".js" ContentType="application/javascript" /><Default Extension=".md" ContentType="text/markdown" /><Default Extension=".vsixmanifest" ContentType="text/xml" /></Types>
`;
  const all = { "extension.vsixmanifest": manifest, "[Content_Types].xml": types, ...Object.fromEntries(Object.entries(files).map(([name, text]) => [`extension/${name}`, text])) };
  return zipSync(Object.fromEntries(Object.entries(all).map(([name, text]) => [name, strToU8(text)])), { mtime: new Date("2020-01-01T00:00:00Z") });
}
