/** What the lab uses of a pseudoterminal. Source: https://github.com/microsoft/node-pty (typings/node-pty.d.ts) */
export interface Pty {
  /** Of the shell, which leads the terminal's session. */
  readonly pid: number;
  write(text: string): void;
  resize(columns: number, rows: number): void;
  /** What is printed waits, and then whoever prints. */
  pause(): void;
  resume(): void;
  /** Default SIGHUP. Windows knows no signals. */
  kill(signal?: string): void;
  onData(listener: (text: string) => void): unknown;
  onExit(listener: () => void): unknown;
}

export type Spawn = (file: string, args: string[], options: { name: string; cols: number; rows: number; cwd: string; env: NodeJS.ProcessEnv }) => Pty;

/** node-pty with its binaries in packages of their own, one a platform: no script runs where it is installed. */
const PACKAGE = "@lydell/node-pty";

/** Loads pseudoterminals, which are an optional part of this package. @throws Error that says what is missing */
export async function loadPty(name: string = PACKAGE): Promise<Spawn> {
  try {
    const { default: module } = (await import(name)) as { default: { spawn: Spawn } };
    return module.spawn;
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    const reason = code === "ERR_MODULE_NOT_FOUND" ? "is not installed" : `does not load on ${process.platform} ${process.arch}: ${message.split("\n")[0]}`;
    throw new Error(`terminals: none (the optional package ${name} ${reason})`);
  }
}
