import { InferenceSession, Tensor } from "onnxruntime-node";
import { GraphBuilder } from "../onnx/builder.js";
import { toOnnx } from "../onnx/serialize.js";

/** A tensor under training and what its optimiser remembers. */
export interface TrainedTensor {
  readonly name: string;
  readonly shape: readonly number[];
  readonly values: Float32Array;
  /** First moment. */
  readonly momentum: Float32Array;
  /** Second moment (Adam); empty for Muon. */
  readonly variance: Float32Array;
}

export interface OptimizerSettings {
  readonly learningRate: number;
  readonly weightDecay: number;
  /** Steps taken, this one included. */
  readonly step: number;
}

/** Matrices inside the blocks: Muon. Embeddings and norm weights: Adam. */
export const usesMuon = (name: string, shape: readonly number[]): boolean => shape.length === 2 && name.includes(".layers.");

/** AdamW (Loshchilov & Hutter, arXiv:1711.05101), betas 0.9 and 0.95. Vectors are not decayed. */
export function adamStep(tensor: TrainedTensor, gradient: Float32Array, { learningRate, step, weightDecay }: OptimizerSettings, scale = 1): void {
  const [beta1, beta2, epsilon] = [0.9, 0.95, 1e-8];
  const [correction1, correction2] = [1 - beta1 ** step, 1 - beta2 ** step];
  const { values, momentum, variance } = tensor;
  const decay = tensor.shape.length > 1 ? learningRate * weightDecay : 0;
  for (let i = 0; i < values.length; i++) {
    const g = gradient[i]! * scale;
    const m = (momentum[i] = beta1 * momentum[i]! + (1 - beta1) * g);
    const v = (variance[i] = beta2 * variance[i]! + (1 - beta2) * g * g);
    values[i] = values[i]! * (1 - decay) - (learningRate * (m / correction1)) / (Math.sqrt(v / correction2) + epsilon);
  }
}

/**
 * Muon (Jordan et al. 2024): Nesterov momentum, orthogonalised by five Newton-Schulz steps on ONNX Runtime,
 * scaled to Adam's update size as in Liu et al., arXiv:2502.16982 (0.2 sqrt(max(rows, columns))).
 */
export class Muon {
  private constructor(
    private readonly session: InferenceSession,
    private readonly groups: readonly { key: string; shape: readonly number[]; tensors: readonly TrainedTensor[] }[],
  ) {}

  static async create(tensors: readonly TrainedTensor[], threads: number): Promise<Muon> {
    const byShape = new Map<string, TrainedTensor[]>();
    for (const tensor of tensors) {
      const key = tensor.shape.join("x");
      byShape.set(key, [...(byShape.get(key) ?? []), tensor]);
    }
    const groups = [...byShape].map(([key, members]) => ({ key, shape: members[0]!.shape, tensors: members }));
    const g = new GraphBuilder("muon");
    for (const { key, shape, tensors: members } of groups) {
      g.output(orthogonalise(g, key, [members.length, shape[0]!, shape[1]!]), `orthogonal:${key}`);
    }
    return new Muon(await InferenceSession.create(toOnnx(g), { intraOpNumThreads: threads }), groups);
  }

  async step(gradients: ReadonlyMap<string, Float32Array>, { learningRate, weightDecay }: OptimizerSettings): Promise<void> {
    const beta = 0.95;
    const feeds: Record<string, Tensor> = {};
    for (const { key, shape, tensors } of this.groups) {
      const size = shape[0]! * shape[1]!;
      const updates = new Float32Array(size * tensors.length);
      tensors.forEach(({ name, momentum }, index) => {
        const gradient = gradients.get(name)!;
        for (let i = 0; i < size; i++) {
          const m = (momentum[i] = beta * momentum[i]! + (1 - beta) * gradient[i]!);
          updates[index * size + i] = beta * m + (1 - beta) * gradient[i]!;
        }
      });
      feeds[key] = new Tensor("float32", updates, [tensors.length, ...shape]);
    }
    const results = await this.session.run(feeds);
    for (const { key, shape, tensors } of this.groups) {
      const orthogonal = results[`orthogonal:${key}`]!.data as Float32Array;
      const size = shape[0]! * shape[1]!;
      const rate = learningRate * 0.2 * Math.sqrt(Math.max(shape[0]!, shape[1]!));
      tensors.forEach(({ values }, index) => {
        for (let i = 0; i < size; i++) {
          values[i] = values[i]! * (1 - learningRate * weightDecay) - rate * orthogonal[index * size + i]!;
        }
      });
    }
  }
}

/** Nearest semi-orthogonal matrix of each `[rows, columns]`, roughly: singular values end in 0.7 … 1.2. */
function orthogonalise(g: GraphBuilder, name: string, shape: readonly [number, number, number]) {
  const input = g.input(name, "float32", shape);
  const tall = shape[1] > shape[2];
  const x = tall ? g.transpose(input, [0, 2, 1]) : input;
  const norm = g.sqrt(g.reduceSum(g.mul(x, x), [1, 2], true));
  let y = g.div(x, g.add(norm, 1e-7));
  for (let i = 0; i < 5; i++) {
    const a = g.matmul(y, y, { transB: true });
    const b = g.add(g.mul(a, -4.775), g.matmul(a, a, { alpha: 2.0315 }));
    y = g.add(g.mul(y, 3.4445), g.matmul(b, y));
  }
  return tall ? g.transpose(y, [0, 2, 1]) : y;
}
