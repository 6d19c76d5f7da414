import assert from "node:assert/strict";
import { test } from "node:test";
import { entries } from "../../../lib/cli/entries.js";
import { commands } from "../../../lib/cli/main.js";
import { sdtp, temporaryFolder } from "./sdtp.js";

test("a command is listed under the name and with the words that its own module gives it", async () => {
  const whole = await commands();
  assert.deepEqual(whole.commands.map((each) => [each.name(), each.description()]), entries.map(([name, description]) => [name, description]));
});

test("help of one command is whole, wherever it is asked for", async (t) => {
  const folder = temporaryFolder(t);
  const own = (await sdtp(folder, "plan", "--help")).stdout;
  assert.match(own, /--length/);
  assert.equal((await sdtp(folder, "help", "plan")).stdout, own);
});

test("an unknown command names those that are like it", async (t) => {
  const { code, stderr } = await sdtp(temporaryFolder(t), "exprot");
  assert.equal(code, 2);
  assert.match(stderr, /unknown command 'exprot'\n\(Did you mean (one of )?.*export/);
});
