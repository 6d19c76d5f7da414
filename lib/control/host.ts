/** What of the kernel is used here (kernel/child/api.ts says what each does): the library does not depend on the kernel. */
export interface Bundle {
  readonly data: Readonly<Record<string, unknown>>;
  readonly metadata: Readonly<Record<string, unknown>>;
}

export type Shown =
  | { readonly type: "stream"; readonly name: "stdout" | "stderr"; readonly text: string }
  | { readonly type: "display"; readonly bundle: Bundle; readonly displayId?: string; readonly update: boolean }
  | { readonly type: "clear"; readonly wait: boolean };

export interface Comm {
  readonly id: string;
  send(data: object, metadata?: object, buffers?: Uint8Array[]): void;
  close(data?: object): void;
  onMessage(listener: (data: Record<string, unknown>, buffers: Uint8Array[]) => void): void;
  onClose(listener: () => void): void;
}

export interface Task<T> {
  readonly done: Promise<T>;
  drop(reason: Error): void;
}

export interface Host {
  display(value: unknown, options: { raw: true; displayId: string }): { update(value: unknown, options: { raw: true }): void };
  bundle(value: unknown): Bundle | Promise<Bundle>;
  task<T>(work: (signal: AbortSignal) => T | Promise<T>, shown: (output: Shown) => void): Task<T>;
  readonly comms: {
    open(target: string, data: object, metadata: object): Comm;
    register(target: string, opened: (comm: Comm) => void): void;
  };
}

/** The kernel that the running cell is in. @throws outside of a notebook */
export function host(): Host {
  const found = (globalThis as { [key: symbol]: unknown })[Symbol.for("sdtp.notebook")] as Host | undefined;
  if (!found?.comms) throw new Error("control: no notebook (controls work in a cell)");
  return found;
}
