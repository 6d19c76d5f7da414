import type { Token } from "./lexer.js";

export type Expression =
  | { readonly type: "constant"; readonly value: string | number | boolean | null; readonly float?: true }
  | { readonly type: "name"; readonly name: string }
  | { readonly type: "list" | "tuple" | "concat"; readonly items: readonly Expression[] }
  | { readonly type: "dict"; readonly items: readonly (readonly [Expression, Expression])[] }
  | { readonly type: "attribute"; readonly of: Expression; readonly name: string }
  | { readonly type: "item"; readonly of: Expression; readonly key: Expression }
  | { readonly type: "slice"; readonly of: Expression; readonly bounds: readonly [Expression | null, Expression | null, Expression | null] }
  | { readonly type: "call"; readonly of: Expression; readonly args: Arguments }
  | { readonly type: "filter"; readonly of: Expression | null; readonly name: string; readonly args: Arguments }
  | { readonly type: "test"; readonly of: Expression; readonly name: string; readonly args: Arguments }
  | { readonly type: "unary"; readonly operator: "not" | "-" | "+"; readonly of: Expression }
  | { readonly type: "binary"; readonly operator: string; readonly left: Expression; readonly right: Expression }
  | { readonly type: "compare"; readonly first: Expression; readonly rest: readonly (readonly [string, Expression])[] }
  | { readonly type: "choice"; readonly test: Expression; readonly then: Expression; readonly otherwise: Expression | null };

export interface Arguments {
  readonly args: readonly Expression[];
  readonly named: readonly (readonly [string, Expression])[];
  readonly spread: Expression | null;
  readonly spreadNamed: Expression | null;
}

const noArguments: Arguments = { args: [], named: [], spread: null, spreadNamed: null };

/** Reads expressions from tokens, with Jinja's precedence. */
export class Parser {
  private at = 0;

  constructor(private readonly tokens: readonly Token[]) {}

  get current(): Token | undefined {
    return this.tokens[this.at];
  }

  /** Where what was read last stands. */
  get line(): number {
    return this.tokens[this.at - 1]?.line ?? 1;
  }

  next(): Token {
    const token = this.tokens[this.at];
    if (!token) throw new Error("the template ends within a block");
    this.at++;
    return token;
  }

  /** The current token is that operator or name. */
  sees(text: string): boolean {
    const token = this.current;
    return token !== undefined && (token.kind === "operator" || token.kind === "name") && token.text === text;
  }

  takes(text: string): boolean {
    const found = this.sees(text);
    if (found) this.at++;
    return found;
  }

  expect(text: string): void {
    if (!this.takes(text)) this.fail(`expected ${text}`);
  }

  name(): string {
    const token = this.next();
    if (token.kind !== "name") {
      this.at--;
      return this.fail("expected a name");
    }
    return token.text;
  }

  end(): void {
    if (this.next().kind !== "end") {
      this.at--;
      this.fail("expected the end of the statement");
    }
  }

  atEnd(): boolean {
    return this.current?.kind === "end";
  }

  fail(what: string): never {
    const token = this.current ?? this.tokens.at(-1);
    throw new Error(`line ${token?.line ?? 1}: ${what}${token && "text" in token && token.kind !== "data" ? `, got ${token.text}` : ""}`);
  }

  /** Values side by side are a tuple. */
  tuple(withCondition = true, ends?: string): Expression {
    const items: Expression[] = [];
    let isTuple = false;
    for (;;) {
      if (items.length > 0 && (this.atEnd() || this.sees(")") || (ends !== undefined && this.sees(ends)))) break;
      items.push(withCondition ? this.expression() : this.or());
      if (!this.takes(",")) break;
      isTuple = true;
    }
    return isTuple ? { type: "tuple", items } : items[0]!;
  }

  expression(): Expression {
    let value = this.or();
    while (this.takes("if")) {
      const test = this.or();
      value = { type: "choice", test, then: value, otherwise: this.takes("else") ? this.expression() : null };
    }
    return value;
  }

