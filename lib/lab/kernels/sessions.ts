import { randomUUID } from "node:crypto";
import { posix } from "node:path";
import { Refusal } from "../refusal.js";
import type { Kernels } from "./kernels.js";
import type { KernelModel, LabKernel } from "./kernel.js";

export interface SessionModel {
  id: string;
  path: string;
  name: string;
  type: string;
  kernel: KernelModel;
  notebook?: { path: string; name: string };
}

/** What a client asks for. */
export interface SessionAsked {
  path?: string;
  name?: string;
  type?: string;
  kernel?: { id?: string | null; name?: string | null };
}

interface Session {
  readonly id: string;
  path: string;
  name: string;
  type: string;
  kernel: LabKernel;
}

/** Which document has which kernel. A session outlives the tab that made it. */
export class Sessions {
  readonly #sessions = new Map<string, Session>();
  /** Two tabs that open a notebook at once get one kernel. */
  readonly #starting = new Map<string, Promise<Session>>();

  constructor(readonly kernels: Kernels) {}

  list(): SessionModel[] {
    return [...this.#sessions.values()].map(modelOf);
  }

  get(id: string): SessionModel {
    return modelOf(this.#find(id));
  }

  /** The document's session, a new one where it has none. */
  async open({ path = "", name = "", type = "notebook", kernel = {} }: SessionAsked): Promise<SessionModel> {
    if (path === "") throw new Refusal(400, "path: none (must be the document's)");
    const there = this.#starting.get(path) ?? [...this.#sessions.values()].find((session) => session.path === path);
    if (there) return modelOf(await there);
    const starting = this.#start({ path, name, type }, kernel);
    this.#starting.set(path, starting);
    return modelOf(await starting.finally(() => this.#starting.delete(path)));
  }

  async #start(about: { path: string; name: string; type: string }, kernel: NonNullable<SessionAsked["kernel"]>): Promise<Session> {
    const session = { id: randomUUID(), ...about, kernel: await this.#kernel(kernel, about.path) };
    this.#sessions.set(session.id, session);
    return session;
  }

  /** Another path (the document was renamed) or another kernel; a kernel that nothing uses any more ends. */
  async change(id: string, { path, name, type, kernel }: SessionAsked): Promise<SessionModel> {
    const session = this.#find(id);
    if (path !== undefined) session.path = path;
    if (name !== undefined) session.name = name;
    if (type !== undefined) session.type = type;
    if (kernel && (kernel.id ?? kernel.name)) {
      const before = session.kernel;
      session.kernel = await this.#kernel(kernel, session.path);
      if (before !== session.kernel && !this.#uses(before)) await this.kernels.end(before.id);
    }
    return modelOf(session);
  }

  /** Ends the session and its kernel, where no other document has that; `last` comes between the two. */
  async end(id: string, last: () => Promise<void> = () => Promise.resolve()): Promise<void> {
    const { kernel } = this.#find(id);
    const shared = [...this.#sessions.values()].some((session) => session.id !== id && session.kernel === kernel);
    if (!shared) await this.kernels.end(kernel.id);
    await last();
    this.#sessions.delete(id);
  }

  /** A document, or a folder above it, has another path. */
  moved(from: string, to: string): void {
    for (const session of this.#sessions.values()) {
      if (session.path === from) [session.path, session.name] = [to, session.name === "" ? "" : posix.basename(to)];
      else if (session.path.startsWith(`${from}/`)) session.path = to + session.path.slice(from.length);
    }
  }

  /** Sessions of a kernel that has ended. */
  withoutKernel(kernel: LabKernel): void {
    for (const session of [...this.#sessions.values()]) if (session.kernel === kernel) this.#sessions.delete(session.id);
  }

  /** Paths of the notebooks that a kernel runs. */
  notebooksOf(kernel: LabKernel): string[] {
    return [...this.#sessions.values()].filter((session) => session.kernel === kernel && session.path.endsWith(".ipynb")).map(({ path }) => path);
  }

  /** The kernels that run cells of a notebook. */
  kernelsOf(path: string): LabKernel[] {
    return [...this.#sessions.values()].filter((session) => session.path === path).map(({ kernel }) => kernel);
  }

  #uses(kernel: LabKernel): boolean {
    return [...this.#sessions.values()].some((session) => session.kernel === kernel);
  }

  async #kernel({ id, name }: { id?: string | null; name?: string | null }, path: string): Promise<LabKernel> {
    if (id) return this.kernels.get(id);
    return this.kernels.start(name ?? undefined, path.endsWith("/") ? path : posix.dirname(path));
  }

  #find(id: string): Session {
    const session = this.#sessions.get(id);
    if (!session) throw new Refusal(404, `session: ${id} (there is none of that id)`);
    return session;
  }
}

function modelOf({ id, path, name, type, kernel }: Session): SessionModel {
  return { id, path, name, type, kernel: kernel.model, ...(type === "notebook" && { notebook: { path, name } }) };
}
