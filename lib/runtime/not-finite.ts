// Finds where numbers went wrong, once they have: the same run again, with a graph that tells of each activation whether it is finite.
import type { Tensor } from "onnxruntime-node";
import type { Checkpoint } from "../checkpoint/types.js";
import type { KvDtype } from "../checkpoint/kv-dtype.js";
import type { Accuracy } from "../decoder/checkpoint-weights.js";
import { decodeGraph } from "../decoder/decode.js";
import type { Stage } from "../methods/plan/stages.js";
import type { Scorer } from "../methods/scorer.js";
import { overflowAdvice } from "./compute-dtype.js";
import { allFinite, firstNotFinite, logitsError, notFiniteError } from "./finite.js";
import type { Graphs } from "./graphs.js";
import type { GraphToLoad } from "./home.js";
import type { HostKv, KvCache } from "./kv-cache.js";

/** The model it happened to. */
export interface Diagnosed {
  readonly checkpoint: Checkpoint;
  readonly graphs: Graphs;
  readonly kvDtype: KvDtype;
  readonly accuracy: Accuracy;
}

/** A prefill that gave logits or scores that are not finite. */
export interface FailedPrefill {
  /** The same graph, telling of each activation. */
  readonly graph: GraphToLoad;
  readonly feeds: Readonly<Record<string, Tensor>>;
  readonly stages: readonly Stage[];
  readonly scorer: Scorer | null;
  /** Original positions kept at each stage. */
  readonly kept: readonly Int32Array[];
  /** Original positions of the tokens present in each block. */
  readonly positions: readonly Int32Array[];
  readonly scores: readonly Float32Array[];
  readonly logits: Float32Array;
}

/** The error for it: the first block that is not finite, else the scorer, else the head. */
export async function prefillNotFinite(model: Diagnosed, failed: FailedPrefill): Promise<Error> {
  const { checkpoint, accuracy } = model;
  const { positions, logits } = failed;
  return named(logits, async () => {
    const results = await model.graphs.use(failed.graph, true, (session) => session.run(failed.feeds, session.outputNames));
    const found = firstNotFinite(checkpoint.config, results, (layer) => positions[layer]!);
    if (found) return notFiniteError(checkpoint, found, overflowAdvice(accuracy));
    return scoresError(failed) ?? logitsError(checkpoint, logits, overflowAdvice(accuracy));
  });
}

function scoresError({ stages, scorer, scores, positions }: FailedPrefill): Error | null {
  const stage = scores.findIndex((values) => !allFinite(values));
  if (stage < 0) return null;
  const at = scores[stage]!.findIndex((value) => !Number.isFinite(value));
  const { afterLayer } = stages[stage]!;
  return new Error(`scores after block ${afterLayer}: ${scores[stage]![at]} for token ${positions[afterLayer]![at]} (scorer ${scorer!.name} must give every token a finite number; the model's own numbers are finite)`);
}

/**
 * The error for a decode step, which leaves a cache in this process's memory as it was before.
 * @param positions of the step's tokens @param feeds of the decode graph, beside the cache's
 */
export async function decodeNotFinite(model: Diagnosed, logits: Float32Array, cache: KvCache, positions: readonly number[], feeds: Readonly<Record<string, Tensor>>): Promise<Error> {
  const { checkpoint, kvDtype, accuracy } = model;
  const { config } = checkpoint;
  return named(logits, async () => {
    const host = await cache.toHost();
    host.drop(positions.length);
    const held = cacheError(host);
    if (held) return held;
    const graph: GraphToLoad = { key: "decode finite", build: (g, weights) => decodeGraph(g, weights, config, { finite: true, kvDtype, ragged: host.ragged }) };
    const results = await model.graphs.use(graph, true, (session) => {
      const all = { ...feeds, ...host.feeds(config, positions) };
      return session.run(Object.fromEntries(session.inputNames.map((name) => [name, all[name]!])), session.outputNames);
    });
    const found = firstNotFinite(config, results, () => positions);
    return found ? notFiniteError(checkpoint, found, overflowAdvice(accuracy)) : logitsError(checkpoint, logits, overflowAdvice(accuracy));
  });
}

/** Where the cache itself holds such numbers: a narrow one may not hold what the model computed. */
function cacheError(cache: HostKv): Error | null {
  for (const [layer, kv] of cache.layers.entries()) {
    for (const part of ["key", "value"] as const) {
      for (let head = 0; head < kv.kvHeads; head++) {
        const values = kv[part](head);
        if (allFinite(values)) continue;
        const at = values.findIndex((value) => !Number.isFinite(value));
        return new Error(`block ${layer} (cached ${part}s): ${values[at]} at token ${kv.headPositions(head)[Math.floor(at / kv.headDim)]}${kv.kvDtype === "fp16" ? " (fp16 goes to 65504; take caches in fp32)" : ""}`);
      }
    }
  }
  return null;
}

/** The search costs memory of its own; where it fails, what was seen is told all the same. */
async function named(logits: Float32Array, find: () => Promise<Error>): Promise<Error> {
  try {
    return await find();
  } catch (cause) {
    const seen = allFinite(logits) ? "scores: not finite" : `logits: ${logits.find((value) => !Number.isFinite(value))}`;
    return new Error(`${seen} (in which block first could not be found: ${(cause as Error).message})`, { cause });
  }
}