  or(): Expression {
    return this.binaries(["or"], () => this.binaries(["and"], () => this.not()));
  }

  private not(): Expression {
    return this.takes("not") ? { type: "unary", operator: "not", of: this.not() } : this.comparison();
  }

  private comparison(): Expression {
    const first = this.sum();
    const rest: [string, Expression][] = [];
    for (;;) {
      const operator = ["==", "!=", "<=", ">=", "<", ">", "in"].find((each) => this.takes(each));
      if (operator !== undefined) rest.push([operator, this.sum()]);
      else if (this.sees("not") && this.isNext("in")) {
        this.at += 2;
        rest.push(["not in", this.sum()]);
      } else return rest.length === 0 ? first : { type: "compare", first, rest };
    }
  }

  private isNext(text: string): boolean {
    const token = this.tokens[this.at + 1];
    return token?.kind === "name" && token.text === text;
  }

  private sum(): Expression {
    return this.binaries(["+", "-"], () => {
      const items = [this.product()];
      while (this.takes("~")) items.push(this.product());
      return items.length === 1 ? items[0]! : { type: "concat", items };
    });
  }

  private product(): Expression {
    return this.binaries(["*", "/", "//", "%"], () => this.binaries(["**"], () => this.unary(true)));
  }

  private binaries(operators: readonly string[], operand: () => Expression): Expression {
    let left = operand();
    for (;;) {
      const operator = operators.find((each) => this.takes(each));
      if (operator === undefined) return left;
      left = { type: "binary", operator, left, right: operand() };
    }
  }

  private unary(withFilters: boolean): Expression {
    const sign = (["-", "+"] as const).find((each) => this.takes(each));
    const value = this.postfix(sign !== undefined ? { type: "unary", operator: sign, of: this.unary(false) } : this.primary());
    return withFilters ? this.filters(value) : value;
  }

  private primary(): Expression {
    const token = this.next();
    if (token.kind === "string") {
      let text = unescaped(token.text);
      while (this.current?.kind === "string") text += unescaped((this.next() as { text: string }).text);
      return { type: "constant", value: text };
    }
    if (token.kind === "integer") return { type: "constant", value: Number(token.text.replaceAll("_", "")) };
    if (token.kind === "float") return { type: "constant", value: Number(token.text.replaceAll("_", "")), float: true };
    if (token.kind === "name") {
      const constants: Readonly<Record<string, boolean | null>> = { true: true, True: true, false: false, False: false, none: null, None: null };
      return Object.hasOwn(constants, token.text) ? { type: "constant", value: constants[token.text]! } : { type: "name", name: token.text };
    }
    if (token.kind === "operator" && token.text === "(") {
      if (this.takes(")")) return { type: "tuple", items: [] };
      const value = this.tuple();
      this.expect(")");
      return value;
    }
    if (token.kind === "operator" && token.text === "[") return { type: "list", items: this.listed("]", () => this.expression()) };
    if (token.kind === "operator" && token.text === "{") {
      return { type: "dict", items: this.listed("}", () => {
        const key = this.expression();
        this.expect(":");
        return [key, this.expression()] as const;
      }) };
    }
    this.at--;
    return this.fail("expected a value");
  }

  private listed<T>(close: string, item: () => T): T[] {
    const items: T[] = [];
    while (!this.takes(close)) {
      if (items.length > 0) this.expect(",");
      if (this.takes(close)) break;
      items.push(item());
    }
    return items;
  }

  private postfix(value: Expression): Expression {
    for (;;) {
      if (this.takes(".")) {
        const token = this.next();
        if (token.kind === "name") value = { type: "attribute", of: value, name: token.text };
        else if (token.kind === "integer") value = { type: "item", of: value, key: { type: "constant", value: Number(token.text) } };
        else this.fail("expected the name of an attribute");
      } else if (this.takes("[")) value = this.subscript(value);
      else if (this.sees("(")) value = { type: "call", of: value, args: this.arguments() };
      else return value;
    }
  }

