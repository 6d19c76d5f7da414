import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { CellCompiler } from "../../../kernel/compile/cells.js";
import { packageRoot } from "../../../lib/checkpoint/package-root.js";

/** A notebook of cells that are compiled and then taken to have run. */
class Notebook {
  readonly compiler = new CellCompiler(packageRoot(), { eager: "", lazy: [] });
  readonly gone = new Set<number>();

  run(source: string): number {
    const cell = this.compiler.compile(source);
    assert.ok(cell.ok, JSON.stringify(cell));
    for (const id of this.compiler.commit(cell.id, "ok")?.gone ?? []) this.gone.add(id);
    return cell.id;
  }

  /** Cells that leave nothing of each other, enough for what is of no use to be looked for. */
  pass(): void {
    for (let i = 0; i < 300; i++) this.run(`const passing = ${i}`);
  }

  errors(source: string): string[] {
    const cell = this.compiler.compile(source);
    return cell.ok ? [] : cell.diagnostics.map(({ message }) => message);
  }
}

describe("declarations of earlier cells", () => {
  it("are forgotten once all their names are declared again, by all compilers", () => {
    const notebook = new Notebook();
    const ids = Array.from({ length: 500 }, (_, i) => notebook.run(`const rows = [{ at: ${i} }]; function total(of: typeof rows) { return of.length }`));
    assert.ok(notebook.gone.size > 300, `${notebook.gone.size} of 500 are forgotten`);
    assert.ok(!notebook.gone.has(ids.at(-1) as number));
    assert.deepEqual(notebook.errors("total(rows).toFixed(rows[0]!.at)"), []);
  });

  it("stay as long as the type of a variable leads to them", () => {
    const notebook = new Notebook();
    const chain = [
      notebook.run("interface Unit { watts: number } enum Kind { A, B }"),
      notebook.run("class Meter { unit: Unit = { watts: 1 }; kind = Kind.A; static of = 'x' }"),
      notebook.run("const meter = new Meter(); const make = Meter; type Read = typeof meter.unit"),
      notebook.run("let read: Read = { watts: 2 }; namespace Deep { export const kind: Kind = Kind.B }"),
    ];
    notebook.run("class Unit { volts = 1 } type Kind = string; class Meter { other = 1 } type Read = string; const Deeper = Deep.kind");
    notebook.pass();
    assert.ok(notebook.gone.size > 200);
    assert.deepEqual(chain.filter((id) => notebook.gone.has(id)), []);
    assert.deepEqual(notebook.errors("const a: number = meter.unit.watts; const b: string = make.of; read = { watts: a }; meter.kind = Deep.kind; new Meter().other"), []);
    assert.match(notebook.errors("meter.unit.volts").join(), /'volts' does not exist on type 'Unit'/);
    assert.match(notebook.errors("read = { watts: '1' }").join(), /'string' is not assignable to type 'number'/);
  });

  it("stay where another meaning of the same name was declared since", () => {
    const notebook = new Notebook();
    const type = notebook.run("type point = { x: number }");
    const user = notebook.run("const point: point = { x: 1 }; const origin: point = point");
    notebook.run("const point = 'now a text'");
    notebook.pass();
    assert.deepEqual([type, user].filter((id) => notebook.gone.has(id)), []);
    assert.deepEqual(notebook.errors("origin.x.toFixed() + point.length"), []);
  });

  it("stay where a class extends them, a function guards by them, a key is theirs", () => {
    const notebook = new Notebook();
    const ids = [
      notebook.run("class Base { base = 1 } interface Shape { side: number } const key: unique symbol = Symbol()"),
      notebook.run("class Sub extends Base { [key] = 'k' } interface Square extends Shape { square: true }"),
      notebook.run("const sub = new Sub(), square: Square = { side: 1, square: true }, isSub = (x: unknown): x is Sub => x instanceof Sub"),
    ];
    notebook.run("class Base {} interface Shape {} class Sub {} interface Square {}");
    notebook.pass();
    assert.deepEqual(ids.filter((id) => notebook.gone.has(id)), []);
    assert.deepEqual(notebook.errors("const something: unknown = sub; if (isSub(something)) something.base.toFixed(); sub[key].length; square.side.toFixed()"), []);
  });
});
