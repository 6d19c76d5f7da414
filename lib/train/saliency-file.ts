import { writeWhole } from "../files.js";
import { createReadStream, existsSync } from "node:fs";
import { mkdir, open, readFile, rm, stat, truncate } from "node:fs/promises";
import { dirname } from "node:path";
import { readByteRange, readSafetensorsHeader, readTensor, writeSafetensors, type SafetensorsHeader } from "../checkpoint/safetensors.js";
import { canonicalJson } from "../checkpoint/json.js";
import type { Objective, SaliencyTarget } from "../decoder/saliency.js";
import type { LossKind } from "./example-feeds.js";
import { hashExamples, type Example } from "./examples.js";
import { StatesFile } from "./states-file.js";

/** What a saliency file was made from; two runs with the same settings give the same file. */
export interface SaliencySettings {
  readonly blocks: readonly number[];
  readonly target: SaliencyTarget;
  readonly loss: LossKind;
  readonly objective: Objective;
  /** Hash of the model, see `Checkpoint.hash`. */
  readonly model: string;
  /** Size of the hidden states that are kept beside it, in FILE.states; absent: none are. */
  readonly states?: number;
}

/**
 * Appends saliency to `file.partial`, one example after the other, and turns it into a safetensors file at the end.
 * An interrupted run goes on after the last example that is wholly on disk.
 */
export class SaliencyWriter {
  private constructor(
    private readonly file: string,
    private readonly settings: SaliencySettings,
    private readonly examples: readonly Example[],
    private next: number,
    private readonly states: StatesFile | null,
  ) {}

  /** @throws where a partial file of other settings or data lies there */
  static async open(file: string, settings: SaliencySettings, examples: readonly Example[]): Promise<SaliencyWriter> {
    await mkdir(dirname(file), { recursive: true });
    const [data, about] = [`${file}.partial`, `${file}.partial.json`];
    const fingerprint = canonicalJson({ ...settings, data: hashExamples(examples) });
    if (!existsSync(about) || !existsSync(data)) {
      await rm(data, { force: true });
      await (await open(data, "wx")).close();
      await writeWhole(about, fingerprint);
    } else if ((await readFile(about, "utf8")) !== fingerprint) {
      throw new Error(`saliency run: ${data} (was begun with another model, data or settings: delete it, or choose another output file)`);
    }
    const { size } = await stat(data);
    const states = statesOf(file, settings);
    const stored = states ? await states.tokens() : Infinity;
    let [whole, tokens, next] = [0, 0, 0];
    for (; next < examples.length; next++) {
      const end = whole + bytesOf(examples[next]!, settings);
      if (end > size || tokens + examples[next]!.promptLength > stored) break;
      whole = end;
      tokens += examples[next]!.promptLength;
    }
    await truncate(data, whole);
    await states?.cut(tokens);
    return new SaliencyWriter(file, settings, examples, next, states);
  }

  /** Goes on from a finished file whose examples are the first of `examples`. */
  static async extending(file: string, found: SaliencyFile, examples: readonly Example[]): Promise<SaliencyWriter> {
    const data = await open(`${file}.partial`, "w");
    try {
      for (let index = 0; index < found.length; index++) await data.write(rowsOf(await found.values(index)));
    } finally {
      await data.close();
    }
    await writeWhole(`${file}.partial.json`, canonicalJson({ ...found.settings, data: hashExamples(examples) }));
    return SaliencyWriter.open(file, found.settings, examples);
  }

  /** Index of the example to be measured next; as many as there are: all are done. */
  get done(): number {
    return this.next;
  }

  /** Appends the next example's saliency, `[n]` for each block, and where they are kept its hidden states, `[n, d]` for each. */
  async append(values: readonly Float32Array[], states?: readonly Float32Array[]): Promise<void> {
    if (this.states) await this.states.append(states!, this.examples[this.next]!.promptLength);
    const handle = await open(`${this.file}.partial`, "a");
    try {
      await handle.write(rowsOf(values));
    } finally {
      await handle.close();
    }
    this.next++;
  }

