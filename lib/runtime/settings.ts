import type { KvDtype } from "../checkpoint/kv-dtype.js";
import type { OpenOptions } from "../checkpoint/open.js";
import type { Accuracy } from "../decoder/checkpoint-weights.js";
import type { KvPolicy, UserMethod } from "../methods/method.js";
import type { Scorer } from "../methods/scorer.js";
import type { Device } from "./devices/names.js";
import type { AttentionKind } from "./home.js";

export interface LoadOptions extends OpenOptions {
  /** Threads for one operator; default: ONNX Runtime's choice. */
  readonly threads?: number;
  /** `fused` (default on the CPU): memory linear in the prompt length. `plain`: attention spelled out, quadratic memory. */
  readonly attention?: AttentionKind;
  /** Where to run: `cpu` (default), `webgpu`, `cuda`, a plugin's provider (`openvino`, `plugin:NAME`), or `auto`: the best that computes what the CPU does (`sdtp doctor` shows it). */
  readonly device?: Device;
  /** Library of a plugin's provider; default: what `SDTP_PROVIDER_LIBRARY` says, else what `sdtp provider add` brought. */
  readonly providerLibrary?: string;
  /**
   * Run graphs in a thread of their own, so that this one stays free: timers, streaming, a stop button in the middle of a prompt. Caches live there
   * (`run.toHost()` reads one back). CPU only.
   */
  readonly worker?: boolean;
  /** Told, once a process, what was found of a device; default: stderr. */
  readonly onDevice?: (message: string) => void;
  /**
   * What activations are rounded to where they meet weights. `int8` (default on the CPU): blocks of 32, where the weights are int8 or int4;
   * in prompts with weights in int8, rows to 16 bits. `float32`
   * (default elsewhere): not at all; on the CPU exact and many times slower with such weights. `float16` (default on GPUs with `dtype: "fp16"`): weights, activations and
   * caches are 16-bit numbers, sums of products, norms and softmax float32; on a GPU that has 16-bit numbers, and on the CPU slowly, to see what they cost a model. `bfloat16`: most of what a plugin's provider computes (default on `openvino`, where the processor can).
   */
  readonly accuracy?: Accuracy;
  /**
   * What the caches hold keys and values in: fp32 (default), fp16 (half the memory; default where that is computed in), int8 (a quarter); other than what is
   * computed in, each token costs more time.
   */
  readonly kvDtype?: KvDtype;
  /** Bytes that the model may take; default: what the process has and the machine has left. A prompt that needs more is refused. */
  readonly memoryLimit?: number;
}

export interface PrefillSettings {
  /** A method, by name, in one of the forms that `resolveMethod` takes, or one's own; default `baseline`. */
  readonly preset?: string | UserMethod;
  /** A scorer's name or one made with `defineScorer`; default: the model's best. */
  readonly scorer?: string | Scorer;
  /** What the caches keep of pruned tokens; default: the preset's. */
  readonly kvPolicy?: KvPolicy;
  /** Read the scores of each stage as well; default false. */
  readonly scores?: boolean;
  /** Tokens to make room for after the prompt; default 128. */
  readonly reserve?: number;
  /** Makes that room in steps, as the tokens come, not at once: what is computed after the prompt then does not depend on `reserve` in its last bits. */
  readonly grows?: boolean;
  /**
   * Take the prompt through the blocks in pieces of so many tokens: what is in memory beside weights and caches is then of a piece, not of the whole prompt. The
   * numbers are the same to rounding. `whole`: never. Default: in pieces of 512 where memory does not hold it as a whole and the device and the method have it (the
   * CPU; methods that cut caches down take prompts as a whole).
   */
  readonly piece?: number | "whole";
  /** Told, of a prompt in pieces, which share of it is done, from 0 to 1. */
  readonly onProgress?: (share: number) => void;
  /** Activations to read as well, by name (see `activations`). They need a graph of their own, built for this run alone. */
  readonly capture?: readonly string[];
  /** Bytes that captured activations may take; default 1 GiB. */
  readonly captureLimit?: number;
  /**
   * Ends a prompt with the signal's reason: on the CPU where ONNX Runtime is called by its C API (`sdtp doctor` says whether) the run stops between two
   * operators. Elsewhere it goes on to its end, for nobody: with a worker the error comes at once, without one after it.
   */
  readonly signal?: AbortSignal;
}
