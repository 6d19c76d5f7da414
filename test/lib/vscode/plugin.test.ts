import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { unzipSync } from "fflate";
import { packageRoot } from "../../../lib/checkpoint/package-root.js";
import { cellsByNotebook } from "../../../lib/vscode/cell-files.js";
import { vsix } from "../../../lib/vscode/pack.js";
import { Server } from "./server.js";

describe("TypeScript's server with the extension's plugin", () => {
  let server: Server;
  let folder: string;
  before(async () => {
    folder = mkdtempSync(join(tmpdir(), "sdtp-vscode-"));
    server = await Server.start();
  });
  after(() => {
    server?.close();
    rmSync(folder, { recursive: true, force: true });
  });
  let books = 0;
  const open = (...texts: string[]) => server.open(folder, texts, `book-${++books}.ipynb`);
  const errors = async (...texts: string[]) => server.errors(await open(...texts));
  const hover = async (file: string | undefined, line: number, offset: number) => (await server.ask<{ displayString: string }>("quickinfo", { file, line, offset })).displayString;

  it("a cell knows what is preloaded, names and types of the cells above, and may await", async () => {
    const files = await open(
      'let a = 1;\nconst model = await sdtp.load("tiny");\ninterface Point { x: number }\nfunction twice(n: number) { return 2 * n }\nfor (const n of [1]) { var inner = n }',
      "a + 1; display(model); a = 3; a++;\nconst p: Point = { x: twice(a) };\nprocess.version; fetch; inner; model",
      'let a = "again";\na.length; p.x; for (const n of progress([1])) await input(String(n));',
      "a.length + p.x",
    );
    assert.deepEqual(await server.errors(files), [[], [], [], []]);
    assert.match(await hover(files[1], 3, 32), /const model: sdtp\.Model/);
    assert.match(await hover(files[1], 1, 1), /let a: number/);
    assert.match(await hover(files[3], 1, 1), /let a: string/);
  });

  it("what is wrong is still said, where it stands", async () => {
    const found = await errors("const fixed = 1; let n = 1", "fixed = 2; missing; n = 'text'.size;\nlater", "const later = 1", "let broken = (1");
    assert.deepEqual(found.slice(0, 3), [
      [],
      ["1:1 2632 Cannot assign to 'fixed' because it is an import.", "1:12 2304 Cannot find name 'missing'.", "1:32 2339 Property 'size' does not exist on type '\"text\"'.", "2:1 2304 Cannot find name 'later'."],
      [],
    ]);
    // Of what breaks off at its end, the error lies there or behind it.
    for (const each of found[3]!) assert.match(each, /^1:/);
  });

  it("a cell that changes changes what the cells below it see", async () => {
    const files = await open("let value = 1", "value.toFixed()");
    assert.deepEqual(await server.errors(files), [[], []]);
    await server.ask("updateOpen", { changedFiles: [{ fileName: files[0], textChanges: [{ newText: "'s'", start: { line: 1, offset: 13 }, end: { line: 1, offset: 14 } }] }], openFiles: [], closedFiles: [] });
    assert.match((await server.errors(files))[1]?.[0] ?? "", /^1:7 2551 Property 'toFixed'/);
  });

  it("cells stand in the order that the extension tells, not in that of their making", async () => {
    const files = await open("x.length", "let x = 'text'");
    assert.match((await server.errors(files))[0]?.[0] ?? "", /2304 Cannot find name 'x'/);
    const [first, second] = files.map((file) => file.slice(file.indexOf("#") + 1));
    server.tell("configurePlugin", { pluginName: "sdtp-notebook-cells", configuration: { notebooks: { [files[0]!.slice(0, files[0]!.indexOf("#"))]: [second, first] } } });
    assert.deepEqual(await server.errors(files), [[], []]);
    const others = await open("let y = 1", "display(y)");
    server.tell("configurePlugin", { pluginName: "sdtp-notebook-cells", configuration: { notebooks: { [others[0]!.slice(0, others[0]!.indexOf("#"))]: null } } });
    assert.match((await server.errors(others))[1]?.[0] ?? "", /Cannot find name 'display'/);
    server.tell("configurePlugin", { pluginName: "sdtp-notebook-cells", configuration: {} });
  });

  it("imports are those of the notebook's folder and of the package, as in the kernel", async () => {
    writeFileSync(join(folder, "own.ts"), "export const own: number = 1;\n");
    assert.deepEqual(await errors('import { readFileSync } from "node:fs";\nimport { own } from "./own.ts";\nimport * as zip from "fflate";', 'readFileSync("x").length + own + zip.zipSync.length', 'import { nothing } from "no-such-package"'), [
      [], [], ["1:25 2307 Cannot find module 'no-such-package' or its corresponding type declarations."],
    ]);
  });

  it("is as strict as the kernel, knows its JavaScript cells and its cells of one object", async () => {
    assert.deepEqual(await errors("const found = [1].find((n) => n > 1);\nfound.toFixed(); function f(x) { return x }", "%%javascript\nvar q = 1; q.foo", "{ loss: 0.5, accuracy: found }", "[1, 2].at(-1); Iterator.from([1]).map(String)"), [[], [], [], []]);
  });

  it("definitions, references, renaming and completion go from cell to cell, and to nothing behind one", async () => {
    const files = await open("const name1 = 1;\nname1", "name1 + 1", "name1; sdtp.");
    const [first, second, third] = files;
    const [definition] = await server.ask<{ file: string; start: object }[]>("definition", { file: second, line: 1, offset: 1 });
    assert.deepEqual([definition?.file, definition?.start], [first, { line: 1, offset: 7 }]);
    const { locs } = await server.ask<{ locs: { file: string; locs: { start: { line: number; offset: number }; prefixText?: string }[] }[] }>("rename", { file: first, line: 1, offset: 7 });
    assert.deepEqual(Object.fromEntries(locs.map((each) => [each.file, each.locs.map(({ start }) => `${start.line}:${start.offset}`)])), { [first!]: ["1:7", "2:1"], [second!]: ["1:1"], [third!]: ["1:1"] });
    const { refs } = await server.ask<{ refs: { file: string; start: { line: number } }[] }>("references", { file: third, line: 1, offset: 1 });
    assert.equal(refs.length, 4);
    const { entries } = await server.ask<{ entries: { name: string }[] }>("completionInfo", { file: third, line: 1, offset: 13 });
    assert.ok(entries.some(({ name }) => name === "attach"));
    const tree = await server.ask<{ childItems?: { text: string }[] }>("navtree", { file: second });
    assert.deepEqual(tree.childItems ?? [], []);
    await server.ask("getOutliningSpans", { file: second });
    await server.ask("format", { file: second, line: 1, offset: 1, endLine: 1, endOffset: 10 });
    await server.ask("selectionRange", { file: second, locations: [{ line: 1, offset: 9 }] });
  });

  it("has nothing to say against the notebooks of this project", async () => {
    const notebooks = join(packageRoot(), "notebooks");
    for (const name of readdirSync(notebooks).filter((each) => each.endsWith(".ipynb"))) {
      const { cells } = JSON.parse(readFileSync(join(notebooks, name), "utf8")) as { cells: { cell_type: string; source: string | string[] }[] };
      const files = await server.open(notebooks, cells.filter(({ cell_type }) => cell_type === "code").map(({ source }) => [source].flat().join("")), name);
      assert.deepEqual((await server.errors(files)).flat(), [], name);
    }
  });
});

