import { attribute, item, slice } from "./access.js";
import { arithmetic } from "./arithmetic.js";
import { filterNamed } from "./filters.js";
import type { Arguments, Expression } from "./parser.js";
import type { Scope } from "./scope.js";
import { testNamed } from "./tests.js";
import { toText } from "./text.js";
import { compare, contains, defined, elements, equal, Float, isCallable, isDict, isTrue, keyOf, tuple, typeName, Undefined, type Value } from "./values.js";

/** The value of an expression. @throws what Jinja would refuse */
export function evaluate(expression: Expression, scope: Scope): Value {
  switch (expression.type) {
    case "constant":
      return expression.float ? new Float(expression.value as number) : expression.value;
    case "name":
      return named(scope, expression.name);
    case "list":
      return expression.items.map((each) => evaluate(each, scope));
    case "tuple":
      return tuple(expression.items.map((each) => evaluate(each, scope)));
    case "concat":
      return expression.items.map((each) => toText(evaluate(each, scope))).join("");
    case "dict":
      return new Map(expression.items.map(([key, value]) => [keyOf(evaluate(key, scope)), evaluate(value, scope)]));
    case "attribute":
      return attribute(evaluate(expression.of, scope), expression.name);
    case "item":
      return item(evaluate(expression.of, scope), evaluate(expression.key, scope));
    case "slice":
      return slice(evaluate(expression.of, scope), expression.bounds.map((bound) => (bound ? evaluate(bound, scope) : null)));
    case "call": {
      const called = defined(evaluate(expression.of, scope));
      if (!isCallable(called)) throw new Error(`'${typeName(called)}' object is not callable`);
      return called(...valuesOf(expression.args, scope));
    }
    case "filter":
      return applied(expression, expression.of ? evaluate(expression.of, scope) : "", scope);
    case "test":
      return testNamed(expression.name)(evaluate(expression.of, scope), ...valuesOf(expression.args, scope)[0]);
    case "unary": {
      const value = evaluate(expression.of, scope);
      if (expression.operator === "not") return !isTrue(value);
      return expression.operator === "-" && value instanceof Float ? new Float(-value.value) : arithmetic(expression.operator, 0, value);
    }
    case "binary": {
      const left = evaluate(expression.left, scope);
      if (expression.operator === "and") return isTrue(left) ? evaluate(expression.right, scope) : left;
      if (expression.operator === "or") return isTrue(left) ? left : evaluate(expression.right, scope);
      return arithmetic(expression.operator, left, evaluate(expression.right, scope));
    }
    case "compare":
      return compared(expression, scope);
    case "choice":
      if (isTrue(evaluate(expression.test, scope))) return evaluate(expression.then, scope);
      return expression.otherwise ? evaluate(expression.otherwise, scope) : new Undefined("the inline if-expression evaluated to false and no else section was defined");
  }
}

/** A filter on a value that is there already, or on what a filter before it makes of that. */
export function applied(filter: Expression & { type: "filter" }, value: Value, scope: Scope): Value {
  const before = filter.of?.type === "filter" && filter.of.of === null ? applied(filter.of, value, scope) : value;
  return filterNamed(filter.name)(before, ...valuesOf(filter.args, scope));
}

export function valuesOf({ args, named, spread, spreadNamed }: Arguments, scope: Scope): [Value[], Map<string, Value>] {
  const byName = new Map(named.map(([name, value]) => [name, evaluate(value, scope)]));
  const more = spreadNamed ? evaluate(spreadNamed, scope) : null;
  if (isDict(more)) for (const [key, value] of more) byName.set(String(key), value);
  return [[...args.map((each) => evaluate(each, scope)), ...(spread ? elements(evaluate(spread, scope)) : [])], byName];
}

function named(scope: Scope, name: string): Value {
  const value = scope.get(name);
  return value === undefined ? new Undefined(`'${name}' is undefined`) : value;
}

function compared({ first, rest }: Expression & { type: "compare" }, scope: Scope): boolean {
  let left = evaluate(first, scope);
  for (const [operator, next] of rest) {
    const right = evaluate(next, scope);
    const holds =
      operator === "==" ? equal(left, right)
      : operator === "!=" ? !equal(left, right)
      : operator === "in" ? contains(right, left)
      : operator === "not in" ? !contains(right, left)
      : operator === "<" ? compare(left, right) < 0
      : operator === "<=" ? compare(left, right) <= 0
      : operator === ">" ? compare(left, right) > 0
      : compare(left, right) >= 0;
    if (!holds) return false;
    left = right;
  }
  return true;
}
