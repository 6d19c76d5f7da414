import { type ChildProcess, spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { packageRoot } from "../../../lib/checkpoint/package-root.js";
import { extensionFiles, PLUGIN } from "../../../lib/vscode/pack.js";
import { within } from "../../waits.js";

/** What VS Code sets for files without a tsconfig.json. */
const INFERRED = { module: "ESNext", moduleResolution: "Node", target: "ES2022", jsx: "react", allowImportingTsExtensions: true, strictNullChecks: true, strictFunctionTypes: true, sourceMap: true, allowJs: true, allowSyntheticDefaultImports: true, allowNonTsExtensions: true, resolveJsonModule: true };

interface Place {
  line: number;
  offset: number;
}
interface Diagnostic {
  start: Place;
  end: Place;
  code: number;
  text: string;
  category: string;
}

/** TypeScript's server as VS Code starts and asks it, with the plugin of the packed extension; of another release by the folder in SDTP_TEST_TYPESCRIPT (typescript/lib). */
export class Server {
  readonly #child: ChildProcess;
  readonly #waiting = new Map<number, (message: { body?: unknown; success?: boolean; message?: string }) => void>();
  readonly #found = new Map<string, Record<string, Diagnostic[]>>();
  readonly #extension = mkdtempSync(join(tmpdir(), "sdtp-extension-"));
  #sequence = 0;

  private constructor() {
    for (const [name, text] of Object.entries(extensionFiles(packageRoot()))) {
      mkdirSync(dirname(join(this.#extension, name)), { recursive: true });
      writeFileSync(join(this.#extension, name), text);
    }
    const server = join(process.env.SDTP_TEST_TYPESCRIPT ?? dirname(createRequire(import.meta.url).resolve("@tslab/typescript-for-tslab")), "tsserver.js");
    this.#child = spawn(process.execPath, [server, "--useInferredProjectPerProjectRoot", "--disableAutomaticTypingAcquisition", "--noGetErrOnBackgroundUpdate", "--globalPlugins", PLUGIN, "--pluginProbeLocations", this.#extension], { stdio: ["pipe", "pipe", "inherit"] });
    let buffer = Buffer.alloc(0);
    this.#child.stdout!.on("data", (bytes: Buffer) => {
      buffer = Buffer.concat([buffer, bytes]);
      for (let head; (head = /^Content-Length: (\d+)\r?\n\r?\n/.exec(buffer.toString("latin1", 0, 64))) && buffer.length >= head[0].length + Number(head[1]); ) {
        const end = head[0].length + Number(head[1]);
        this.#receive(JSON.parse(buffer.toString("utf8", head[0].length, end)) as never);
        buffer = buffer.subarray(end);
      }
    });
  }

  static async start(): Promise<Server> {
    const server = new Server();
    await server.ask("configure", { hostInfo: "vscode", preferences: { providePrefixAndSuffixTextForRename: true, allowRenameOfImportPath: true } });
    await server.ask("compilerOptionsForInferredProjects", { options: INFERRED });
    return server;
  }

  #receive(message: { type: string; event?: string; request_seq?: number; body: { file: string; request_seq: number; diagnostics: Diagnostic[] } }): void {
    if (message.type === "response") this.#waiting.get(message.request_seq!)?.(message as never);
    else if (message.event === "requestCompleted") this.#waiting.get(message.body.request_seq)?.({});
    else if (message.event?.endsWith("Diag")) this.#found.set(message.body.file, { ...this.#found.get(message.body.file), [message.event]: message.body.diagnostics });
  }

  /** @throws where the server says that it cannot */
  ask<T = unknown>(command: string, args: object): Promise<T> {
    return within(`${command} of TypeScript's server`, new Promise((resolve, reject) => {
      const seq = ++this.#sequence;
      this.#waiting.set(seq, ({ success, message, body }) => (success === false ? reject(new Error(`${command}: ${message}`)) : resolve(body as T)));
      this.#child.stdin!.write(`${JSON.stringify({ seq, type: "request", command, arguments: args })}\n`);
    }), { seen: () => (this.#child.exitCode === null ? "it runs" : `it ended with ${this.#child.exitCode}`) });
  }

  /** What gets no answer. */
  tell(command: string, args: object): void {
    this.#child.stdin!.write(`${JSON.stringify({ seq: ++this.#sequence, type: "request", command, arguments: args })}\n`);
  }

  /** Opens a notebook's cells. @returns their files */
  async open(folder: string, texts: readonly string[], name = "book.ipynb"): Promise<string[]> {
    const files = texts.map((_, n) => cellFile(join(folder, name), n));
    await this.ask("updateOpen", { openFiles: files.map((file, n) => ({ file, fileContent: texts[n], projectRootPath: folder, scriptKindName: "TS" })), changedFiles: [], closedFiles: [] });
    return files;
  }

  /** Errors of each file: `line:column code text`. */
  async errors(files: readonly string[]): Promise<string[][]> {
    this.#found.clear();
    await this.ask("geterr", { delay: 0, files });
    return files.map((file) => Object.values(this.#found.get(file) ?? {}).flat().filter(({ category }) => category === "error").map(({ start, code, text }) => `${start.line}:${start.offset} ${code} ${text}`));
  }

  close(): void {
    this.#child.kill();
    rmSync(this.#extension, { recursive: true, force: true });
  }
}

/** As VS Code names a cell to the server. */
export function cellFile(notebook: string, n: number): string {
  const digits = n.toString(7);
  return `^/vscode-notebook-cell/ts-nul-authority${notebook}#${"WXYZ"[digits.length - 1]}${digits}sZmlsZQ`;
}