it("the packed extension has what VS Code asks for", () => {
  const members = unzipSync(vsix(packageRoot()));
  const text = (name: string) => Buffer.from(members[name] ?? []).toString();
  const manifest = JSON.parse(text("extension/package.json")) as { main: string; contributes: { typescriptServerPlugins: { name: string }[] } };
  assert.ok(members[`extension/${manifest.main.replace("./", "")}`]);
  assert.ok(members[`extension/node_modules/${manifest.contributes.typescriptServerPlugins[0]?.name}/index.js`]);
  assert.match(text("extension/extension.js"), /require\("vscode"\)/);
  assert.match(text("extension.vsixmanifest"), /Id="sdtp-notebook" Version="\d+\.\d+\.\d+"/);
  for (const ending of new Set(Object.keys(members).filter((name) => name.includes("/")).map((name) => name.split(".").at(-1)))) assert.match(text("[Content_Types].xml"), new RegExp(`Extension="\\.${ending}"`));
});

it("the plugin is told of cells of TypeScript in their order, and which notebooks are another kernel's", () => {
  const cell = (path: string, fragment: string, languageId = "typescript") => ({ document: { languageId, uri: { scheme: "vscode-notebook-cell", authority: "", path, fragment } } });
  const notebook = (metadata: object, ...cells: ReturnType<typeof cell>[]) => ({ notebookType: "jupyter-notebook", metadata: metadata as Record<string, unknown>, getCells: () => cells });
  assert.deepEqual(cellsByNotebook([
    notebook({}, cell("/a.ipynb", "W2sZmlsZQ"), cell("/a.ipynb", "W1sZmlsZQ", "markdown"), cell("/a.ipynb", "W0sZmlsZQ")),
    notebook({ metadata: { kernelspec: { name: "deno" } } }, cell("/b.ipynb", "W0sZmlsZQ")),
    notebook({}, cell("/c.ipynb", "W0sZmlsZQ", "python")),
  ]), { "^/vscode-notebook-cell/ts-nul-authority/a.ipynb": ["W2sZmlsZQ", "W0sZmlsZQ"], "^/vscode-notebook-cell/ts-nul-authority/b.ipynb": null });
});
