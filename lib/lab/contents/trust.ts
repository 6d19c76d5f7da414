import { createHmac, randomBytes } from "node:crypto";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { writeWhole } from "../../files.js";
import type { CodeCell, Notebook } from "../../notebook/types.js";

/** As many notebooks are remembered. */
const CAPACITY = 20_000;

/**
 * Whose outputs may run scripts: those that this user's kernels made. A notebook whose outputs all came from cells that ran here,
 * or that its reader trusts, is signed; what comes from elsewhere is not, and JupyterLab shows its HTML without scripts.
 */
export class Trust {
  readonly #file: string;
  readonly #secret: Buffer;
  readonly #known: Set<string>;

  /** @param folder of this user alone */
  constructor(folder: string) {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    this.#file = join(folder, "trusted.json");
    this.#secret = secretIn(join(folder, "secret"));
    this.#known = new Set(listIn(this.#file));
  }

  /** The notebook with what JupyterLab goes by: `trusted` on each code cell. */
  marked(notebook: Notebook): Notebook {
    const trusted = this.#known.has(this.#digest(notebook));
    for (const cell of notebook.cells) if (cell.cell_type === "code") cell.metadata["trusted"] = trusted || harmless(cell);
    return notebook;
  }

  /** Takes the marks off a notebook that is to be stored, and remembers it where every output is trusted. */
  take(notebook: Notebook): Promise<void> {
    let all = true;
    for (const cell of notebook.cells) {
      const { trusted, ...metadata } = cell.metadata;
      if (cell.cell_type === "code") all &&= trusted === true || harmless(cell);
      cell.metadata = metadata;
    }
    return all ? this.sign(notebook) : Promise.resolve();
  }

  /** From now on this notebook's outputs are trusted. */
  async sign(notebook: Notebook): Promise<void> {
    const digest = this.#digest(notebook);
    if (this.#known.has(digest)) return;
    // Another lab of this user may have written there.
    for (const each of listIn(this.#file)) this.#known.add(each);
    this.#known.add(digest);
    for (const oldest of this.#known) {
      if (this.#known.size <= CAPACITY) break;
      this.#known.delete(oldest);
    }
    // What is not remembered is shown without scripts, and nothing else.
    await writeWhole(this.#file, JSON.stringify([...this.#known])).catch(() => undefined);
  }

  has(notebook: Notebook): boolean {
    return this.#known.has(this.#digest(notebook));
  }

  /** Over what can run: outputs and attachments do not depend on how the notebook's text is laid out. */
  #digest({ cells }: Notebook): string {
    const hmac = createHmac("sha256", this.#secret);
    for (const cell of cells) {
      if (cell.cell_type === "markdown") hmac.update(`m${text(cell.source)}`);
      if (cell.cell_type === "code") hmac.update(`c${JSON.stringify(cell.outputs, (_, value: unknown) => (Array.isArray(value) && value.every((each) => typeof each === "string") ? value.join("") : ordered(value)))}`);
    }
    return hmac.digest("hex");
  }
}

const text = (source: string | string[]) => (typeof source === "string" ? source : source.join(""));

function ordered(value: unknown): unknown {
  if (value === null || typeof value !== "object" || Array.isArray(value) || value instanceof Number) return value;
  return Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)));
}

/** Text and nothing else. */
function harmless(cell: CodeCell): boolean {
  return cell.outputs.every((output) => !("data" in output) || Object.keys(output.data).every((type) => type === "text/plain"));
}

function secretIn(file: string): Buffer {
  try {
    // The first of several labs that start at once makes it.
    writeFileSync(file, randomBytes(32), { mode: 0o600, flag: "wx" });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
  }
  return readFileSync(file);
}

function listIn(file: string): string[] {
  try {
    const list = JSON.parse(readFileSync(file, "utf8")) as unknown;
    return Array.isArray(list) ? list.filter((each) => typeof each === "string") : [];
  } catch {
    return [];
  }
}
