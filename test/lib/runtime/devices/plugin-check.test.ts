// The check of plugin providers, with devices that get one operator wrong: the CPU's own home, spoilt.
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { openCheckpoint } from "../../../../lib/checkpoint/open.js";
import { GraphBuilder } from "../../../../lib/onnx/builder.js";
import type { Node } from "../../../../lib/onnx/graph.js";
import { StandardBuilder } from "../../../../lib/onnx/standard-builder.js";
import { provePlugin } from "../../../../lib/runtime/devices/plugin-check.js";
import { hostHome, type Home } from "../../../../lib/runtime/home.js";
import type { PluginHomeOptions } from "../../../../lib/runtime/providers/home.js";
import { tinyCheckpoint } from "../../../reference/checkpoints.js";

const tiny = tinyCheckpoint("llama");
after(tiny.remove);
const checkpoint = await openCheckpoint(tiny.folder, {});
const named = { bfloat16: true, provider: "TestExecutionProvider", version: "1" };

/** A device that spoils operators of a name in what it is given to load. */
const spoiling = (operator: string, spoil: (g: GraphBuilder, node: Node) => void, builder: (name: string) => GraphBuilder): Home => {
  const host = hostHome("plain");
  return {
    ...host,
    device: "plugin:test",
    builder,
    pieces: 4,
    async load(g, settings) {
      for (const node of g.nodes.filter(({ op }) => op === operator)) spoil(g, node);
      return host.load(g, settings);
    },
  };
};

/** What a node computes is taken from other inputs, made by nodes before it. */
function rewired(g: GraphBuilder, node: Node, inputs: () => Node["inputs"]): void {
  const count = g.nodes.length;
  const changed = inputs();
  const made = g.nodes.splice(count);
  g.nodes.splice(g.nodes.indexOf(node), 0, ...made);
  Object.assign(node, { inputs: changed });
}

/** Every token turned by the angles of the first. */
const turnedAlike = (g: GraphBuilder, node: Node) => rewired(g, node, () => {
  const [x, positions, cos, sin] = node.inputs;
  const first = (table: NonNullable<typeof cos>) => g.expand(g.slice(table, 0, 0, 1), table.shape);
  return [x!, positions!, first(cos!), first(sin!)];
});

test("a device whose fused rotary embedding turns every token by the first one's angles is refused, by the operator's name", async () => {
  const verdict = await provePlugin(checkpoint, () => spoiling("RotaryEmbedding", turnedAlike, (name) => new GraphBuilder(name)), named);
  assert.ok(!verdict.ok);
  assert.match(verdict.reason, /^differs from the CPU in com\.microsoft\.RotaryEmbedding \(float32\), which is off by [\d.e+-]+ of its largest number$/);
  assert.doesNotMatch(verdict.reason, /MatMul|Softmax|Add/);
});

test("spelled out, the same device passes, and rounding is looked at apart", async () => {
  const asked: PluginHomeOptions[] = [];
  const verdict = await provePlugin(checkpoint, (options) => {
    asked.push(options);
    return spoiling("RotaryEmbedding", turnedAlike, (name) => new StandardBuilder(name));
  }, named);
  assert.ok(verdict.ok, JSON.stringify(verdict));
  assert.ok(verdict.plugin!.operators > 40, `${verdict.plugin!.operators} kinds of operators`);
  assert.ok(verdict.differences.prefillLogits < 1e-4 && verdict.differences.keptPositions === "same");
  assert.deepEqual(asked.map(({ accuracy }) => accuracy), [undefined, undefined, "bfloat16"]);
});

test("an operator that is a little off is found where the whole model would not tell it; so is one that cannot be loaded", async () => {
  const scaled = (g: GraphBuilder, node: Node) => rewired(g, node, () => [g.mul(node.inputs[0]!, 1.003)]);
  const verdict = await provePlugin(checkpoint, () => spoiling("Softmax", scaled, (name) => new StandardBuilder(name)), named);
  assert.ok(!verdict.ok);
  assert.match(verdict.reason, /^differs from the CPU in Softmax \(float32\), which is off by [\d.e-]+ of its largest number$/);
  const unknown = await provePlugin(checkpoint, () => spoiling("Sigmoid", (_, node) => void Object.assign(node, { op: "NoSuchOperator" }), (name) => new StandardBuilder(name)), named);
  assert.ok(!unknown.ok);
  assert.match(unknown.reason, /Sigmoid \(float32\), which .*NoSuchOperator/);
});
