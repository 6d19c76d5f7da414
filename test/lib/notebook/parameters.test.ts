import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { declaredParameters, injectParameters, listParameters } from "../../../lib/notebook/parameters/inject.js";
import { UsageError, type Values } from "../../../lib/notebook/parameters/parameter.js";
import { python } from "../../../lib/notebook/parameters/python.js";
import { literal } from "../../../lib/notebook/parameters/typescript.js";
import { parseValue, readMatrix, readValues } from "../../../lib/notebook/parameters/values.js";
import { joined, tags } from "../../../lib/notebook/types.js";
import { code, notebook, PYTHON, temporary } from "./cells.js";

const folder = temporary();

const TYPED = `
let lengths: number[] = [1024]; // prompt lengths
/** Which model:
 *  a name. */
let model = "tiny";
const device: "cpu" | "webgpu" = "cpu";
let limit: number | undefined, rows: { n: number; name?: string }[] = [];
let preset: sdtp.KvPolicy = "evict";
`;
const typed = () => notebook([code("1"), code(TYPED, "parameters"), code("lengths")]);

async function injected(values: Values): Promise<string> {
  const book = typed();
  await injectParameters(book, values);
  assert.deepEqual(tags(book.cells[2]!), ["injected-parameters"]);
  return joined(book.cells[2]!.source);
}

async function refused(values: Values, message: RegExp): Promise<void> {
  const book = typed();
  const before = structuredClone(book);
  await assert.rejects(injectParameters(book, values), (error: Error) => {
    assert.ok(error instanceof UsageError);
    assert.match(error.message, message);
    assert.match(error.message, /parameters of this notebook:\n {2}lengths: number\[\] = \[1024\] +prompt lengths\n/, "the list of what exists");
    return true;
  });
  assert.deepEqual(book, before, "the notebook is as it was");
}

test("parameters with types, inferred ones too, defaults and comments", async () => {
  const parameters = await declaredParameters(typed());
  assert.deepEqual(parameters, [
    { name: "lengths", type: "number[]", default: "[1024]", help: "prompt lengths" },
    { name: "model", type: "string", default: '"tiny"', help: "Which model: a name." },
    { name: "device", type: '"cpu" | "webgpu"', default: '"cpu"' },
    { name: "limit", type: "number | undefined" },
    { name: "rows", type: "{ n: number; name?: string }[]", default: "[]" },
    { name: "preset", type: "sdtp.KvPolicy", default: '"evict"' },
  ]);
  assert.match(listParameters(parameters), /^ {2}lengths: number\[\] = \[1024\] +prompt lengths\n/);
  assert.deepEqual(await declaredParameters(notebook([code("let a = 1;")])), []);
});

test("values become a cell after the parameters; constants are declared anew", async () => {
  assert.equal(
    await injected({ lengths: [1, 2], model: 'say "hi"', device: "webgpu", rows: [{ n: 1, name: "x" }], preset: "retain" }),
    '// Parameters\nlengths = [1, 2];\nmodel = "say \\"hi\\"";\nconst device: "cpu" | "webgpu" = "webgpu";\nrows = [{ n: 1, name: "x" }];\npreset = "retain";',
  );
});

test("values set again replace the cell of before", async () => {
  const book = typed();
  await injectParameters(book, { model: "a" });
  await injectParameters(book, { lengths: [3] });
  assert.deepEqual(book.cells.map((cell) => joined(cell.source)), ["1", TYPED, "// Parameters\nlengths = [3];", "lengths"]);
});

