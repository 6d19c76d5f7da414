import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { withoutDocs } from "../../../kernel/compile/docs.js";
import { PATIENCE, Session } from "../session.js";

describe("comments of declaration files", () => {
  it("are left out where they have their lines for themselves; lines stay", () => {
    const text = ["/** one */", "declare const a: 1; /** behind */", "  /**", "   * two, with a * and a /", "   */  ", "  /** before */ b: 2;", "/* plain */"].join("\n");
    const expected = ["", "declare const a: 1; /** behind */", "", "", "", "  /** before */ b: 2;", "/* plain */"].join("\n");
    assert.equal(withoutDocs(text), expected);
  });

  let session: Session;
  before(async () => {
    session = await Session.start();
  });
  after(() => session.end());

  const hover = async (code: string, at: string, detail: 0 | 1 = 1) => {
    const { data } = await session.client.inspect(code, code.indexOf(at), detail, { timeout: PATIENCE });
    return { plain: String(data["text/plain"]), markdown: String(data["text/markdown"]) };
  };

  it("show in hover: of the kernel's own functions, Node's, the language's, the library's", async () => {
    assert.match((await hover("input()", "input")).plain, /Asks the person at the notebook.*\n\n@throws where the client cannot ask/);
    assert.doesNotMatch((await hover("input()", "input", 0)).plain, /@throws/);
    assert.match((await hover("process.cwd()", "cwd")).plain, /current working directory/);
    assert.match((await hover("[1].map(x => x)", "map")).markdown, /Calls a defined callback function.*\n\n\*@param\* `callbackfn` /);
    assert.match((await hover("sdtp.load", "load")).plain, /Loads a model for inference/);
  });

  it("are those of the overload that is called", async () => {
    const source = "const buffer = Buffer.from([1]); Buffer.from('text'); Buffer.alloc(3)";
    assert.match((await hover(source, "from('")).plain, /containing `string`/);
    assert.match((await hover(source, "from([")).plain, /using an `array` of bytes/);
  });

  it("of a cell come first", async () => {
    assert.match((await hover("/** Mine.\n * @param a thing */\nfunction own(a: number) { return a }\nown(1)", "own(1)")).plain, /Mine\.\n\n@param `a` thing/);
    assert.equal((await hover("const plain = 1; plain", "plain")).plain, "const plain: 1");
  });
});
