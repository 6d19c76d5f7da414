import { spawn } from "node:child_process";
import { join } from "node:path";
import { packageRoot } from "../../checkpoint/package-root.js";
import { endedEarly } from "../../ambient-signal.js";
import { lastWords } from "../isolate.js";

export interface OwnServer {
  /** `http://host:port`. */
  readonly base: string;
  readonly pid: number;
  /** Aborted, with what it said last, where it ends by itself. */
  readonly died: AbortSignal;
  close(): Promise<void>;
}

/**
 * Starts `sdtp serve` in a process of its own, whose memory and time are the server's alone.
 * @param options of `sdtp serve`, the model first @param apiKey that it asks for
 * @throws what it says where it does not start
 */
export async function startServer(options: readonly string[], apiKey: string | undefined, signal: AbortSignal): Promise<OwnServer> {
  signal.throwIfAborted();
  const child = spawn(process.execPath, [join(packageRoot(), "lib", "cli", "sdtp.mjs"), "serve", ...options, "--port", "0", "--end-with-parent"], {
    stdio: ["ignore", "pipe", "pipe"],
    // A terminal's Ctrl-C is for the client, which ends the server then.
    detached: true,
    env: { ...process.env, SDTP_API_KEY: apiKey ?? "" },
  });
  const died = new AbortController();
  let [said, stderr] = ["", ""];
  const ended = new Promise<void>((resolve) => {
    child.on("error", (error) => died.abort(error));
    child.on("close", (code, killer) => {
      died.abort(endedEarly(killer, `server: ended with ${killer ?? `code ${code}`}: ${lastWords(stderr) || "it said nothing"}`));
      resolve();
    });
  });
  child.stderr.setEncoding("utf8").on("data", (text: string) => (stderr = (stderr + text).slice(-4000)));
  const kill = () => child.kill("SIGKILL");
  process.once("exit", kill);
  const close = async () => {
    child.kill("SIGTERM");
    const timer = setTimeout(kill, CLOSING);
    await ended;
    clearTimeout(timer);
    process.off("exit", kill);
  };
  let abort = () => {};
  try {
    const base = await new Promise<string>((resolve, reject) => {
      child.stdout.setEncoding("utf8").on("data", (text: string) => {
        said += text;
        const url = / at (https?:\/\/\S+)\/v1$/m.exec(said)?.[1];
        if (url !== undefined) resolve(url);
      });
      died.signal.addEventListener("abort", () => reject(died.signal.reason as Error));
      signal.addEventListener("abort", (abort = () => reject(signal.reason as Error)));
    });
    return { base, pid: child.pid!, died: died.signal, close };
  } catch (error) {
    await close();
    throw error;
  } finally {
    signal.removeEventListener("abort", abort);
  }
}

/** Milliseconds that a server has to end what it does. */
const CLOSING = 10_000;
