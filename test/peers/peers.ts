// What is measured: the peers, each in the forms of weights that it has, at its best setting that changes no result.

/** A program that runs models, how it is started and what it needs. */
export interface Peer {
  readonly name: string;
  /** File in drivers/. */
  readonly driver: string;
  /** What runs the driver: this node, one that finds test/peers/package.json's packages, or Python with the packages of a requirements file. */
  readonly environment: "own" | "node" | `requirements-${string}.txt`;
}

/** A model as a peer reads it; see models.ts. */
export type Format =
  | "safetensors" | "onnx"
  | `gguf-${"fp32" | "bf16" | "q8_0" | "q4_0"}`
  | `genai-${"fp32" | "int4"}`
  | `openvino-${"fp32" | "fp16" | "int8" | "int4"}`;

/** One way of running a prompt: a peer, what weights are held in, and its settings. */
export interface Row {
  /** `llama.cpp q8_0 flash`: names it everywhere. */
  readonly id: string;
  readonly peer: string;
  /** As the peer calls it. */
  readonly dtype: string;
  /** Rows of as many bits are compared with each other. */
  readonly bits: 32 | 16 | 8 | 4;
  /** Whether the whole prompt is computed: false where tokens are pruned. */
  readonly whole: boolean;
  readonly format: Format;
  /** Handed to the driver. */
  readonly settings: Readonly<Record<string, string | number | boolean>>;
}

/** This package among its peers. */
export const OWN = "sdtp-notebook";

export const peers: readonly Peer[] = [
  { name: OWN, driver: "sdtp.mjs", environment: "own" },
  { name: "openvino-genai", driver: "openvino_genai_peer.py", environment: "requirements-openvino-genai.txt" },
  { name: "torch", driver: "torch_peer.py", environment: "requirements-torch.txt" },
  { name: "llama.cpp", driver: "llama.mjs", environment: "node" },
  { name: "onnxruntime-genai", driver: "onnxruntime_genai_peer.py", environment: "requirements-onnxruntime-genai.txt" },
  { name: "transformers.js", driver: "transformers-js.mjs", environment: "node" },
];

/** @throws on a name that is none */
export function peerOf(name: string): Peer {
  const found = peers.find((peer) => peer.name === name);
  if (!found) throw new Error(`peer: ${name} (must be ${peers.map((peer) => peer.name).join(", ")})`);
  return found;
}

const own = (dtype: "fp32" | "int8" | "int4", preset = "baseline"): Row => ({
  id: [OWN, dtype, ...(preset === "baseline" ? [] : [preset])].join(" "), peer: OWN, dtype, bits: ({ fp32: 32, int8: 8, int4: 4 } as const)[dtype], whole: preset === "baseline", format: "safetensors", settings: { dtype, preset },
});
/** Prompts by OpenVINO as a plugin provider, in brain floats whatever weights are held in; tokens are decoded on the CPU. */
const ownOnOpenvino = (dtype: "fp32" | "int8" | "int4", preset = "baseline"): Row => {
  const { settings, bits, ...row } = own(dtype, preset);
  return { ...row, id: row.id.replace(OWN, `${OWN} openvino`), bits: dtype === "fp32" ? 16 : bits, settings: { ...settings, device: "openvino" } };
};
const openvino = (dtype: "fp32" | "bf16" | "int8" | "int4"): Row => ({
  id: `openvino-genai ${dtype}`, peer: "openvino-genai", dtype, bits: ({ fp32: 32, bf16: 16, int8: 8, int4: 4 } as const)[dtype], whole: true,
  // Brain floats are made by the runtime: files hold 16-bit weights as half precision.
  format: dtype === "bf16" ? "openvino-fp16" : `openvino-${dtype}`,
  settings: { precision: dtype === "fp32" ? "f32" : "bf16" },
});
const torch = (dtype: "fp32" | "bf16"): Row => ({ id: `torch ${dtype}`, peer: "torch", dtype, bits: dtype === "fp32" ? 32 : 16, whole: true, format: "safetensors", settings: { dtype } });
const llama = (dtype: "fp32" | "bf16" | "q8_0" | "q4_0", flash: boolean): Row => ({
  id: `llama.cpp ${dtype === "fp32" ? "f32" : dtype} ${flash ? "flash" : "no-flash"}`, peer: "llama.cpp", dtype: dtype === "fp32" ? "f32" : dtype,
  bits: ({ fp32: 32, bf16: 16, q8_0: 8, q4_0: 4 } as const)[dtype], whole: true, format: `gguf-${dtype}`, settings: { flash },
});
const genai = (dtype: "fp32" | "int4"): Row => ({ id: `onnxruntime-genai ${dtype}`, peer: "onnxruntime-genai", dtype, bits: dtype === "fp32" ? 32 : 4, whole: true, format: `genai-${dtype}`, settings: {} });

/** All rows, those first that say most: a run that is stopped early has them. */
export const rows: readonly Row[] = [
  own("fp32"), ownOnOpenvino("fp32"), openvino("bf16"), torch("bf16"), own("int8"), ownOnOpenvino("int8"), openvino("int8"), llama("q8_0", true), own("int4"), ownOnOpenvino("int4"), openvino("int4"), llama("q4_0", true), genai("int4"),
  own("fp32", "sdtp"), own("int8", "sdtp"), own("int4", "sdtp"), ownOnOpenvino("fp32", "sdtp"), ownOnOpenvino("int8", "sdtp"), torch("fp32"), genai("fp32"), llama("bf16", true), llama("fp32", true),
  own("fp32", "keep07"), own("int8", "keep07"), own("int4", "keep07"), openvino("fp32"),
  { id: "transformers.js fp32", peer: "transformers.js", dtype: "fp32", bits: 32, whole: true, format: "onnx", settings: {} },
  llama("q8_0", false), llama("q4_0", false), llama("bf16", false), llama("fp32", false),
];

/** The row of that name, or all that have one of the parts as words of theirs. @throws on a part that is in none */
export function chosenRows(parts: readonly string[] | undefined): readonly Row[] {
  if (parts === undefined) return rows;
  const has = ({ id }: Row, part: string) => (rows.some((row) => row.id === part) ? id === part : ` ${id} `.includes(` ${part} `));
  const lost = parts.find((part) => !rows.some((row) => has(row, part)));
  if (lost !== undefined) throw new Error(`only: ${lost} (must be words of: ${rows.map(({ id }) => id).join("; ")})`);
  return rows.filter((row) => parts.some((part) => has(row, part)));
}
