import assert from "node:assert/strict";
import { appendFileSync, existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, it } from "node:test";
import { History } from "../../kernel/parent/history.js";
import { Sessions } from "../../kernel/parent/sessions.js";
import { Session } from "./session.js";

describe("history", () => {
  let root: string;
  let folder: string;
  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), "sdtp-history-"));
    folder = join(root, "history");
  });
  afterEach(() => rmSync(root, { recursive: true, force: true }));

  const start = (...inputs: string[]) => {
    const history = new History(new Sessions(folder));
    inputs.forEach((input, i) => history.add(i + 1, input));
    return history;
  };

  it("goes on across sessions", () => {
    start("a = 1", "b = 2");
    start("c = 3");
    const third = start("d = 4", "a = 1");
    third.setOutput(1, "4");
    const query = (request: object) => third.query(request as never);
    assert.deepEqual(query({ hist_access_type: "tail", n: 3 }), [[2, 1, "c = 3"], [3, 1, "d = 4"], [3, 2, "a = 1"]]);
    assert.equal(query({ hist_access_type: "tail" }).length, 5);
    assert.deepEqual(query({ hist_access_type: "tail", n: 0 }), []);
    assert.deepEqual(query({ hist_access_type: "range", session: 0, start: 1, stop: 2, output: true }), [[3, 1, ["d = 4", "4"]]]);
    assert.deepEqual(query({ hist_access_type: "range", session: -1 }), [[2, 1, "c = 3"]]);
    assert.deepEqual(query({ hist_access_type: "range", session: -2, start: 2, output: true }), [[1, 2, ["b = 2", null]]]);
    assert.deepEqual(query({ hist_access_type: "range", session: 1, start: 1, stop: 2 }), [[1, 1, "a = 1"]]);
    assert.deepEqual(query({ hist_access_type: "range", session: -3 }), []);
    assert.deepEqual(query({ hist_access_type: "search", pattern: "?*=*" }).length, 5);
    assert.deepEqual(query({ hist_access_type: "search", pattern: "a*", unique: true }), [[3, 2, "a = 1"]]);
    assert.deepEqual(query({ hist_access_type: "search", pattern: "a*", n: 1 }), [[3, 2, "a = 1"]]);
    assert.deepEqual(query({ hist_access_type: "search", pattern: "a" }), []);
    if (process.platform !== "win32") assert.equal(statSync(join(folder, "1.jsonl")).mode & 0o777, 0o600);
  });

  it("has a number of its own for each of two kernels at once", () => {
    const one = start();
    const two = start();
    one.add(1, "one");
    two.add(1, "two");
    one.add(2, "one again");
    assert.deepEqual(one.query({ hist_access_type: "range", session: 0 }), [[1, 1, "one"], [1, 2, "one again"]]);
    assert.deepEqual(two.query({ hist_access_type: "tail" }), [[1, 1, "one"], [1, 2, "one again"], [2, 1, "two"]]);
  });

  it("keeps a bounded number of sessions and bytes", () => {
    mkdirSync(folder);
    for (let i = 1; i <= 300; i++) writeFileSync(join(folder, `${i}.jsonl`), `{"line":1,"input":"${i}"}\n`);
    start("next");
    assert.equal(readdirSync(folder).length, 200);
    assert.ok(existsSync(join(folder, "301.jsonl")) && !existsSync(join(folder, "100.jsonl")));
    appendFileSync(join(folder, "299.jsonl"), " ".repeat(5 * 2 ** 20));
    start("one more");
    assert.deepEqual(readdirSync(folder).sort(), ["300.jsonl", "301.jsonl", "302.jsonl"]);
  });

  it("reads what a killed kernel left, and works where nothing can be written", () => {
    mkdirSync(folder);
    writeFileSync(join(folder, "4.jsonl"), '{"line":1,"input":"whole"}\n{"line":2,"inp');
    writeFileSync(join(folder, "notes.txt"), "x");
    assert.deepEqual(start("x").query({ hist_access_type: "tail" }), [[4, 1, "whole"], [5, 1, "x"]]);
    const nowhere = new History(new Sessions("/dev/null/history"));
    nowhere.add(1, "y");
    assert.deepEqual(nowhere.query({ hist_access_type: "tail" }), [[1, 1, "y"]]);
  });

  it("is there in the next kernel", async () => {
    for (const code of ["'first'", "'second'"]) {
      const session = await Session.start({ env: { SDTP_HISTORY: folder } });
      await session.run(code);
      await session.run("'unstored'", { store_history: false });
      const { history } = await session.client.history({ hist_access_type: "tail", n: 10 });
      assert.deepEqual(history, code === "'first'" ? [[1, 1, "'first'"]] : [[1, 1, "'first'"], [2, 1, "'second'"]]);
      await session.end();
    }
  });
});
