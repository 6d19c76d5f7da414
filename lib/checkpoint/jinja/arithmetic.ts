import { percentFormat } from "./format.js";
import { defined, Float, isInteger, isNumber, numberOf, Tuple, tuple, typeName, type Value } from "./values.js";

/** Longest text or list that a product makes: a template has no use for more. */
const LONGEST = 1e7;

/** What Python makes of two values. @throws where it makes nothing of them */
export function arithmetic(operator: string, a: Value, b: Value): Value {
  const [left, right] = [defined(a), defined(b)];
  if (isNumber(left) && isNumber(right)) return numbers(operator, left, right);
  if (operator === "+") {
    if (typeof left === "string" && typeof right === "string") return left + right;
    if (Array.isArray(left) && Array.isArray(right) && left instanceof Tuple === right instanceof Tuple) return left instanceof Tuple ? tuple([...left, ...right]) : [...left, ...right];
    if (typeof left === "string") throw new Error(`can only concatenate str (not "${typeName(right)}") to str`);
  }
  if (operator === "*") {
    const [many, times] = isInteger(left) ? [right, left] : [left, right];
    if (isInteger(times) && (typeof many === "string" || Array.isArray(many))) {
      const count = Math.max(0, times);
      if (many.length * count > LONGEST) throw new Error(`${typeName(many)} * ${times}: more than ${LONGEST} elements`);
      return typeof many === "string" ? many.repeat(count) : Array.from({ length: count }, () => many as Value[]).flat();
    }
  }
  if (operator === "%" && typeof left === "string") return percentFormat(left, right);
  throw new Error(`unsupported operand type(s) for ${operator}: '${typeName(left)}' and '${typeName(right)}'`);
}

function numbers(operator: string, left: number | Float | boolean, right: number | Float | boolean): Value {
  const [x, y] = [numberOf(left), numberOf(right)];
  const whole = !(left instanceof Float) && !(right instanceof Float);
  const number = (value: number): Value => (whole ? value : new Float(value));
  if (["/", "//", "%"].includes(operator) && y === 0) throw new Error("division by zero");
  switch (operator) {
    case "+":
      return number(x + y);
    case "-":
      return number(x - y);
    case "*":
      return number(x * y);
    case "/":
      return new Float(x / y);
    case "//":
      return number(Math.floor(x / y));
    case "%":
      // The sign of the divisor, as in Python.
      return number(x - y * Math.floor(x / y));
    default:
      return whole && y >= 0 ? x ** y : new Float(x ** y);
  }
}