test("unknown names and wrong types are refused by TypeScript's rules", async () => {
  await refused({ lenghts: [1] }, /parameter lenghts: \[1\] \(no parameter of the notebook\)/);
  await refused({ lengths: "abc" }, /parameter lengths: "abc" \(Type 'string' is not assignable to type 'number\[\]'/);
  await refused({ lengths: [1, "2"] }, /Type 'string' is not assignable to type 'number'/);
  await refused({ model: 5 }, /Type 'number' is not assignable to type 'string'\. As text it is '"5"'\./);
  await refused({ model: null }, /Type 'null'/);
  await refused({ device: "gpu" }, /"gpu"/);
  await refused({ rows: [{ n: 1, nome: "x" }] }, /'nome' does not exist/);
  await refused({ preset: "drop" }, /"drop".*KvPolicy/);
  await refused({ lengths: 1, model: 2 }, /lengths: 1[^]*model: 2/);
});

test("a default does not narrow a type, and a broken cell is left to the run", async () => {
  const book = notebook([code('let x: number | string = 5;\nlet y: Unknown = 1;\nlet z = elsewhere + 1;', "parameters")]);
  await injectParameters(book, { x: "text", y: [1], z: "s" });
  assert.equal(joined(book.cells[1]!.source), '// Parameters\nx = "text";\ny = [1];\nz = "s";');
});

test("JavaScript notebooks have parameters too, other languages have not", async () => {
  const javascript = notebook([code("let n = 1;", "parameters")], { kernelspec: { name: "javascript", language: "javascript" } });
  await assert.rejects(injectParameters(javascript, { n: "x" }), /not assignable to type 'number'/);
  const julia = notebook([code("n = 1", "parameters")], { kernelspec: { name: "julia", language: "julia" } });
  await assert.rejects(injectParameters(julia, { n: 2 }), /not for julia notebooks/);
  await assert.rejects(injectParameters(notebook([code("1")]), { n: 2 }), /parameters: n \(the notebook has no cell tagged "parameters"\)/);
});

test("literals that evaluate to the same value", () => {
  const value = { a: [1, -0, 1e300, "q\"\n\u2028"], "b-c": null, __proto__x: true, d: {}, ["__proto__"]: 1 };
  assert.deepEqual(new Function(`return ${literal(value)}`)(), value);
  assert.equal(literal(-0), "-0");
});

test("Python: names, simple types, papermill's syntax", async () => {
  const source = "n: int = 3  # how many\nname = 'a # b'  # type: str the name\nrate: float = 0.5\nitems: List[int] = []\nif n == 3:\n    inner = 1\nx == 2";
  assert.deepEqual(python.declared(source), [
    { name: "n", type: "int", default: "3", help: "how many" },
    { name: "name", type: "str", default: "'a # b'", help: "the name" },
    { name: "rate", type: "float", default: "0.5" },
    { name: "items", type: "List[int]", default: "[]" },
  ]);
  const book = notebook([code(source, "parameters")], PYTHON);
  await assert.rejects(injectParameters(book, { n: 1.5, items: {}, name: 2 }), /n: 1\.5 \(Type 'float'[^]*items: [^]*name: 2 .*As text it is '"2"'/);
  await injectParameters(book, { n: 4, rate: 1, name: 'it\'s "é"', items: [true, null, { k: -1 }] });
  assert.equal(joined(book.cells[1]!.source), '# Parameters\nn = 4\nrate = 1\nname = "it\'s \\"é\\""\nitems = [True, None, {"k": -1}]');
});

test("values from the command line and from files", async () => {
  assert.deepEqual(["5", "[1, 2]", "true", '"5"', "tiny", "{a: 1}", ""].map(parseValue), [5, [1, 2], true, "5", "tiny", "{a: 1}", ""]);
  const file = join(folder, "p.yaml");
  writeFileSync(file, "lengths: [1, 2]\nmodel: tiny # text\nnested: {a: .inf}\n");
  assert.deepEqual(await readValues(file), { lengths: [1, 2], model: "tiny", nested: { a: Infinity } });
  writeFileSync(file, "a: [1, 2\nb: 3\n");
  await assert.rejects(readValues(file), /parameters: .*p\.yaml \(.*line 2, column 1\)/);
  writeFileSync(file, "- 1\n");
  await assert.rejects(readValues(file), /must be a mapping/);
  await assert.rejects(readValues(join(folder, "none.yaml")), /no such file/);
});

test("a matrix is a list of sets, or every combination of lists", async () => {
  const file = join(folder, "m.yaml");
  writeFileSync(file, "model: [a, b]\nn: [1, 2]\n");
  assert.deepEqual(await readMatrix(file), [{ model: "a", n: 1 }, { model: "a", n: 2 }, { model: "b", n: 1 }, { model: "b", n: 2 }]);
  writeFileSync(file, "- {model: a}\n- {n: 3}\n");
  assert.deepEqual(await readMatrix(file), [{ model: "a" }, { n: 3 }]);
  writeFileSync(file, "model: a\n");
  await assert.rejects(readMatrix(file), /model: must be a list/);
  writeFileSync(file, "[]");
  await assert.rejects(readMatrix(file), /no parameter set/);
  writeFileSync(file, "- 1\n");
  await assert.rejects(readMatrix(file), /must be a list of mappings/);
});

test("numbers that JSON has not: NaN, infinities, whole numbers beyond what a number holds", async () => {
  assert.deepEqual(["NaN", "[1, -Infinity]", '{"a": NaN, "b": "NaN"}', "9007199254740993", "9007199254740992", "1.0", "1e3", "-0", '"NaN"', "NaN "].map(parseValue), [NaN, [1, -Infinity], { a: NaN, b: "NaN" }, 9007199254740993n, 9007199254740992, 1, 1000, -0, "NaN", NaN] as unknown[]);
  assert.equal(await injected({ limit: parseValue("NaN"), lengths: parseValue("[1, Infinity]") }), "// Parameters\nlimit = NaN;\nlengths = [1, Infinity];");
  await refused({ limit: parseValue("9007199254740993") }, /^parameter limit: 9007199254740993 \(Type 'bigint' is not assignable to type 'number'\. A number would hold it as 9007199254740992; declare the parameter as bigint\.\)|^parameter limit: 9007199254740993 \(Type '9007199254740993n'/);
  const book = notebook([code("let big: bigint = 1n; let all: bigint[] = [];", "parameters")]);
  await injectParameters(book, { big: parseValue("9007199254740993"), all: parseValue("[1, 2]") });
  assert.equal(joined(book.cells[1]!.source), "// Parameters\nbig = 9007199254740993n;\nall = [1n, 2n];");
  const pythons = notebook([code("n = 1", "parameters")], PYTHON);
  await injectParameters(pythons, { n: parseValue("9007199254740993") });
  assert.equal(joined(pythons.cells[1]!.source), "# Parameters\nn = 9007199254740993");
  writeFileSync(join(folder, "big.yaml"), "n: 9007199254740993\nm: 3\nx: .nan\n");
  assert.deepEqual(await readValues(join(folder, "big.yaml")), { n: 9007199254740993n, m: 3, x: NaN });
});

test("text with line ends that only compilers know", async () => {
  assert.equal(await injected({ model: "a\u2028b\u2029c" }), '// Parameters\nmodel = "a\\u2028b\\u2029c";');
});
