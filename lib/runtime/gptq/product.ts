import { Tensor } from "onnxruntime-node";
import type { MatrixProduct } from "../../checkpoint/gptq/factor.js";
import { GraphBuilder } from "../../onnx/builder.js";
import { createSession, type LoadedGraph } from "../session.js";

/** Products of matrices by ONNX Runtime, until they are released. */
export class Products {
  private readonly sessions = new Map<"float32" | "float64", Promise<LoadedGraph>>();

  constructor(private readonly threads: number | undefined) {}

  readonly product: MatrixProduct = async (a, b, m, k, n) => {
    const type = a instanceof Float64Array ? "float64" : "float32";
    const session = await this.session(type);
    const { c } = await session.run({ a: new Tensor(type, a, [m, k]), b: new Tensor(type, b, [k, n]) }, ["c"]);
    return c!.data as typeof a;
  };

  async release(): Promise<void> {
    for (const session of this.sessions.values()) await (await session).release();
    this.sessions.clear();
  }

  private session(type: "float32" | "float64"): Promise<LoadedGraph> {
    let session = this.sessions.get(type);
    if (!session) {
      const g = new GraphBuilder("product");
      g.output(g.matmul(g.input("a", type, ["m", "k"]), g.input("b", type, ["k", "n"])), "c");
      this.sessions.set(type, (session = createSession(g, { threads: this.threads })));
    }
    return session;
  }
}
