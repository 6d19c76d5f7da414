import assert from "node:assert/strict";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { PATIENCE, Session } from "./session.js";

describe("completion and hover", () => {
  let session: Session;
  before(async () => {
    session = await Session.start();
    const file = (path: string, text: string) => {
      mkdirSync(join(session.folder, path, ".."), { recursive: true });
      writeFileSync(join(session.folder, path), text);
    };
    file("data.json", "{}");
    file("util.ts", "export const helper = 1");
    file("sub/deep.ts", "export const q = 1");
    file("node_modules/mypkg/package.json", JSON.stringify({ name: "mypkg", version: "1.0.0", types: "i.d.ts", main: "i.js" }));
    file("node_modules/mypkg/i.d.ts", "export declare function frobnicate(a: number): string;");
    file("node_modules/mypkg/i.js", "exports.frobnicate = (a) => `frob ${a}`;");
    await session.value("/** Adds two numbers. */\nfunction addUp(a: number, /** the second */ b: number) { return a + b }\n/** A thing. */\nconst thing = { alpha: 1, beta: 's' };\nlet counter = 3;\n/** A class. */\nclass Klass {\n  /** Does it. */\n  run() {}\n}");
  });
  after(() => session.end());

  const complete = async (code: string, cursor = [...code].length) => session.client.complete(code, cursor, { timeout: PATIENCE });
  const matches = async (code: string) => (await complete(code)).matches;
  const inspect = async (code: string, cursor = code.length, detail: 0 | 1 = 0) => {
    const { found, data } = await session.client.inspect(code, cursor, detail, { timeout: PATIENCE });
    return { found, text: String(data["text/plain"]) };
  };

  it("completes paths inside an import's text", async () => {
    assert.deepEqual(await matches('import x from "./'), ["data.json", "util", "sub"]);
    assert.deepEqual(await matches('import x from "./sub/'), ["deep"]);
    assert.deepEqual(await matches('const u = require("./ut'), ["util"]);
    assert.deepEqual(await matches('await import("./s'), ["sub"]);
    const { cursor_start, cursor_end } = await complete('import x from "./sub/de');
    assert.deepEqual([cursor_start, cursor_end], [21, 23]);
  });

  it("completes packages and Node's modules there, and what they export", async () => {
    assert.deepEqual(await matches('import x from "my'), ["mypkg"]);
    assert.ok((await matches('import x from "node:f')).includes("node:fs/promises"));
    assert.deepEqual((await complete('import { frob } from "mypkg"', 13)).matches, ["frobnicate"]);
  });

  it("brings the import of a name that only a package knows", async () => {
    const code = "const one = 1;\nfrobn";
    const { matches: found, cursor_start, cursor_end } = await complete(code);
    assert.deepEqual([cursor_start, cursor_end], [0, code.length]);
    const [completed = ""] = found;
    assert.match(completed, /^import \{ frobnicate \} from "mypkg";\n+const one = 1;\nfrobnicate$/);
    assert.equal(await session.value(`${completed}(one)`), "'frob 1'");
    assert.ok((await matches("readFileS")).some((match) => /^import \{ readFileSync \} from "(node:)?fs";\n+readFileSync$/.test(match)));
    assert.deepEqual(await matches("noSuchNameAnywhere"), []);
  });

  it("says of what kind each completion is", async () => {
    const { metadata } = await complete("thing.");
    assert.deepEqual(metadata._jupyter_types_experimental, [
      { text: "alpha", type: "property", start: 6, end: 6 },
      { text: "beta", type: "property", start: 6, end: 6 },
    ]);
    assert.deepEqual((await complete("addU")).metadata._jupyter_types_experimental, [{ text: "addUp", type: "function", start: 0, end: 4 }]);
  });

  it("completes names of earlier cells, members and literals, behind characters of two units too", async () => {
    assert.deepEqual(await matches("new Klass()."), ["run"]);
    assert.ok((await matches("coun")).includes("counter"));
    assert.deepEqual(await matches('const s: "aa" | "bb" = "'), ["aa", "bb"]);
    const { matches: found, cursor_start } = await complete("'😀'; thing.al");
    assert.deepEqual([found, cursor_start], [["alpha"], 11]);
    assert.deepEqual(await matches("// thin"), []);
    assert.deepEqual(await matches("const x = 'thing.al"), []);
  });

  it("shows a name's signature and comment, also once its cell has run", async () => {
    assert.equal((await inspect("addUp")).text, "function addUp(a: number, b: number): number\n\nAdds two numbers.");
    assert.match((await inspect("thing")).text, /^const thing: \{[^]*\}\n\nA thing\.$/);
    assert.equal((await inspect("Klass")).text, "class Klass\n\nA class.");
    assert.equal((await inspect("new Klass().run")).text, "(method) Klass.run(): void\n\nDoes it.");
    assert.equal((await inspect("counter")).text, "let counter: number");
  });

  it("shows the parameter that is being typed", async () => {
    assert.match((await inspect("addUp(1, ")).text, /^addUp\(a: number, b: number\): number\n\nparameter: b: number - the second/);
    assert.match((await inspect('fetch("x", {')).text, /parameter: init\?: RequestInit/);
  });

  it("finds nothing where there is nothing", async () => {
    for (const [code, cursor] of [["noSuchName", 5], ["thing.nothing", 10], ["   ", 2], ["", 0], ["'text'", 3]] as const) {
      assert.equal((await inspect(code, cursor)).found, false, code);
    }
    assert.equal((await inspect("let loose: any = 1; loose")).found, true);
  });
});
