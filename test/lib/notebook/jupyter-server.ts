import { type ChildProcess, spawn } from "node:child_process";
import { mkdirSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { installKernel } from "../../../kernel/install.js";

/** A Jupyter Notebook server on the loopback interface, which sees our kernel and keeps all that it writes in one folder. */
export class JupyterServer {
  private constructor(
    private readonly child: ChildProcess,
    private readonly port: number,
    private readonly token: string,
    private readonly log: () => string,
  ) {}

  /** @param folder where the notebooks are; `home` for everything else */
  static async start(folder: string, home: string): Promise<JupyterServer> {
    mkdirSync(home, { recursive: true });
    installKernel({ where: { prefix: home } });
    const [port, token] = [await freePort(), "a-token-of-a-test"];
    const env = {
      ...process.env,
      HOME: home,
      JUPYTER_PATH: join(home, "share", "jupyter"),
      JUPYTER_CONFIG_DIR: join(home, "config"),
      JUPYTER_DATA_DIR: join(home, "data"),
      JUPYTER_RUNTIME_DIR: join(home, "runtime"),
      IPYTHONDIR: join(home, "ipython"),
    };
    const args = ["--no-browser", "--allow-root", "--ip=127.0.0.1", `--port=${port}`, "--port-retries=0", `--NotebookApp.token=${token}`, `--notebook-dir=${folder}`];
    const child = spawn("jupyter-notebook", args, { cwd: folder, env, stdio: ["ignore", "pipe", "pipe"] });
    let log = "";
    for (const stream of [child.stdout, child.stderr]) stream.setEncoding("utf8").on("data", (text: string) => (log += text));
    const server = new JupyterServer(child, port, token, () => log);
    await server.ready();
    return server;
  }

  get origin(): string {
    return `http://127.0.0.1:${this.port}/`;
  }

  url(path: string): string {
    return `${this.origin}${path}?token=${this.token}`;
  }

  /** Its kernels end with it. */
  async stop(): Promise<void> {
    if (this.child.exitCode !== null) return;
    const ended = new Promise((resolve) => this.child.once("exit", resolve));
    this.child.kill("SIGTERM");
    const timer = setTimeout(() => this.child.kill("SIGKILL"), 20_000);
    await ended;
    clearTimeout(timer);
  }

  private async ready(): Promise<void> {
    for (const end = Date.now() + 120_000; ; ) {
      if (this.child.exitCode !== null || Date.now() > end) throw new Error(`jupyter-notebook does not start:\n${this.log()}`);
      const answer = await fetch(this.url("api/status")).catch(() => undefined);
      if (answer?.ok) return;
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
  }
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const probe = createServer().once("error", reject);
    probe.listen(0, "127.0.0.1", () => {
      const { port } = probe.address() as { port: number };
      probe.close(() => resolve(port));
    });
  });
}