  private subscript(of: Expression): Expression {
    const bounds: (Expression | null)[] = [null];
    let isSlice = false;
    while (!this.takes("]")) {
      if (this.takes(":")) {
        isSlice = true;
        bounds.push(null);
      } else bounds[bounds.length - 1] = this.expression();
    }
    if (isSlice) return bounds.length > 3 ? this.fail("a slice of more than three parts") : { type: "slice", of, bounds: [bounds[0] ?? null, bounds[1] ?? null, bounds[2] ?? null] };
    return bounds[0] ? { type: "item", of, key: bounds[0] } : this.fail("expected an index");
  }

  private filters(value: Expression): Expression {
    for (;;) {
      if (this.takes("|")) value = this.filter(value);
      else if (this.takes("is")) value = this.test(value);
      else if (this.sees("(")) value = { type: "call", of: value, args: this.arguments() };
      else return value;
    }
  }

  /** What follows `|`, or begins a filter block. */
  filter(of: Expression | null): Expression {
    const name = this.dotted();
    return { type: "filter", of, name, args: this.sees("(") ? this.arguments() : noArguments };
  }

  filterChain(of: Expression | null): Expression {
    let value = this.filter(of);
    while (this.takes("|")) value = this.filter(value);
    return value;
  }

  private test(of: Expression): Expression {
    const negated = this.takes("not");
    const name = this.dotted();
    let args = noArguments;
    const token = this.current;
    if (this.sees("(")) args = this.arguments();
    else if (token && (["name", "string", "integer", "float"].includes(token.kind) || ["[", "{"].some((open) => this.sees(open))) && !["else", "or", "and"].some((word) => this.sees(word))) {
      if (this.sees("is")) this.fail("tests cannot be chained");
      args = { ...noArguments, args: [this.postfix(this.primary())] };
    }
    const test: Expression = { type: "test", of, name, args };
    return negated ? { type: "unary", operator: "not", of: test } : test;
  }

  private dotted(): string {
    let name = this.name();
    while (this.takes(".")) name += `.${this.name()}`;
    return name;
  }

  arguments(): Arguments {
    this.expect("(");
    const args: Expression[] = [];
    const named: [string, Expression][] = [];
    let [spread, spreadNamed]: [Expression | null, Expression | null] = [null, null];
    let first = true;
    while (!this.takes(")")) {
      if (!first) this.expect(",");
      if (this.takes(")")) break;
      first = false;
      if (this.takes("**")) spreadNamed = this.expression();
      else if (this.takes("*")) spread = this.expression();
      else if (this.current?.kind === "name" && this.tokens[this.at + 1]?.kind === "operator" && (this.tokens[this.at + 1] as { text: string }).text === "=") {
        const name = this.name();
        this.expect("=");
        named.push([name, this.expression()]);
      } else args.push(this.expression());
    }
    return { args, named, spread, spreadNamed };
  }
}

const simple: Readonly<Record<string, string>> = { n: "\n", t: "\t", r: "\r", b: "\b", f: "\f", v: "\v", a: "\x07", "\\": "\\", "'": "'", '"': '"', "\n": "" };

/** A string as it is written, with Python's escapes; unknown ones stay. */
function unescaped(text: string): string {
  return text.slice(1, -1).replace(/\\(?:x([\da-fA-F]{2})|u([\da-fA-F]{4})|U([\da-fA-F]{8})|([0-7]{1,3})|(.))/gs, (all, x: string | undefined, u: string | undefined, long: string | undefined, octal: string | undefined, other: string | undefined) => {
    const hex = x ?? u ?? long;
    if (hex !== undefined) return String.fromCodePoint(parseInt(hex, 16));
    if (octal !== undefined) return String.fromCharCode(parseInt(octal, 8));
    return simple[other!] ?? all;
  });
}
