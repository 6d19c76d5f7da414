import type { Floats, Value } from "./graph.js";
import { Attention } from "./operators/attention.js";

export type { RotaryLayout } from "./operators/attention.js";
export { onnxTypes } from "./operators/attributes.js";
export type { ExpertBlocks, ExpertSettings } from "./operators/experts.js";
export type { ChannelMatrix } from "./operators/integer-products.js";
export type { QuantizedMatrix } from "./operators/products.js";

/**
 * The operators that models are written in, each kind in a class of its own that this one extends. Every method adds nodes and
 * returns the resulting value; shapes follow ONNX's rules. Plain numbers become scalar constants of the other operand's type.
 */
export class GraphBuilder extends Attention {
  /**
   * @param products `fused`: transposing and scaling products are ONNX Runtime's FusedMatMul, which only the CPU and CUDA
   * have; elsewhere ONNX Runtime would take every one of them back to the CPU. `standard`: the same in standard ONNX
   * @param fusedExperts mixtures of experts are ONNX Runtime's own operators: on the CPU
   * @param floats what a model's activations are in this graph; sums of norms, softmax and scores are in float32 all the same
   */
  constructor(name?: string, products: "fused" | "standard" = "fused", readonly fusedExperts = products === "fused", prefix = "", readonly floats: Floats = "float32") {
    super(name, products, prefix);
  }

  /**
   * A value that is computed by one of two graphs, each of which sees the values of this one. Both give the same dtype and shape.
   * @param condition bool, one element @param name not used before
   */
  choose(condition: Value, name: string, then: (g: GraphBuilder) => Value, otherwise: (g: GraphBuilder) => Value): Value {
    const [first, second] = ([["then", then], ["else", otherwise]] as const).map(([branch, compute]) => {
      const g = new GraphBuilder(`${name}.${branch}`, this.products, this.fusedExperts, `${name}.${branch}/`, this.floats);
      g.output(compute(g), `${name}.${branch}`);
      return g;
    });
    const { dtype, shape } = first!.outputs[0]!.value;
    return this.node("If", [condition], [{ dtype, shape }], { then_branch: { kind: "graph", value: first! }, else_branch: { kind: "graph", value: second! } })[0]!;
  }

  /** `x`; where a graph's provider cannot be stopped inside of its work, by a way that parts that work in two (see `StandardBuilder`). */
  seam(x: Value): Value {
    return x;
  }

  /**
   * Runs `body` and makes the nodes it adds one step for `gradients`: the result's gradient is
   * handed to `pullback`, which returns the gradient of each of `inputs` (null: none).
   */
  composite(inputs: readonly Value[], body: () => Value, pullback: (gradient: Value) => (Value | null)[]): Value {
    const mark = this.tape.length;
    const output = body();
    this.tape.length = mark;
    this.tape.push({ inputs, outputs: [output], node: null, pullback: ([gradient]) => pullback(gradient!) });
    return output;
  }
}
