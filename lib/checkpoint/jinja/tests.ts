import { compare, contains, equal, Float, isCallable, isDict, isInteger, isNumber, numberOf, Undefined, type Value } from "./values.js";

/** `value is name(args)`. */
export type Test = (value: Value, ...args: Value[]) => boolean;

const same = (a: Value, b: Value): boolean => (a instanceof Float && b instanceof Float ? a.value === b.value : a === b);
const whole = (value: Value): number => {
  if (!isNumber(value)) throw new Error("must be a number");
  return numberOf(value);
};

const tests: Readonly<Record<string, Test>> = {
  defined: (value) => !(value instanceof Undefined),
  undefined: (value) => value instanceof Undefined,
  none: (value) => value === null,
  boolean: (value) => typeof value === "boolean",
  true: (value) => value === true,
  false: (value) => value === false,
  integer: isInteger,
  float: (value) => value instanceof Float,
  number: isNumber,
  string: (value) => typeof value === "string",
  mapping: isDict,
  iterable: (value) => typeof value === "string" || Array.isArray(value) || isDict(value) || value instanceof Undefined,
  sequence: (value) => typeof value === "string" || Array.isArray(value) || isDict(value) || value instanceof Undefined,
  callable: isCallable,
  escaped: () => false,
  sameas: (value, other) => same(value, other!),
  odd: (value) => Math.abs(whole(value)) % 2 === 1,
  even: (value) => whole(value) % 2 === 0,
  divisibleby: (value, by) => whole(value) % whole(by!) === 0,
  lower: (value) => typeof value === "string" && value !== value.toUpperCase() && value === value.toLowerCase(),
  upper: (value) => typeof value === "string" && value !== value.toLowerCase() && value === value.toUpperCase(),
  in: (value, container) => contains(container!, value),
  eq: (value, other) => equal(value, other!),
  ne: (value, other) => !equal(value, other!),
  lt: (value, other) => compare(value, other!) < 0,
  le: (value, other) => compare(value, other!) <= 0,
  gt: (value, other) => compare(value, other!) > 0,
  ge: (value, other) => compare(value, other!) >= 0,
};
const others: Readonly<Record<string, string>> = { "==": "eq", equalto: "eq", "!=": "ne", "<": "lt", lessthan: "lt", "<=": "le", ">": "gt", greaterthan: "gt", ">=": "ge" };

/** @throws where there is no such test */
export function testNamed(name: string): Test {
  const known = Object.hasOwn(others, name) ? others[name]! : name;
  const test = Object.hasOwn(tests, known) ? tests[known] : undefined;
  if (!test) throw new Error(`No test named '${name}'.`);
  return test;
}
