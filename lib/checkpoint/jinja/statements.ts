import { applied, evaluate, valuesOf } from "./evaluate.js";
import type { Arguments, Expression, Parser } from "./parser.js";
import { Scope } from "./scope.js";
import { toText } from "./text.js";
import { defined, elements, equal, isCallable, isTrue, Namespace, tuple, Undefined, type Callable, type Value } from "./values.js";

/** Writes what a piece of a template makes; says where a loop is to be left or gone on with. */
export type Statement = (scope: Scope, out: string[]) => "break" | "continue" | void;

/** Reads statements up to one of the names given, which is taken, or to the template's end. */
export function statements(parser: Parser, ...ends: string[]): Statement {
  const [body] = block(parser, ends);
  return body;
}

function block(parser: Parser, ends: readonly string[]): [Statement, string] {
  const all: Statement[] = [];
  const { line } = parser;
  for (;;) {
    const token = parser.current;
    if (!token) {
      if (ends.length > 0) throw new Error(`line ${line}: ${ends.at(-1)} is missing`);
      return [sequence(all), ""];
    }
    parser.next();
    if (token.kind === "data") {
      all.push((_, out) => void out.push(token.text));
    } else if (token.kind === "begin" && token.what === "print") {
      const value = parser.tuple();
      parser.end();
      all.push((scope, out) => void out.push(toText(evaluate(value, scope))));
    } else {
      const name = parser.name();
      if (ends.includes(name)) return [sequence(all), name];
      all.push(statement(parser, name));
    }
  }
}

const sequence = (all: readonly Statement[]): Statement => (scope, out) => {
  for (const each of all) {
    const signal = each(scope, out);
    if (signal) return signal;
  }
};

/** What a body writes, as text. */
function captured(body: Statement, scope: Scope): string {
  const out: string[] = [];
  body(scope, out);
  return out.join("");
}

function statement(parser: Parser, name: string): Statement {
  switch (name) {
    case "if":
      return conditional(parser);
    case "for":
      return loop(parser);
    case "set":
      return assignment(parser);
    case "macro":
      return macro(parser);
    case "call":
      return callBlock(parser);
    case "filter": {
      const filter = parser.filterChain(null) as Expression & { type: "filter" };
      parser.end();
      const body = ended(parser, "endfilter");
      return (scope, out) => void out.push(toText(applied(filter, captured(body, new Scope(scope)), scope)));
    }
    case "with":
      return withBlock(parser);
    case "generation": {
      parser.end();
      const body = ended(parser, "endgeneration");
      // The block is a call: what is set in it stays in it.
      return (scope, out) => void out.push(captured(body, new Scope(scope)));
    }
    case "break":
    case "continue":
      parser.end();
      return () => name;
    default:
      return parser.fail(`unknown statement ${name}`);
  }
}

function ended(parser: Parser, end: string): Statement {
  const [body] = block(parser, [end]);
  parser.end();
  return body;
}

function conditional(parser: Parser): Statement {
  const branches: [Expression, Statement][] = [];
  let otherwise: Statement = () => {};
  for (let name = "elif"; name === "elif"; ) {
    const test = parser.tuple(false);
    parser.end();
    const [body, end] = block(parser, ["elif", "else", "endif"]);
    branches.push([test, body]);
    name = end;
    if (end === "else") {
      parser.end();
      otherwise = ended(parser, "endif");
    } else if (end === "endif") parser.end();
  }
  return (scope, out) => (branches.find(([test]) => isTrue(evaluate(test, scope)))?.[1] ?? otherwise)(scope, out);
}

type Target = readonly { readonly name: string; readonly field: string | null }[];

/** Names that are given values: one, or several of a tuple; `ns.field` of a namespace. */
function target(parser: Parser): { readonly names: Target; readonly isTuple: boolean } {
  const names: { name: string; field: string | null }[] = [];
  const open = parser.takes("(");
  let isTuple = open;
  do {
    if (names.length > 0 && (parser.sees("in") || parser.sees("=") || parser.sees(")"))) break;
    const name = parser.name();
    names.push({ name, field: parser.takes(".") ? parser.name() : null });
    if (parser.sees(",")) isTuple = true;
  } while (parser.takes(","));
  if (open) parser.expect(")");
  return { names, isTuple };
}

function assign({ names, isTuple }: ReturnType<typeof target>, value: Value, scope: Scope): void {
  const parts = isTuple ? elements(defined(value)) : [value];
  if (parts.length !== names.length) throw new Error(`${parts.length < names.length ? "not enough" : "too many"} values to unpack (expected ${names.length})`);
  names.forEach(({ name, field }, i) => {
    if (field === null) return scope.set(name, parts[i]!);
    const owner = scope.get(name);
    if (!(owner instanceof Namespace)) throw new Error("cannot assign attribute on non-namespace object");
    owner.fields.set(field, parts[i]!);
  });
}

function assignment(parser: Parser): Statement {
  const to = target(parser);
  if (parser.takes("=")) {
    const value = parser.tuple();
    parser.end();
    return (scope) => assign(to, evaluate(value, scope), scope);
  }
  const filter = parser.takes("|") ? (parser.filterChain(null) as Expression & { type: "filter" }) : null;
  parser.end();
  const body = ended(parser, "endset");
  return (scope) => {
    const text = captured(body, new Scope(scope));
    assign(to, filter ? applied(filter, text, scope) : text, scope);
  };
}