  /**
   * Writes the whole: `saliency` F32 `[tokens, blocks]` of all examples one after the other, `ids` I32 `[tokens]`,
   * `offsets` I64 `[examples + 1]` (where each begins), `prompt_lengths` I32 `[examples]`; the settings in the metadata.
   */
  async finish(): Promise<void> {
    const { examples, settings, file } = this;
    if (this.next < examples.length) throw new Error(`saliency run: ${this.next} of ${examples.length} examples are done (all must be)`);
    const offsets = [0];
    for (const { ids } of examples) offsets.push(offsets.at(-1)! + ids.length);
    const tokens = offsets.at(-1)!;
    await writeSafetensors(file, [
      { name: "saliency", dtype: "F32", shape: [tokens, settings.blocks.length], data: () => createReadStream(`${file}.partial`) },
      { name: "ids", dtype: "I32", shape: [tokens], data: Int32Array.from(examples.flatMap(({ ids }) => ids)) },
      { name: "offsets", dtype: "I64", shape: [offsets.length], data: BigInt64Array.from(offsets, BigInt) },
      { name: "prompt_lengths", dtype: "I32", shape: [examples.length], data: Int32Array.from(examples, ({ promptLength }) => promptLength) },
    ], {
      format: "sdtp-saliency", blocks: JSON.stringify(settings.blocks), target: settings.target, loss: settings.loss, objective: settings.objective,
      model: settings.model, data: hashExamples(examples), normalised: "no", ...(settings.states !== undefined && { states: String(settings.states) }),
    });
    await Promise.all([rm(`${file}.partial`), rm(`${file}.partial.json`)]);
  }
}

const bytesOf = ({ ids }: Example, { blocks }: SaliencySettings): number => Float32Array.BYTES_PER_ELEMENT * ids.length * blocks.length;

/** As they stand in the file: of each token its number for each block. */
function rowsOf(values: readonly Float32Array[]): Uint8Array {
  const rows = new Float32Array(values[0]!.length * values.length);
  values.forEach((column, b) => column.forEach((value, token) => (rows[token * values.length + b] = value)));
  return new Uint8Array(rows.buffer);
}

const statesOf = (file: string, { blocks, states }: SaliencySettings): StatesFile | null => (states === undefined ? null : new StatesFile(`${file}.states`, blocks.length, states));

/** A saliency file opened for reading; numbers stay on disk until they are asked for. */
export class SaliencyFile {
  private constructor(
    private readonly header: SafetensorsHeader,
    readonly settings: SaliencySettings,
    /** Hash of the examples, see `hashExamples`. */
    readonly data: string,
    private readonly ids: Int32Array,
    private readonly offsets: readonly number[],
    private readonly promptLengths: Int32Array,
    private readonly statesFile: StatesFile | null,
  ) {}

  /** @throws where the file is not one that `sdtp train saliency` wrote */
  static async open(file: string): Promise<SaliencyFile> {
    const header = await readSafetensorsHeader(file);
    const { metadata, tensors } = header;
    if (metadata["format"] !== "sdtp-saliency") throw new Error(`saliency file: ${file} (not written by sdtp train saliency)`);
    const settings = {
      blocks: JSON.parse(metadata["blocks"]!) as number[],
      target: metadata["target"] as SaliencyTarget,
      loss: metadata["loss"] as LossKind,
      objective: metadata["objective"] as Objective,
      model: metadata["model"]!,
      ...(metadata["states"] !== undefined && { states: Number(metadata["states"]) }),
    };
    const offsets = Array.from((await readTensor(tensors.get("offsets")!)) as BigInt64Array, Number);
    return new SaliencyFile(
      header, settings, metadata["data"]!,
      (await readTensor(tensors.get("ids")!)) as Int32Array, offsets, (await readTensor(tensors.get("prompt_lengths")!)) as Int32Array,
      statesOf(file, settings),
    );
  }

  /** Number of examples. */
  get length(): number {
    return this.promptLengths.length;
  }

  example(index: number): Example {
    const [start, end] = this.range(index);
    return { ids: Array.from(this.ids.subarray(start, end)), promptLength: this.promptLengths[index]! };
  }

  /** Saliency of one example as measured: `[n]` for each block. */
  async values(index: number): Promise<Float32Array[]> {
    const [start, end] = this.range(index);
    const width = this.settings.blocks.length;
    const bytes = await readByteRange(this.header.tensors.get("saliency")!, 4 * width * start, 4 * width * (end - start));
    const rows = new Float32Array(bytes.slice().buffer);
    return this.settings.blocks.map((_, b) => Float32Array.from({ length: end - start }, (_, token) => rows[token * width + b]!));
  }

  /** Hidden states of one example's prompt, `[promptLength, d]` for each block; null where they were not kept. */
  async states(index: number): Promise<Float32Array[] | null> {
    this.range(index);
    const start = this.promptLengths.subarray(0, index).reduce((sum, length) => sum + length, 0);
    return this.statesFile && this.statesFile.read(start, this.promptLengths[index]!);
  }

  private range(index: number): [number, number] {
    if (!Number.isInteger(index) || index < 0 || index >= this.length) throw new Error(`example: ${index} (must be 0 … ${this.length - 1})`);
    return [this.offsets[index]!, this.offsets[index + 1]!];
  }
}
