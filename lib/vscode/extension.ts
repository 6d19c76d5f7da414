/** VS Code's side: tells the plugin in which order a notebook's cells stand, which TypeScript's server cannot know. */
import * as vscode from "vscode";
import { cellsByNotebook } from "./cell-files.js";

/** What VS Code's own TypeScript extension gives to others. */
interface TypeScriptExtension {
  getAPI(version: 0): { configurePlugin(plugin: string, configuration: object): void } | undefined;
}

const PLUGIN = "sdtp-notebook-cells";

export async function activate(context: vscode.ExtensionContext): Promise<void> {
  const typescript = await vscode.extensions.getExtension<TypeScriptExtension>("vscode.typescript-language-features")?.activate();
  const api = typescript?.getAPI(0);
  if (!api) return;
  let last = "";
  const tell = () => {
    const notebooks = cellsByNotebook(vscode.workspace.notebookDocuments);
    // Outputs change all the time.
    if (JSON.stringify(notebooks) === last) return;
    last = JSON.stringify(notebooks);
    api.configurePlugin(PLUGIN, { notebooks });
  };
  context.subscriptions.push(vscode.workspace.onDidOpenNotebookDocument(tell), vscode.workspace.onDidChangeNotebookDocument(tell), vscode.workspace.onDidCloseNotebookDocument(tell));
  tell();
}
