/** A piece of a template. */
export type Token =
  | { readonly kind: "data"; readonly text: string; readonly line: number }
  | { readonly kind: "begin" | "end"; readonly what: "block" | "print"; readonly line: number }
  | { readonly kind: "name" | "operator" | "string" | "integer" | "float"; readonly text: string; readonly line: number };

const operator = /\/\/|\*\*|==|!=|>=|<=|[-+/*%~[\](){}><=.:|,;]/y;
const name = /[\p{L}\p{Nl}_][\p{L}\p{Nl}\p{Mn}\p{Mc}\p{Nd}\p{Pc}]*/uy;
// Behind a point digits are an index: `a.0.1`.
const float = /(?<!\.)(?:\d+(?:_\d+)*)(?:\.\d+(?:_\d+)*(?:e[+-]?\d+(?:_\d+)*)?|e[+-]?\d+(?:_\d+)*)/iy;
const integer = /0b(?:_?[01])+|0o(?:_?[0-7])+|0x(?:_?[\da-f])+|[1-9](?:_?\d)*|0(?:_?0)*/iy;
const string = /'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*"/sy;
const space = /[\p{White_Space}\x1c-\x1f]+/uy;
const rawBegin = /\{%[-+]?\s*raw\s*(?:-%\}\s*|%\})/y;
const rawEnd = /\{%([-+]?)\s*endraw\s*(?:\+%\}|-%\}\s*|%\}\n?)/g;

/**
 * Cuts a template into tokens, as Jinja does with `trim_blocks` and `lstrip_blocks`: a line end behind a block and white space before
 * it on its line are dropped, `-` drops more, `+` less. https://jinja.palletsprojects.com/en/stable/templates/#whitespace-control
 * @throws an error with the line
 */
export function tokenize(given: string): Token[] {
  const source = given.replace(/\r\n?/g, "\n").replace(/\n$/, "");
  const tokens: Token[] = [];
  let [at, line, lineStarts] = [0, 1, true];
  const fail = (what: string): never => {
    throw new Error(`line ${line}: ${what}`);
  };
  const advance = (to: number) => {
    for (; at < to; at++) if (source[at] === "\n") line++;
    lineStarts = source[at - 1] === "\n";
  };
  const match = (pattern: RegExp) => {
    pattern.lastIndex = at;
    return pattern.exec(source)?.[0];
  };
  const data = (end: number, sign: string, lstrips: boolean) => {
    let text = source.slice(at, end);
    if (sign === "-") text = text.replace(/[\p{White_Space}\x1c-\x1f]+$/u, "");
    else if (sign !== "+" && lstrips) {
      const start = text.lastIndexOf("\n") + 1;
      if ((start > 0 || lineStarts) && /^[\p{White_Space}\x1c-\x1f]+$/u.test(text.slice(start))) text = text.slice(0, start);
    }
    if (text !== "") tokens.push({ kind: "data", text, line });
    advance(end);
  };
  while (at < source.length) {
    const found = /\{[%{#]/g;
    found.lastIndex = at;
    const start = found.exec(source)?.index ?? -1;
    if (start < 0) {
      tokens.push({ kind: "data", text: source.slice(at), line });
      break;
    }
    const what = source[start + 1]!;
    const sign = /[-+]/.test(source[start + 2] ?? "") ? source[start + 2]! : "";
    data(start, sign, what !== "{");
    if (what === "#") comment();
    else {
      const raw = what === "%" ? match(rawBegin) : undefined;
      if (raw !== undefined) rawText(raw);
      else expression(what === "%" ? "block" : "print", sign.length);
    }
  }
  return tokens;

  function comment(): void {
    const end = source.indexOf("#}", at + 2);
    if (end < 0) fail("a comment that does not end");
    const sign = source[end - 1];
    let to = end + 2;
    if (sign === "-") to += /^[\p{White_Space}\x1c-\x1f]*/u.exec(source.slice(to))![0].length;
    else if (sign !== "+" && source[to] === "\n") to++;
    advance(to);
  }

  function rawText(begin: string): void {
    advance(at + begin.length);
    rawEnd.lastIndex = at;
    const end = rawEnd.exec(source) ?? fail("raw without endraw");
    data(end.index, end[1]!, true);
    advance(at + end[0].length);
  }

  function expression(what: "block" | "print", signLength: number): void {
    tokens.push({ kind: "begin", what, line });
    advance(at + 2 + signLength);
    const closing = what === "block" ? "%}" : "}}";
    const open: string[] = [];
    for (;;) {
      if (at >= source.length) fail(`${closing} is missing`);
      const blank = match(space);
      if (blank !== undefined) {
        advance(at + blank.length);
        continue;
      }
      const sign = /[-+]/.test(source[at]!) && (source[at] === "-" || what === "block") ? 1 : 0;
      if (open.length === 0 && (source.startsWith(closing, at) || (sign === 1 && source.startsWith(closing, at + 1)))) {
        const drops = source.startsWith(closing, at) ? "" : source[at]!;
        let to = at + drops.length + 2;
        if (drops === "-") to += /^[\p{White_Space}\x1c-\x1f]*/u.exec(source.slice(to))![0].length;
        else if (drops === "" && what === "block" && source[to] === "\n") to++;
        tokens.push({ kind: "end", what, line });
        advance(to);
        return;
      }
      const [kind, text] = next();
      if (kind === "operator") {
        if (/[[({]/.test(text)) open.push(text);
        else if (/[\])}]/.test(text) && open.pop() === undefined) fail(`unexpected ${text}`);
      }
      tokens.push({ kind, text, line });
      advance(at + text.length);
    }
  }

  function next(): ["float" | "integer" | "name" | "string" | "operator", string] {
    for (const [kind, pattern] of [["float", float], ["integer", integer], ["name", name], ["string", string], ["operator", operator]] as const) {
      const text = match(pattern);
      if (text !== undefined) return [kind, text];
    }
    return fail(`unexpected ${JSON.stringify(source[at])}`);
  }
}
