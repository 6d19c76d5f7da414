import type { ChosenProvider } from "../c-api/provider.js";

/** What providers compute in: as the graph says, or with its numbers rounded to 16 bits. */
export type PluginAccuracy = "float32" | "bfloat16";

/** What is known of a provider that was tried. */
export interface KnownProvider extends Pick<ChosenProvider, "provider" | "kind"> {
  /** Its own settings for a way of computing. */
  settings(accuracy: PluginAccuracy, threads: number | undefined): Record<string, string>;
  /** Whether it can be told to round to bfloat16. */
  readonly bfloat16: boolean;
}

/** With one, OpenVINO 2026.4 ends the process (SIGFPE) where it compiles some graphs with bfloat16. */
export const BFLOAT16_THREADS = 2;

const openvino: KnownProvider = {
  provider: "OpenVINOExecutionProvider",
  // Its GPUs and NPUs were not tried.
  kind: "cpu",
  bfloat16: true,
  settings: (accuracy, threads) => ({
    load_config: JSON.stringify({ CPU: { INFERENCE_PRECISION_HINT: accuracy === "bfloat16" ? "bf16" : "f32", ...(threads !== undefined && { INFERENCE_NUM_THREADS: String(threads) }) } }),
  }),
};

/** Of others nothing is known: the first device that they offer, with their own settings. */
const other: KnownProvider = { provider: undefined, kind: undefined, bfloat16: false, settings: () => ({}) };

export const knownProvider = (name: string): KnownProvider => (name === "openvino" ? openvino : other);
