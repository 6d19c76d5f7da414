import type { KvDtype } from "../../checkpoint/kv-dtype.js";
import { GraphBuilder } from "../../onnx/builder.js";
import { StandardBuilder } from "../../onnx/standard-builder.js";
import { toOnnx } from "../../onnx/serialize.js";
import { DECODE, hostHome, type Home } from "../home.js";
import type { PluginFile } from "./installed.js";
import { BFLOAT16_THREADS, knownProvider, type PluginAccuracy } from "./known.js";
import { pluginOf } from "./names.js";
import { pluginMemoryPlan } from "./memory.js";
import { openPluginSession, type PluginGraph } from "./session.js";

export interface PluginHomeOptions {
  /** Default float32. */
  readonly accuracy?: PluginAccuracy;
  readonly kvDtype?: KvDtype;
  /** Tokens are decoded there too; else on the CPU, from the same caches. Default false. */
  readonly decodes?: boolean;
  /** Told of each graph which operators the provider takes. */
  readonly onAssigned?: (graph: string, assigned: NonNullable<PluginGraph["assigned"]>) => void;
  /** How operators are written; default: in ONNX's own alone. */
  readonly builder?: (name: string) => GraphBuilder;
}

/** A prompt is stopped after the work that it is in. Each has memory of its own, which OpenVINO keeps: a work more is 196 MB more at 4096 tokens of SmolLM2. */
const WORKS = 2;

/** Pieces of a prompt's attention: the half of the scores that no query may see is then mostly not computed. */
const PIECES = 4;

/**
 * A plugin's provider for prompts: attention and all that ONNX Runtime has operators of its own for spelled out, caches in this process's
 * memory. What it does not take, the CPU does.
 */
export function pluginHome(plugin: PluginFile, { accuracy = "float32", kvDtype = "fp32", decodes = false, onAssigned, builder = (name) => new StandardBuilder(name) }: PluginHomeOptions = {}): Home {
  const known = knownProvider(pluginOf(plugin.device));
  const host = hostHome("plain", kvDtype);
  const isThere = (graph: string) => !graph.startsWith(DECODE) || (decodes && kvDtype === "fp32" && graph === DECODE);
  return {
    ...host,
    device: plugin.device,
    attention: () => "plain",
    pieces: PIECES,
    headsApart: true,
    works: WORKS,
    accuracy,
    wideProducts: true,
    oneCopy: () => false,
    isThere,
    byChannel: null,
    inPieces: null,
    memory: { limit: null, plan: (checkpoint, plan, options) => pluginMemoryPlan(checkpoint, plan, { ...options, oneCopy: host.oneCopy?.() === true, kvDtype, accuracy }) },
    builder: (name, floats) => (isThere(name) ? builder(name) : host.builder(name, floats)),
    async load(g, settings) {
      const { threads, folder } = settings;
      if (!isThere(g.name)) return host.load(g, settings);
      if (accuracy === "bfloat16" && threads !== undefined && threads < BFLOAT16_THREADS) throw new Error(`threads: ${threads} (with bfloat16 ${plugin.device} takes ${BFLOAT16_THREADS} at least; accuracy: "float32" takes one)`);
      const graph = await openPluginSession(toOnnx(g), { file: plugin.file, provider: known.provider, kind: known.kind, settings: known.settings(accuracy, threads), record: onAssigned !== undefined }, { threads, folder });
      if (graph.assigned) onAssigned?.(g.name, graph.assigned);
      return graph;
    },
  };
}
