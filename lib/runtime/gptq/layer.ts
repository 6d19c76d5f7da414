import { Tensor } from "onnxruntime-node";
import type { Checkpoint } from "../../checkpoint/types.js";
import { chunkedAttention, fusedAttention } from "../../decoder/attention.js";
import { block } from "../../decoder/block.js";
import { checkpointWeights, weightsFolder } from "../../decoder/checkpoint-weights.js";
import { embed } from "../../decoder/head.js";
import { layerRotary, rotaryInputs } from "../../decoder/positions.js";
import { RotaryTables } from "../../decoder/rotary.js";
import { planAttention, type AttentionPlan } from "../../methods/plan/pieces.js";
import { GraphBuilder } from "../../onnx/builder.js";
import type { Value } from "../../onnx/graph.js";
import { rotaryFeeds } from "../rotary-feeds.js";
import { createSession, type Outputs } from "../session.js";
import { observed, onlyNeeded } from "./observed.js";
import type { RoundedMatrix } from "./rounded.js";

/** Matrices that are multiplied with the same inputs. */
export interface InputGroup {
  readonly names: readonly string[];
  /** How many inputs. */
  readonly inputs: number;
}

/** Of the inputs of a product, sums over tokens, `[inputs, inputs]`. */
export interface Moments {
  /** Of products of two inputs. */
  readonly moments: Float64Array;
  /** Of each input times the difference of each that the model would have, had nothing been rounded, from the one there is; null: not known. */
  readonly drift: Float64Array | null;
}

/** Bytes of a block's inputs that are remembered at most. */
const REMEMBERED = 2 ** 30;

/** By which graphs know a group's inputs as the model has them. */
const ownName = (name: string): string => `own inputs of ${name}`;

function add(sum: Float64Array, { data }: Outputs[string]): void {
  const part = data as Float32Array;
  for (let at = 0; at < part.length; at++) sum[at]! += part[at]!;
}

/** Runs blocks of a model one by one on texts, their hidden states kept in between. */
export class LayerRuns {
  /** Of each text, `[n, hiddenSize]`: what the next block takes, and what it would take had nothing been rounded. */
  private hidden: Float32Array[] = [];
  private own: Float32Array[] = [];
  /** Of each text, the inputs that groups of the block at hand would have had, by `ownName`. */
  private remembered: ReadonlyMap<string, Tensor>[] = [];
  private readonly tables: RotaryTables;
  private readonly attention: AttentionPlan;

  constructor(
    private readonly checkpoint: Checkpoint,
    private readonly texts: readonly (readonly number[])[],
    private readonly settings: { readonly threads?: number | undefined; readonly signal?: AbortSignal | undefined },
  ) {
    this.tables = new RotaryTables(checkpoint.config);
    const lengths = texts.map(({ length }) => length);
    this.attention = planAttention(checkpoint.config, Math.max(...lengths), { fewest: Math.min(...lengths) });
  }

  /** Hidden states before the first block. */
  async start(): Promise<void> {
    const { config } = this.checkpoint;
    const g = new GraphBuilder("embedding");
    g.output(embed(g, checkpointWeights(g, this.checkpoint), config, g.input("ids", "int64", [1, "n"]), g.range("n")), "hidden");
    const hidden: Float32Array[] = [];
    await this.each(g, (text) => ({ ids: new Tensor("int64", BigInt64Array.from(this.texts[text]!, BigInt), [1, this.texts[text]!.length]) }), ({ hidden: values }) => hidden.push(values!.data as Float32Array));
    this.hidden = this.own = hidden;
  }

  /** Which of `names` share their inputs, in the order in which a block computes them. */
  groups(layer: number, names: ReadonlySet<string>): InputGroup[] {
    const groups = new Map<Value, string[]>();
    this.block(this.builder(), layer, "own", new Map(), (name, x) => {
      if (!names.has(name)) return;
      const group = groups.get(x);
      if (group) group.push(name);
      else groups.set(x, [name]);
    });
    return [...groups].map(([x, group]) => ({ names: group, inputs: x.shape.at(-1) as number }));
  }

