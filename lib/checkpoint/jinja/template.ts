import { globals } from "./globals.js";
import { tokenize } from "./lexer.js";
import { Parser } from "./parser.js";
import { Scope } from "./scope.js";
import { statements, type Statement } from "./statements.js";
import { fromJson, type Value } from "./values.js";

export interface RenderOptions {
  /** What `strftime_now` takes for now; default: the clock. */
  readonly now?: () => Date;
}

/**
 * A Jinja template as transformers runs chat templates: blocks trimmed, break and continue, `generation` blocks, `tojson` without HTML,
 * `raise_exception`, `strftime_now`, Python's methods and its way to write values. Nothing outside of the template can be reached.
 * https://jinja.palletsprojects.com/en/stable/templates/
 */
export class Template {
  private readonly body: Statement;

  /** @throws an error with the line where the source is no Jinja */
  constructor(source: string) {
    this.body = statements(new Parser(tokenize(source)));
  }

  /** @param variables JSON data by name; null is none, what is left out is undefined @throws what the template refuses */
  render(variables: Readonly<Record<string, unknown>>, { now = () => new Date() }: RenderOptions = {}): string {
    const outer = new Scope();
    for (const [name, value] of globals(now)) outer.set(name, value);
    const scope = new Scope(outer);
    for (const [name, value] of Object.entries(variables)) if (value !== undefined) scope.set(name, fromJson(value) as Value);
    const out: string[] = [];
    this.body(scope, out);
    return out.join("");
  }
}
