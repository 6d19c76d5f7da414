// What was measured so far, a line each, beside the result: a run that was stopped goes on from it.
import { appendFileSync, existsSync, readFileSync } from "node:fs";
import { isDeepStrictEqual } from "node:util";
import { writeOutput } from "../../lib/files.js";
import type { ModelName } from "./models.js";

/** What all samples of a file have in common. */
export interface Settings {
  readonly schema_version: 1;
  readonly threads: number;
  /** Tokens decoded after the first one. */
  readonly new_tokens: number;
  readonly cpu: { readonly model: string; readonly cores: number };
  readonly memory_bytes: number;
}

interface Place {
  readonly model: ModelName;
  /** Tokens of the prompt. */
  readonly length: number;
  /** See `Row.id`. */
  readonly row: string;
  /** From 1. */
  readonly round: number;
}

/** One process of a peer: loaded, run once to be warm, then measured. Seconds, bytes. */
export interface Sample extends Place {
  readonly time: string;
  /** Of this package. */
  readonly commit: string | null;
  readonly versions: Readonly<Record<string, string>>;
  /** As the peer says that it runs. */
  readonly settings: Readonly<Record<string, string | number | boolean | null>>;
  readonly prefill_seconds: number;
  /** `[new_tokens]` */
  readonly decode_seconds: readonly number[];
  /** Greedy ones, the first from the prompt's last logits, `[new_tokens + 1]`. */
  readonly tokens: readonly number[];
  readonly prompt_sha256: string;
  /** From the start of the process, files in memory. */
  readonly start_to_first_token_seconds: number;
  /** Largest resident size of the process; null where the system does not say. */
  readonly peak_memory_bytes: number | null;
  /** Processors that others kept busy while it was measured; null where the system does not say. */
  readonly load: number | null;
  /** Of the whole process. */
  readonly visit_seconds: number;
}

/** Why there is no sample. */
export interface Failure extends Place {
  readonly time: string;
  readonly reason: string;
}

export const isFailure = (line: Sample | Failure): line is Failure => "reason" in line;

export const placeOf = ({ model, length, row, round }: Place): string => JSON.stringify([model, length, row, round]);

export class Samples {
  private constructor(readonly file: string, readonly settings: Settings, readonly lines: (Sample | Failure)[]) {}

  /** Opens what is there, or begins. @throws where it was measured with other settings, or the file is damaged */
  static async open(file: string, settings: Settings): Promise<Samples> {
    if (!existsSync(file)) {
      await writeOutput(file, `${JSON.stringify(settings)}\n`);
      return new Samples(file, settings, []);
    }
    const { settings: before, lines } = readSamples(file);
    const other = (Object.keys(settings) as (keyof Settings)[]).find((key) => !isDeepStrictEqual(before[key], settings[key]));
    if (other !== undefined) throw new Error(`output: ${file} (was measured with ${other} ${JSON.stringify(before[other])}, not ${JSON.stringify(settings[other])}: give another --output, or remove it)`);
    // What a kill left of a last line.
    await writeOutput(file, [before, ...lines].map((line) => `${JSON.stringify(line)}\n`).join(""));
    return new Samples(file, settings, lines);
  }

  add(line: Sample | Failure): void {
    appendFileSync(this.file, `${JSON.stringify(line)}\n`);
    this.lines.push(line);
  }
}

/** @throws where a line, but a last one without its end, cannot be read */
export function readSamples(file: string): { readonly settings: Settings; readonly lines: (Sample | Failure)[] } {
  const all = readFileSync(file, "utf8").split("\n");
  // Whole lines end with a newline, so that the last part is empty or cut off.
  const [settings, ...lines] = all.slice(0, -1).map((line, i) => {
    try {
      return JSON.parse(line) as unknown;
    } catch {
      throw new Error(`samples: ${file} (line ${i + 1} is no JSON)`);
    }
  });
  if ((settings as Settings | undefined)?.schema_version !== 1) throw new Error(`samples: ${file} (its first line must be settings of schema_version 1)`);
  return { settings: settings as Settings, lines: lines as (Sample | Failure)[] };
}