  /**
   * Goes through a block as the model has it, and remembers the inputs of the groups: as many of them as memory is to hold.
   */
  async begin(layer: number, groups: readonly InputGroup[]): Promise<void> {
    const tokens = this.texts.reduce((sum, { length }) => sum + length, 0);
    let bytes = 0;
    const kept = groups.filter(({ inputs }) => (bytes += 4 * tokens * inputs) <= REMEMBERED);
    const g = this.builder();
    const found = new Map<string, Value>();
    g.output(this.block(g, layer, "own", new Map(), (name, x) => found.set(name, x)), "next");
    for (const { names, inputs } of kept) g.output(g.reshape(found.get(names[0]!)!, ["n", inputs]), ownName(names[0]!));
    const next: Float32Array[] = [];
    this.remembered = [];
    await this.each(g, (text) => this.feeds(text), (outputs) => {
      next.push(outputs["next"]!.data as Float32Array);
      this.remembered.push(new Map(kept.map(({ names }) => [ownName(names[0]!), outputs[ownName(names[0]!)] as Tensor])));
    });
    this.own = next;
  }

  /** What is to be known of the inputs of each group, with what of the block is rounded already. */
  async moments(layer: number, groups: readonly InputGroup[], rounded: ReadonlyMap<string, RoundedMatrix>): Promise<Moments[]> {
    const g = this.builder();
    const found = new Map<string, Value>();
    this.block(g, layer, "hidden", rounded, (name, x) => found.set(name, x));
    const drifts = groups.map(({ names }) => this.remembered[0]!.has(ownName(names[0]!)));
    groups.forEach(({ names, inputs }, i) => {
      const x = g.reshape(found.get(names[0]!)!, ["n", inputs]);
      g.output(g.matmul(x, x, { transA: true }), `moments.${i}`);
      if (drifts[i]) g.output(g.matmul(x, g.sub(g.input(ownName(names[0]!), "float32", ["n", inputs]), x), { transA: true }), `drift.${i}`);
    });
    const sums = groups.map(({ inputs }, i) => ({ moments: new Float64Array(inputs * inputs), drift: drifts[i] ? new Float64Array(inputs * inputs) : null }));
    await this.each(g, (text) => ({ ...this.feeds(text), ...Object.fromEntries(this.remembered[text]!) }), (outputs) => sums.forEach(({ moments, drift }, i) => {
      add(moments, outputs[`moments.${i}`]!);
      if (drift) add(drift, outputs[`drift.${i}`]!);
    }));
    return sums;
  }

  /** Goes through a block whose matrices are all rounded. */
  async advance(layer: number, rounded: ReadonlyMap<string, RoundedMatrix>): Promise<void> {
    const g = this.builder();
    g.output(this.block(g, layer, "hidden", rounded), "next");
    const next: Float32Array[] = [];
    await this.each(g, (text) => this.feeds(text), (outputs) => next.push(outputs["next"]!.data as Float32Array));
    this.hidden = next;
  }

  private builder(): GraphBuilder {
    // Experts spelled out: every product is seen.
    return new GraphBuilder("block", "fused", false);
  }

  /** A block on what went through those before it: as they are rounded (`hidden`), or as the model has them (`own`). */
  private block(g: GraphBuilder, layer: number, stream: "hidden" | "own", rounded: ReadonlyMap<string, RoundedMatrix>, onProduct?: (name: string, x: Value) => void): Value {
    const { config } = this.checkpoint;
    const x = g.input(stream, "float32", [1, "n", config.hiddenSize]);
    const rotaries = rotaryInputs(g, config, "n");
    const weights = observed(g, checkpointWeights(g, this.checkpoint), rounded, onProduct);
    const { kind, fusedChunks, tiled, windowed, windowTiled, chunks } = this.attention;
    const attention = kind === "fused" ? fusedAttention(config, { chunks: fusedChunks, tiled, windowed, windowTiled }) : chunkedAttention(config, g.range("n"), chunks);
    return block(g, weights, config, layer, x, layerRotary(config, rotaries, layer), attention).hidden;
  }

  private feeds(text: number): Record<string, Tensor> {
    const n = this.texts[text]!.length;
    const states = (values: Float32Array) => new Tensor("float32", values, [1, n, this.checkpoint.config.hiddenSize]);
    return { hidden: states(this.hidden[text]!), own: states(this.own[text]!), ...rotaryFeeds(this.tables.prompt(n, n)) };
  }

  /** Runs a graph on every text. */
  private async each(g: GraphBuilder, feeds: (text: number) => Record<string, Tensor>, take: (outputs: Outputs) => void): Promise<void> {
    onlyNeeded(g);
    const session = await createSession(g, { threads: this.settings.threads, folder: weightsFolder(this.checkpoint) });
    try {
      for (const text of this.texts.keys()) {
        this.settings.signal?.throwIfAborted();
        const all = feeds(text);
        take(await session.run(Object.fromEntries(session.inputNames.map((name) => [name, all[name]!])), session.outputNames, { signal: this.settings.signal }));
      }
    } finally {
      await session.release();
    }
  }
}
