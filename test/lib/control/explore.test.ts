import assert from "node:assert/strict";
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { chooseable, explored } from "../../../lib/control/explore.js";
import { findRuns } from "../../../lib/control/runs.js";
import { root } from "../../kernel/session.js";

const published = join(root, "results", "published");
const all = { run: "all", against: "nothing", model: "all", length: "all", filter: "" };

describe("exploring what runs wrote", () => {
  let folder: string;
  before(() => {
    folder = mkdtempSync(join(tmpdir(), "sdtp-explore-"));
    for (const name of ["a", "deep/b"]) cpSync(join(published, "main-job"), join(folder, name), { recursive: true });
  });
  after(() => rmSync(folder, { recursive: true, force: true }));

  it("finds every run in a folder and below it", async () => {
    const { runs, unreadable } = await findRuns(published);
    assert.ok(runs.some(({ name }) => name === "main-job"));
    assert.ok(runs.some(({ name }) => name === join("real-sizes", "qwen2.5-0.5b-int4")));
    assert.deepEqual(unreadable, []);
  });

  it("shows all, filters by model, length and words, opens and compares", async () => {
    const found = await findRuns(folder);
    const text = (chosen: object) => explored("results", found, { ...all, ...chosen }).map((part) => part.text).join("\n");
    const lines = (chosen: object) => text(chosen).split("\n").length - 2;
    const total = found.runs.reduce((sum, { rows }) => sum + rows.length, 0);
    assert.equal(lines({}), total);
    assert.equal(lines({ length: 4096 }), total / 3);
    assert.ok(lines({ filter: "keep07 deep" }) === 3, text({ filter: "keep07 deep" }));
    assert.equal(lines({ filter: "nothing like it" }), 0);
    assert.match(text({}), /SDTP \(keep07\).*30\.0[0-9]%/);
    assert.match(text({ run: "a" }), /Baseline.*\n.*SDTP \(keep09\)/);
    assert.match(text({ run: "a", against: join("deep", "b") }), /From deep.b to a/);
    for (const part of explored("<results>", found, all)) assert.doesNotMatch(part.html, /<results>/);
  });

  it("a run's folder may have any name", async () => {
    for (const name of ["all", "nothing"]) cpSync(join(published, "main-job"), join(folder, "odd", name), { recursive: true });
    const found = chooseable(await findRuns(join(folder, "odd")));
    assert.deepEqual(found.runs.map(({ name }) => name), ["./all", "./nothing"]);
    assert.match(explored("odd", found, { ...all, run: "./nothing" })[0]!.text, /Baseline/);
    rmSync(join(folder, "odd"), { recursive: true });
  });

  it("says which files are none, and goes on; refuses a folder without any", async () => {
    mkdirSync(join(folder, "broken"));
    writeFileSync(join(folder, "broken", "latency_results_keep09.json"), "{");
    const found = await findRuns(folder);
    assert.equal(found.runs.length, 2);
    assert.match(found.unreadable.join(), /broken.*is not JSON/);
    assert.match(explored("results", found, all).at(-1)!.text, /is not JSON/);
    await assert.rejects(findRuns(join(folder, "broken")), /holds no results that can be read: .*is not JSON/);
    await assert.rejects(findRuns(join(folder, "none")), { message: `results folder: ${join(folder, "none")} (cannot be read: ENOENT)` });
    mkdirSync(join(folder, "empty"));
    await assert.rejects(findRuns(join(folder, "empty")), /holds no latency_results_\*\.json or latency_prefill_\*\.json/);
  });
});
