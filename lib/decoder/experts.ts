// Mixture of experts: a router chooses a few of a block's MLPs for each token and mixes what they give.
import { multipliedInBlocks } from "../checkpoint/expert-blocks.js";
import type { ModelConfig } from "../checkpoint/types.js";
import type { GraphBuilder, QuantizedMatrix } from "../onnx/builder.js";
import type { Dim, Value } from "../onnx/graph.js";
import { vectorJacobian } from "../onnx/gradients.js";
import { mlp } from "./mlp.js";
import { projection } from "./projection.js";
import { blockWeight, required, type Weights } from "./weights.js";

/** `x` `[b, n, d]` -> `[b, n, d]`. On the CPU by ONNX Runtime's own operators, which compute chosen experts only; elsewhere, and for gradients, every expert on every token. */
export function experts(g: GraphBuilder, weights: Weights, config: ModelConfig, layer: number, x: Value): Value {
  const tokens = g.reshape(x, [rowCount(x), config.hiddenSize]);
  const logits = g.cast(projection(g, weights, layer, "mlp.gate", tokens), "float32");
  const chosen = !g.fusedExperts || weights.trained ? everyExpert(g, weights, config, layer, tokens, logits)
    : g.composite([tokens, logits], () => fusedExperts(g, weights, config, layer, tokens, logits), (gradient) => {
      // Values of their own, so that the one does not depend on the other.
      const [x, scores] = [g.identity(tokens), g.identity(logits)];
      return vectorJacobian(g, everyExpert(g, weights, config, layer, x, scores), gradient, [x, scores]);
    });
  const shared = config.experts!.sharedSize === null ? null : sharedExpert(g, weights, config, layer, tokens);
  return g.reshape(shared ? g.add(chosen, shared) : chosen, x.shape);
}

function rowCount(x: Value): Dim {
  const [b, n] = x.shape as [Dim, Dim];
  return b === 1 ? n : typeof b === "number" && typeof n === "number" ? b * n : `${b}*${n}`;
}

/** What every token goes through, as much as a gate of its own says (qwen2_moe). */
function sharedExpert(g: GraphBuilder, weights: Weights, config: ModelConfig, layer: number, tokens: Value): Value {
  return g.mul(g.sigmoid(projection(g, weights, layer, "mlp.shared_expert_gate", tokens)), mlp(g, weights, config, layer, "mlp.shared_expert", tokens));
}

/** Which experts a token goes to, `[n, k]` int64, and with what weight, `[n, k]`. */
function route(g: GraphBuilder, { perToken, normalised }: NonNullable<ModelConfig["experts"]>, logits: Value): { chosen: Value; shares: Value } {
  const shares = g.softmax(logits);
  const [, chosen] = g.topK(shares, g.constant("int64", [perToken]), perToken);
  const picked = g.gatherElements(shares, chosen, 1);
  return { chosen, shares: normalised ? g.div(picked, g.reduceSum(picked, [1], true)) : picked };
}

function everyExpert(g: GraphBuilder, weights: Weights, config: ModelConfig, layer: number, tokens: Value, logits: Value): Value {
  const { chosen, shares } = route(g, config.experts!, logits);
  let sum: Value | null = null;
  for (let expert = 0; expert < config.experts!.count; expert++) {
    const share = g.reduceSum(g.where(g.equal(chosen, expert), shares, 0), [1], true);
    const part = g.mul(mlp(g, weights, config, layer, `mlp.experts.${expert}`, tokens), g.cast(share, tokens.dtype));
    sum = sum ? g.add(sum, part) : part;
  }
  return sum!;
}

type Blocks = QuantizedMatrix;

