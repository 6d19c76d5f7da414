import { spawn, type ChildProcess, type StdioOptions } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { KernelClient, KernelDied, type WaitOptions } from "./client.js";
import { createConnection, writeConnectionFile, type ConnectionInfo, type ConnectionOptions } from "./connection.js";
import { fillArgv, type KernelSpec } from "./kernelspec.js";

export interface LaunchOptions extends ConnectionOptions {
  /** A kernelspec, or only a command with `{connection_file}` in it. */
  spec: Pick<KernelSpec, "argv"> & Partial<KernelSpec>;
  /** Folder of kernel.json, for `{resource_dir}`. */
  resourceDir?: string;
  /** The kernel's working folder: the notebook's. */
  cwd?: string;
  env?: Record<string, string>;
  /** The process's own stdin, stdout and stderr (not those of cells). Default: ignored, ignored, kept in {@link Kernel.log}. */
  stdio?: StdioOptions;
}

/** A kernel process that we started, and its client. */
export class Kernel {
  readonly #options: LaunchOptions;
  readonly #folder: string;
  #process: ChildProcess;
  #client: KernelClient;
  #log = "";
  #exit: Promise<void>;

  private constructor(options: LaunchOptions, folder: string, readonly connection: ConnectionInfo) {
    this.#options = options;
    this.#folder = folder;
    this.#client = new KernelClient(connection);
    [this.#process, this.#exit] = this.#spawn();
  }

  /**
   * Starts a kernel; resolves when it answers.
   * @throws KernelDied where the process ends first, with what it wrote to stderr; KernelTimeout.
   */
  static async start(options: LaunchOptions, wait: WaitOptions = {}): Promise<Kernel> {
    const connection = await createConnection(options);
    const folder = mkdtempSync(join(tmpdir(), "sdtp-kernel-"));
    writeConnectionFile(join(folder, "connection.json"), connection);
    const kernel = new Kernel(options, folder, connection);
    try {
      await kernel.#client.ready({ timeout: 60_000, ...wait });
      return kernel;
    } catch (error) {
      await kernel.kill();
      throw error;
    }
  }

  get client(): KernelClient {
    return this.#client;
  }

  get pid(): number | undefined {
    return this.#process.pid;
  }

  /** What the process wrote to stderr (the last 64 KiB). */
  get log(): string {
    return this.#log;
  }

  /** Resolves when the process has ended. */
  get exited(): Promise<void> {
    return this.#exit;
  }

  /** Stops the running cell, in the way that the kernelspec asks for. */
  async interrupt(options: WaitOptions = {}): Promise<void> {
    if (this.#options.spec.interrupt_mode === "message") await this.#client.interrupt(options);
    else this.#process.kill("SIGINT");
  }

  /** Ends the process and starts it anew on the same ports; resolves when it answers. Variables are gone. */
  async restart(wait: WaitOptions = {}): Promise<void> {
    await this.#stop(true);
    await this.#client.close();
    this.#client = new KernelClient(this.connection);
    [this.#process, this.#exit] = this.#spawn();
    await this.#client.ready({ timeout: 60_000, ...wait });
  }

  /** Asks the kernel to end, kills it where it does not within `grace` ms, and removes what it left. */
  async shutdown(grace = 5000): Promise<void> {
    await this.#stop(false, grace);
    await this.#cleanUp();
  }

  /** Ends the process at once. */
  async kill(): Promise<void> {
    this.#process.kill("SIGKILL");
    await this.#exit;
    await this.#cleanUp();
  }

  async #stop(restart: boolean, grace = 5000): Promise<void> {
    // A process that has ended does not answer.
    await Promise.race([this.#client.shutdown(restart, { timeout: grace }).catch(() => undefined), this.#exit]);
    const timer = setTimeout(() => this.#process.kill("SIGKILL"), grace);
    await this.#exit;
    clearTimeout(timer);
  }

  async #cleanUp(): Promise<void> {
    await this.#client.close();
    rmSync(this.#folder, { recursive: true, force: true });
  }

  #spawn(): [ChildProcess, Promise<void>] {
    const { spec, resourceDir = this.#folder, cwd, env, stdio } = this.#options;
    const [command = "", ...args] = fillArgv(spec.argv, {
      connectionFile: join(this.#folder, "connection.json"),
      resourceDir,
    });
    const child = spawn(command, args, {
      ...(cwd === undefined ? {} : { cwd }),
      env: { ...process.env, ...spec.env, ...env },
      stdio: stdio ?? ["ignore", "ignore", "pipe"],
      windowsHide: true,
    });
    child.stderr?.setEncoding("utf8").on("data", (text: string) => (this.#log = (this.#log + text).slice(-65_536)));
    // A command that does not exist gives `error` and no `exit`.
    const ended = new Promise<string>((resolve) => {
      child.once("error", (error) => resolve(error.message));
      child.once("exit", (code, signal) => setImmediate(resolve, `exit ${signal ?? code}`));
    });
    const exit = ended.then((why) => {
      this.#client.abandon(new KernelDied(`kernel: ended (${why})${this.#log ? `\n${this.#log.trimEnd()}` : ""}`));
    });
    return [child, exit];
  }
}

