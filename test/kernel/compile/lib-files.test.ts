// The language's library as one file is the library: the same names, nothing declared twice, and documented.
import assert from "node:assert/strict";
import { dirname, join } from "node:path";
import { test } from "node:test";
import type * as TS from "@tslab/typescript-for-tslab";
import { CellCompiler } from "../../../kernel/compile/cells.js";
import { inspect } from "../../../kernel/compile/inspect.js";
import { LibFiles } from "../../../kernel/compile/lib-files.js";
import { nodeLib } from "../../../kernel/compile/node-lib.js";
import { prelude } from "../../../kernel/compile/prelude.js";
import { ts } from "../../../kernel/compile/typescript.js";
import { packageRoot } from "../../../lib/checkpoint/package-root.js";

/** A program of an empty file, with each library file as it is or as `text` says. */
function program(lib: string[], text: (path: string) => string | undefined): TS.Program {
  const options: TS.CompilerOptions = { lib, target: ts.ScriptTarget.ES2025, types: [], skipLibCheck: false, noEmit: true };
  const host = ts.createCompilerHost(options);
  const { getSourceFile } = host;
  host.getSourceFile = (path, ...rest) => {
    if (path === "cell.ts") return ts.createSourceFile(path, "export {};", ts.ScriptTarget.Latest);
    const own = text(path);
    return own === undefined ? getSourceFile(path, ...rest) : ts.createSourceFile(path, own, ts.ScriptTarget.Latest);
  };
  return ts.createProgram(["cell.ts"], options, host);
}

const globals = (of: TS.Program) => of.getTypeChecker().getSymbolsInScope(of.getSourceFile("cell.ts")!, -1).map(({ name, flags, declarations }) => `${name} ${flags & ~ts.SymbolFlags.Transient} ${declarations?.length ?? 0}`).sort();

for (const lib of [nodeLib(), ["lib.es2022.d.ts", "lib.dom.d.ts"], ["lib.es5.d.ts"]]) {
  test(`${lib[0]} and ${lib.length - 1} more`, () => {
    const files = new LibFiles(ts, { lib });
    const [one, many] = [program(lib, (path) => files.find(path)?.text), program(lib, () => undefined)];
    const whole = (of: TS.Program) => of.getSourceFiles().filter(({ text }) => text !== "").length;
    assert.ok(whole(one) <= 1 + lib.length);
    assert.ok(whole(many) > whole(one) || lib.length === 1);
    assert.deepEqual(globals(one), globals(many));
    const errors = (of: TS.Program) => ts.getPreEmitDiagnostics(of).map(({ messageText }) => ts.flattenDiagnosticMessageText(messageText, "\n")).sort();
    assert.deepEqual(errors(one), errors(many));
  });
}

test("a file that is not of it keeps its text, one of another choice of it too", () => {
  const files = new LibFiles(ts, { lib: ["lib.es2020.d.ts"] });
  const folder = dirname(ts.getDefaultLibFilePath({}));
  assert.equal(files.find("/somewhere/lib.es2020.d.ts"), undefined);
  assert.equal(files.find(join(folder, "lib.dom.d.ts")), undefined);
  assert.equal(files.find(join(folder, "lib.es5.d.ts"))!.text, "");
  const versions = [["lib.es2020.d.ts"], ["lib.es2021.d.ts"], ["lib.es2020.d.ts", "lib.dom.d.ts"]].map((lib) => new LibFiles(ts, { lib }).find(join(folder, "lib.es5.d.ts"))!.version);
  assert.notEqual(versions[0], versions[1]);
  // What is named later changes nothing of those before: a snapshot may have been made where fewer are.
  assert.equal(versions[0], versions[2]);
});

test("what it says of a name is found", () => {
  const cells = new CellCompiler(packageRoot(), prelude(packageRoot(), undefined));
  for (const [code, words] of [["[1].map", /Calls a defined callback function on each element/], ["Promise.allSettled", /resolved with an array of results/], ["'a'.at", /index/]] as const) {
    assert.match(JSON.stringify(inspect(cells, code, code.length, 0)), words);
  }
});