function loop(parser: Parser): Statement {
  const to = target(parser);
  parser.expect("in");
  const iterable = parser.tuple(false, "recursive");
  const test = parser.takes("if") ? parser.expression() : null;
  const recursive = parser.takes("recursive");
  parser.end();
  const [body, end] = block(parser, ["else", "endfor"]);
  parser.end();
  const otherwise = end === "else" ? ended(parser, "endfor") : null;

  const run = (given: Value, outer: Scope, out: string[], depth: number): "break" | "continue" | void => {
    const items = elements(defined(given)).filter((each) => {
      if (!test) return true;
      const scope = new Scope(outer);
      assign(to, each, scope);
      return isTrue(evaluate(test, scope));
    });
    let finished = 0;
    const changes: { last?: readonly Value[] } = {};
    for (const [i, each] of items.entries()) {
      const scope = new Scope(outer);
      scope.set("loop", loopVariable(items, i, depth, changes, recursive ? (inner) => {
        const written: string[] = [];
        run(inner, outer, written, depth + 1);
        return written.join("");
      } : null));
      assign(to, each, scope);
      const signal = body(scope, out);
      if (signal === "break") break;
      if (signal !== "continue") finished++;
    }
    // As Jinja counts: a round that was cut short is none.
    if (finished === 0 && otherwise) return otherwise(new Scope(outer), out);
  };
  return (scope, out) => {
    const value = evaluate(iterable, scope);
    return run(value instanceof Undefined ? [] : value, scope, out, 0);
  };
}

/** What `loop` knows of a round. */
function loopVariable(items: readonly Value[], i: number, depth: number, changes: { last?: readonly Value[] }, again: ((inner: Value) => string) | null): Value {
  const fields = new Map<string, Value>([
    ["index", i + 1], ["index0", i], ["revindex", items.length - i], ["revindex0", items.length - i - 1], ["first", i === 0], ["last", i === items.length - 1], ["length", items.length],
    ["depth", depth + 1], ["depth0", depth],
    ["previtem", items[i - 1] ?? new Undefined("there is no previous item")], ["nextitem", items[i + 1] ?? new Undefined("there is no next item")],
    ["cycle", (args: readonly Value[]) => args[i % args.length]!],
    ["changed", (args: readonly Value[]) => {
      const same = changes.last !== undefined && equal([...changes.last], [...args]);
      changes.last = [...args];
      return !same;
    }],
  ]);
  if (again === null) return Object.assign(new Namespace(), { fields });
  return Object.assign(((args: readonly Value[]) => again(args[0] ?? null)) as Callable, { fields });
}

function parameters(parser: Parser): (readonly [string, Expression | null])[] {
  const all: (readonly [string, Expression | null])[] = [];
  parser.expect("(");
  while (!parser.takes(")")) {
    if (all.length > 0) parser.expect(",");
    const name = parser.name();
    all.push([name, parser.takes("=") ? parser.expression() : null]);
  }
  return all;
}

/** A body that can be called: its parameters, and `varargs`, `kwargs`, `caller`. */
function callable(name: string, wanted: readonly (readonly [string, Expression | null])[], body: Statement, outer: Scope): Callable {
  let depth = 0;
  const call = (args: readonly Value[], named: ReadonlyMap<string, Value>): Value => {
    if (depth > 500) throw new Error(`macro ${name}: calls itself too often`);
    depth++;
    try {
      const scope = new Scope(outer);
      const rest = new Map(named);
      for (const [i, [parameter, otherwise]] of wanted.entries()) {
        const given = i < args.length ? args[i]! : rest.get(parameter);
        if (i < args.length && rest.has(parameter)) throw new Error(`macro ${name}: ${parameter} is given twice`);
        rest.delete(parameter);
        scope.set(parameter, given !== undefined ? given : otherwise ? evaluate(otherwise, scope) : new Undefined(`parameter '${parameter}' was not provided`));
      }
      const caller = rest.get("caller");
      if (caller !== undefined) scope.set("caller", caller);
      rest.delete("caller");
      scope.set("varargs", tuple(args.slice(wanted.length)));
      scope.set("kwargs", new Map(rest));
      return captured(body, scope);
    } finally {
      depth--;
    }
  };
  return Object.assign(call, { shown: `<Macro '${name}'>` });
}

function macro(parser: Parser): Statement {
  const name = parser.name();
  const wanted = parameters(parser);
  parser.end();
  const body = ended(parser, "endmacro");
  return (scope) => scope.set(name, callable(name, wanted, body, scope));
}

function callBlock(parser: Parser): Statement {
  const wanted = parser.sees("(") ? parameters(parser) : [];
  const call = parser.expression();
  if (call.type !== "call") return parser.fail("expected a call");
  parser.end();
  const body = ended(parser, "endcall");
  return (scope, out) => {
    const called = defined(evaluate(call.of, scope));
    if (!isCallable(called)) throw new Error("call: not callable");
    const [args, named] = valuesOf(call.args as Arguments, scope);
    named.set("caller", callable("caller", wanted, body, scope));
    out.push(toText(called(args, named)));
  };
}

function withBlock(parser: Parser): Statement {
  const given: [string, Expression][] = [];
  while (!parser.atEnd()) {
    if (given.length > 0) parser.expect(",");
    const name = parser.name();
    parser.expect("=");
    given.push([name, parser.expression()]);
  }
  parser.end();
  const body = ended(parser, "endwith");
  return (scope, out) => {
    const inner = new Scope(scope);
    for (const [name, value] of given) inner.set(name, evaluate(value, scope));
    return body(inner, out);
  };
}