function fusedExperts(g: GraphBuilder, weights: Weights, config: ModelConfig, layer: number, tokens: Value, logits: Value): Value {
  const { count, perToken, normalised, size } = config.experts!;
  const names = (part: string, kind = "weight") => Array.from({ length: count }, (_, expert) => blockWeight(layer, `mlp.experts.${expert}.${part}_proj.${kind}`));
  const [gates, ups, downs] = [names("gate"), names("up"), names("down")];
  const biases = weights.has(names("down", "bias")[0]!)
    ? { first: interleaved(g, g.concat(names("gate", "bias").map((name) => required(weights, name)), 0), g.concat(names("up", "bias").map((name) => required(weights, name)), 0), [count, 2 * size]), second: g.reshape(g.concat(names("down", "bias").map((name) => required(weights, name)), 0), [count, config.hiddenSize]) }
    : { first: null, second: null };
  const settings = { perToken, gate: config.clampedGate };
  // The operators' shares of a token add up to 1.
  const asRouted = (y: Value) => {
    const scaled = normalised ? y : g.mul(y, g.reduceSum(route(g, config.experts!, logits).shares, [1], true));
    // They leave out experts whose share is not a number: without this, what was not a number would go on as zero.
    return g.add(scaled, g.mul(g.reduceSum(logits, [1], true), 0));
  };
  const blocks = allBlocks(weights, [gates, ups, downs]);
  if (!blocks) {
    const first = interleaved(g, stacked(g, weights, gates, [size, config.hiddenSize]), stacked(g, weights, ups, [size, config.hiddenSize]), [count, 2 * size, config.hiddenSize]);
    const second = stacked(g, weights, downs, [1, config.hiddenSize, size]);
    return asRouted(g.moe(tokens, logits, { weight: g.cast(first, "float32"), bias: biases.first }, { weight: g.cast(second, "float32"), bias: biases.second }, settings));
  }
  const [gate, up, down] = blocks.map((list) => together(g, list)) as [Together, Together, Together];
  const rows = { first: [count, 2 * size], second: [count, config.hiddenSize] };
  const pair = (part: "quants" | "scales") => interleaved(g, gate[part], up[part], [...rows.first, gate[part].shape[1] as number]);
  const points = gate.zeroPoints ?? up.zeroPoints ?? down.zeroPoints;
  const of = (x: Together) => x.zeroPoints ?? middle(g, x);
  return asRouted(g.qmoe(tokens, logits, {
    quants: pair("quants"), scales: pair("scales"), bias: biases.first,
    zeroPoints: points && interleaved(g, of(gate), of(up), [...rows.first, of(gate).shape[1] as number]),
  }, {
    quants: g.reshape(down.quants, [...rows.second, down.quants.shape[1]!]), scales: g.reshape(down.scales, [...rows.second, down.scales.shape[1]!]), bias: biases.second,
    zeroPoints: points && g.reshape(of(down), [...rows.second, of(down).shape[1]!]),
  }, { ...settings, bits: gate.bits, blockSize: gate.blockSize }));
}

/** Rows of `a` and `b` in turn, of each expert; `[count * size, …]` each. */
function interleaved(g: GraphBuilder, a: Value, b: Value, shape: readonly number[]): Value {
  // Side by side, a row of each makes one long row: cut in two, they take turns.
  const flat = (x: Value) => (x.rank === 1 ? g.unsqueeze(x, [1]) : x);
  return g.reshape(g.concat([flat(a), flat(b)], 1), shape);
}

/**
 * Matrices of `shape` joined along the first axis: as they are stored where that is the same for all, since ONNX Runtime, which does this
 * when it loads the graph, holds every step of it until the end.
 */
function stacked(g: GraphBuilder, weights: Weights, names: readonly string[], shape: readonly number[]): Value {
  const raw = names.map((name) => weights.raw(name, shape));
  const same = (value: Value | null): value is Value => value !== null && value.dtype === raw[0]?.dtype;
  return g.concat(raw.every(same) ? raw : names.map((name) => g.reshape(required(weights, name), shape)), 0);
}

/** Every weight in blocks of one kind, as the operator takes them; null: they are not. */
function allBlocks(weights: Weights, lists: readonly (readonly string[])[]): Blocks[][] | null {
  const all = lists.map((list) => list.map((name) => weights.blocks(name)));
  const blocks = all.flat().filter((each) => each !== null);
  const whole = blocks.length === lists.flat().length && multipliedInBlocks(blocks.map(({ bits, blockSize, offsets, shape: [, columns] }) => ({ bits, blockSize, offsets: Boolean(offsets), columns })));
  return whole ? (all as Blocks[][]) : null;
}

/** The matrices of all experts one below the other. */
interface Together extends Pick<Blocks, "bits" | "blockSize"> {
  /** `[rows, bytes]` */
  readonly quants: Value;
  /** `[rows, blocks]` */
  readonly scales: Value;
  readonly zeroPoints: Value | null;
}

function together(g: GraphBuilder, list: readonly Blocks[]): Together {
  const { bits, blockSize } = list[0]!;
  const flat = (x: Value, rows: number) => g.reshape(x, [rows, (x.shape.slice(1) as number[]).reduce((a, b) => a * b, 1)]);
  const quants = g.concat(list.map((each) => flat(each.quants, each.shape[0])), 0);
  const scales = g.concat(list.map((each) => each.scales), 0);
  const some = list.some(({ zeroPoints }) => zeroPoints);
  const zeroPoints = some ? g.concat(list.map((each) => each.zeroPoints ?? middle(g, { bits, scales: each.scales })), 0) : null;
  return { bits, blockSize, quants, scales, zeroPoints };
}

/** Zero points in the middle, for every block that has scales. */
function middle(g: GraphBuilder, { bits, scales }: Pick<Together, "bits" | "scales">): Value {
  const [rows, blocks] = scales.shape as [number, number];
  const width = Math.ceil((blocks * bits) / 8);
  return g.constant("uint8", new Uint8Array(rows * width).fill(bits === 4 ? 0x88 : 0x80), [rows, width]);
}
