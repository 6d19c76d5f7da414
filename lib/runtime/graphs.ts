import type { Checkpoint } from "../checkpoint/types.js";
import { checkpointWeights, weightsFolder, type CheckpointWeightsOptions } from "../decoder/checkpoint-weights.js";
import type { GraphBuilder } from "../onnx/builder.js";
import { DECODE, SECTION, TOGETHER, type GraphToLoad, type Home } from "./home.js";
import { memoryError, type MemoryPlan } from "./memory.js";
import { partsUnit } from "./graph-parts.js";
import type { LoadedGraph } from "./session.js";
import { UnchangedFiles } from "./unchanged-files.js";

/** Whether a graph is one that further tokens go through: it stays. */
const isDecoding = (key: string): boolean => key === DECODE || key.startsWith(TOGETHER) || key.startsWith(SECTION);

/** What holds weights for itself: a graph, or those together that are parts of one. */
const unitOf = (key: string): string => (key.startsWith(SECTION) ? SECTION : partsUnit(key));

export interface GraphsOptions extends CheckpointWeightsOptions {
  readonly threads?: number;
}

const hasChannelForms = ({ tensors }: Checkpoint): boolean => [...tensors.values()].some(({ quantization }) => quantization?.byChannel);

/** The loaded graphs of a model: built when first needed and kept. */
export class Graphs {
  private readonly sessions = new Map<string, Promise<LoadedGraph>>();
  /** How often each is in use right now. */
  private readonly running = new Map<string, number>();
  private readonly files: UnchangedFiles;

  constructor(
    private readonly checkpoint: Checkpoint,
    private readonly options: GraphsOptions,
    private readonly home: Pick<Home, "builder" | "load" | "release" | "wideTables" | "wideProducts" | "isThere" | "accuracy" | "byChannel">,
  ) {
    this.files = new UnchangedFiles(checkpoint.tensors.values());
  }

  get keys(): string[] {
    return [...this.sessions.keys()];
  }

  /** @param onAside see `SessionSettings` */
  load(graph: GraphToLoad, onAside?: () => void): Promise<LoadedGraph> {
    let session = this.sessions.get(graph.key);
    if (!session) {
      session = this.create(graph, onAside);
      this.sessions.set(graph.key, session);
      session.catch(() => this.sessions.delete(graph.key));
    }
    return session;
  }

  /**
   * Works with a graph that is not released meanwhile.
   * @param once load it for this alone: a graph that someone looked into once would hold memory for good
   * @param onAside see `SessionSettings`
   */
  async use<T>(graph: GraphToLoad, once: boolean, work: (session: LoadedGraph) => Promise<T>, onAside?: () => void): Promise<T> {
    const { key } = graph;
    this.running.set(key, (this.running.get(key) ?? 0) + 1);
    let own: LoadedGraph | null = null;
    try {
      if (!once) return await work(await this.load(graph, onAside));
      return await work((own = await this.create(graph)));
    } finally {
      const left = this.running.get(key)! - 1;
      if (left > 0) this.running.set(key, left);
      else this.running.delete(key);
      if (own) await this.home.release(own);
    }
  }

  /**
   * Sees to it that a prompt fits before anything is spent. Where it does not, graphs that are not needed for it are released; they
   * are loaded anew when they are.
   * @param key of the graph that is needed, or of one of several that hold the weights once among them
   * @param plan for so many tokens with so many graphs loaded
   * @throws where it does not fit by itself, with what it takes and the longest prompt that would
   */
  async makeRoom(key: string, n: number, limit: number, plan: (n: number, graphs: number) => MemoryPlan): Promise<void> {
    const loaded = new Set(this.keys.map(unitOf));
    const running = new Set([...this.running.keys()].map(unitOf));
    const needed = new Set([...loaded, unitOf(key), ...([...loaded].some(isDecoding) ? [] : [DECODE])]);
    const spare = [...loaded].filter((other) => other !== unitOf(key) && !isDecoding(other) && !running.has(other));
    const fewest = needed.size - spare.length;
    if (plan(n, fewest).total > limit) throw memoryError(n, (length) => plan(length, fewest), limit);
    for (const other of spare) {
      if (plan(n, needed.size).total <= limit) return;
      needed.delete(other);
      for (const part of this.keys.filter((each) => unitOf(each) === other)) await this.drop(part);
    }
  }

  /** Frees all. */
  async release(): Promise<void> {
    for (const key of this.keys) await this.drop(key);
  }

  private async drop(key: string): Promise<void> {
    const session = this.sessions.get(key);
    this.sessions.delete(key);
    if (session) await this.home.release(await session);
  }

  private async create({ key, build, prompt = false }: GraphToLoad, onAside?: () => void): Promise<LoadedGraph> {
    this.files.check();
    const byChannel = prompt && hasChannelForms(this.checkpoint) && (await this.home.byChannel?.()) === true;
    const { wideTables, wideProducts = false, isThere } = this.home;
    const there = isThere?.(key) ?? true;
    const asked = this.options.accuracy;
    const accuracy = there ? (asked ?? this.home.accuracy) : asked === "float32" ? asked : "int8";
    const g = this.home.builder(key, accuracy === "float16" ? "float16" : "float32");
    const weightsOf = (graph: GraphBuilder) => checkpointWeights(graph, this.checkpoint, { ...this.options, accuracy, wideTables, wideProducts: wideProducts && there, byChannel });
    build(g, weightsOf(g), weightsOf);
    return this.home.load(g, { threads: this.options.threads, folder: weightsFolder(this.checkpoint), onAside });
  }
}
