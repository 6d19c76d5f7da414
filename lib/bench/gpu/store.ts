import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { writeOutput } from "../../files.js";
import { formatJson } from "../../format-json.js";
import type { Card } from "../../runtime/devices/nvidia-smi.js";
import type { Environment } from "../environment.js";
import type { GpuSettings } from "./settings.js";

/** What a folder's parts have in common: what is in it goes on only with the same. */
export interface RunRecord {
  readonly schema_version: 1;
  readonly settings: GpuSettings;
  readonly card: Card | null;
  readonly environment: Environment;
  readonly time: string;
}

/** A part that is done: what it gave, or why it gave nothing. */
export interface PartRecord<T = unknown> {
  readonly schema_version: 1;
  readonly id: string;
  readonly time: string;
  readonly result: T | null;
  readonly error: string | null;
}

/** Parts on disk, each a file that is whole or not there. */
export class PartStore {
  constructor(readonly folder: string) {}

  /**
   * Begins a run in the folder, or goes on with the one that is there.
   * @throws where what is there was measured otherwise, with what differs
   */
  async begin(record: RunRecord): Promise<RunRecord> {
    const before = (await this.json(join(this.folder, "run.json"))) as RunRecord | null;
    if (before === null) {
      await writeOutput(join(this.folder, "run.json"), formatJson(record), "folder");
      return record;
    }
    const facts = ({ settings, card, environment: { versions, cpu } }: RunRecord): Record<string, unknown> => ({
      ...Object.fromEntries(Object.entries(settings).map(([name, value]) => [name, JSON.stringify(value)])),
      card: card?.uuid ?? "none", driver: card?.driver ?? "none", processor: cpu.model, "ONNX Runtime": versions["onnxruntime-node"],
    });
    const [was, is] = [facts(before), facts(record)];
    const differs = Object.keys(is).find((name) => was[name] !== is[name]);
    if (differs) throw new Error(`folder: ${this.folder} (holds a run with ${differs} ${String(was[differs])}, this one has ${String(is[differs])}: give another folder)`);
    return before;
  }

  async read<T>(id: string): Promise<PartRecord<T> | null> {
    return (await this.json(this.file(id))) as PartRecord<T> | null;
  }

  async write(id: string, outcome: { result: unknown; error: string | null }): Promise<void> {
    const record: PartRecord = { schema_version: 1, id, time: new Date().toISOString(), ...outcome };
    await writeOutput(this.file(id), formatJson(record), "part");
  }

  private file(id: string): string {
    return join(this.folder, "parts", `${id}.json`);
  }

  private async json(file: string): Promise<unknown> {
    let text: string;
    try {
      text = await readFile(file, "utf8");
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "ENOENT") return null;
      throw error;
    }
    try {
      return JSON.parse(text);
    } catch {
      throw new Error(`part: ${file} (is damaged: remove it, and it is measured again)`);
    }
  }
}
