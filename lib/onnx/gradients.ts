import type { GraphBuilder } from "./builder.js";
import type { TapeEntry, Value } from "./graph.js";
import { rules } from "./rules.js";

/**
 * Reverse-mode differentiation, from graph to graph: adds to `g` the nodes that compute the
 * gradient of the scalar `loss` with respect to each of `wrt`, and returns those gradients in order.
 * A value that `loss` does not depend on gets zeros.
 * @throws when an operator between `wrt` and `loss` has no rule.
 * @example
 * const [gradient] = sdtp.gradients(g, loss, [weights]);
 */
export function gradients(g: GraphBuilder, loss: Value, wrt: readonly Value[]): Value[] {
  if (loss.rank !== 0) throw new Error(`gradients: loss has shape [${loss.shape.join(", ")}] (must be a scalar)`);
  return vectorJacobian(g, loss, g.scalar("float32", 1), wrt);
}

/** As `gradients`, of any value, from its own gradient. */
export function vectorJacobian(g: GraphBuilder, output: Value, gradient: Value, wrt: readonly Value[]): Value[] {
  const needed = dependents(g.tape, wrt);
  const sums = new Map<Value, Value>([[output, gradient]]);
  const tape = [...g.tape];
  for (let step = tape.length - 1; step >= 0; step--) {
    const entry = tape[step]!;
    const incoming = entry.outputs.map((output) => sums.get(output) ?? null);
    if (incoming.every((gradient) => gradient === null) || !entry.inputs.some((input) => input && needed.has(input))) continue;
    const outgoing = pullback(g, entry, incoming, needed);
    entry.inputs.forEach((input, i) => {
      const gradient = outgoing[i];
      if (!input || !gradient || !needed.has(input)) return;
      const sum = sums.get(input);
      sums.set(input, sum ? g.add(sum, gradient) : gradient);
    });
  }
  return wrt.map((value) => sums.get(value) ?? g.mul(value, 0));
}

/** Values that depend on any of `sources` (these included). */
function dependents(tape: readonly TapeEntry[], sources: readonly Value[]): Set<Value> {
  const found = new Set(sources);
  for (const { inputs, outputs } of tape) {
    if (inputs.some((input) => input && found.has(input))) for (const output of outputs) found.add(output);
  }
  return found;
}

function pullback(g: GraphBuilder, entry: TapeEntry, incoming: (Value | null)[], needed: ReadonlySet<Value>): (Value | null)[] {
  if (entry.pullback) return entry.pullback(incoming);
  const node = entry.node!;
  const rule = rules[node.op];
  if (!rule) throw new Error(`gradient: no rule for operator ${node.op}`);
  return rule(g, node, incoming, (i) => { const input = node.inputs[i]; return input != null && needed.has(input); });
}
