// How long ONNX Runtime takes for one token's product with a matrix in each form of blocks, beside that with 8 bits in blocks of 32: prints the rows of
// lib/checkpoint/gguf/README.md. A benchmark: run it on a quiet machine.
//   node dist/test/reference/gguf/block-forms.js
import { Tensor } from "onnxruntime-node";
import { Random } from "../../../lib/random.js";
import { createSession } from "../../../lib/runtime/session.js";
import { GraphBuilder } from "../../../lib/onnx/builder.js";
import { markdownTable } from "./markdown-table.js";

const [ROWS, COLUMNS, MATRICES, ROUNDS] = [2048, 2048, 6, 10];
const random = new Random(1);
const bytes = (length: number) => Uint8Array.from({ length }, () => random.bits() & 255);

interface Form { readonly bits: 2 | 4 | 8; readonly block: number; readonly points?: "uint8" | "float32" }

/** Products of a vector with matrices in a form: takes milliseconds. */
async function product({ bits, block, points }: Form): Promise<() => Promise<number>> {
  const g = new GraphBuilder();
  const x = g.input("x", "float32", [1, COLUMNS]);
  const blocks = COLUMNS / block;
  let sum = g.scalar("float32", 0);
  for (let i = 0; i < MATRICES; i++) {
    const quants = g.inline("quants", "uint8", [ROWS, blocks, (block * bits) / 8], bytes((ROWS * COLUMNS * bits) / 8));
    const scales = g.constant("float32", Float32Array.from({ length: ROWS * blocks }, () => random.next() / 100), [ROWS, blocks]);
    const zeros = points === "uint8" ? [g.inline("points", "uint8", [ROWS, (blocks * bits) / 8], bytes((ROWS * blocks * bits) / 8))]
      : points === "float32" ? [g.constant("float32", new Float32Array(ROWS * blocks).fill(7.5), [ROWS, blocks])] : [];
    const int = (value: number) => ({ kind: "int", value }) as const;
    const [y] = g.node("MatMulNBits", [x, quants, scales, ...zeros], [{ dtype: "float32", shape: [1, ROWS] }], { K: int(COLUMNS), N: int(ROWS), bits: int(bits), block_size: int(block), accuracy_level: int(4) }, "com.microsoft");
    sum = g.add(sum, y!);
  }
  g.output(sum, "y");
  const session = await createSession(g, { threads: 1 });
  const feeds = { x: new Tensor("float32", Float32Array.from({ length: COLUMNS }, () => random.next() - 0.5), [1, COLUMNS]) };
  return async () => {
    const start = performance.now();
    await session.run(feeds, ["y"]);
    return performance.now() - start;
  };
}

const forms: Form[] = [
  { bits: 8, block: 32 }, { bits: 8, block: 128 }, { bits: 4, block: 32 }, { bits: 4, block: 32, points: "uint8" }, { bits: 4, block: 128, points: "uint8" }, { bits: 4, block: 16 },
  { bits: 4, block: 32, points: "float32" }, { bits: 2, block: 32 }, { bits: 2, block: 64 }, { bits: 2, block: 16 },
];
const products = await Promise.all(forms.map(product));
// The least of many, in turns: others may be at work on the machine.
const least = forms.map(() => Infinity);
for (let round = 0; round < ROUNDS; round++) {
  for (const [i, run] of products.entries()) for (let again = 0; again < 3; again++) least[i] = Math.min(least[i]!, await run());
}
process.stdout.write(markdownTable(["form", "bits an element", "time beside the first"], forms.map(({ bits, block, points }, i) => {
  const stored = bits + 32 / block + (points === "uint8" ? bits / block : points ? 32 / block : 0);
  return [`${bits} bits, blocks of ${block}${points ? `, ${points} zero points` : ""}`, String(Math.round(100 * stored) / 100), (least[i]! / least[0]!).toFixed(2)];
})));
