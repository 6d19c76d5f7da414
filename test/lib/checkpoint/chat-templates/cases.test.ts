import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { chatTemplate, type ChatMessage } from "../../../../lib/checkpoint/chat-template.js";
import { packageRoot } from "../../../../lib/checkpoint/package-root.js";

type Outcome = { readonly text?: string; readonly error?: string };
interface Cases {
  readonly messages: ChatMessage[];
  readonly chats: readonly ({ readonly template: string; readonly messages: ChatMessage[]; readonly addGenerationPrompt: boolean; readonly tools?: object[] } & Outcome)[];
  readonly snippets: readonly ({ readonly source: string } & Outcome)[];
}

// Made by reference.py with transformers and jinja2.
const folder = join(packageRoot(), "test", "lib", "checkpoint", "chat-templates");
const { messages, chats, snippets } = JSON.parse(readFileSync(join(folder, "cases.json"), "utf8")) as Cases;
const tokens = { bos_token: "<s>", eos_token: "</s>" };
const now = () => new Date(2026, 2, 5, 7, 8, 9);

async function check(source: string, given: readonly ChatMessage[], addGenerationPrompt: boolean, tools: object[] | undefined, { text, error }: Outcome) {
  const render = async () => (await chatTemplate(source, "f", tokens)).render(given, addGenerationPrompt, { now, ...(tools && { variables: { tools } }) });
  if (error === undefined) assert.equal(await render(), text, source.slice(0, 200));
  else await assert.rejects(render, /f: the chat template cannot be read: |chat: the template refuses these messages: /, source.slice(0, 200));
}

for (const name of new Set(chats.map(({ template }) => template))) {
  test(`${name}: the text that transformers makes`, async () => {
    const source = readFileSync(join(folder, "templates", name), "utf8");
    for (const { template, messages: given, addGenerationPrompt, tools, ...outcome } of chats) if (template === name) await check(source, given, addGenerationPrompt, tools, outcome);
  });
}

test("pieces of Jinja: the text that transformers makes, or an error where it makes one", async () => {
  for (const { source, ...outcome } of snippets) await check(source.replaceAll("\\n", "\n"), messages, true, undefined, outcome);
});

test("what a template says against the messages is passed on", async () => {
  const template = await chatTemplate("{{ raise_exception('no ' + messages[0].role) }}", "f", {});
  assert.throws(() => template.render(messages), /^Error: chat: the template refuses these messages: no system$/);
});

test("a template that is no Jinja is refused with its line", async () => {
  const refused = (source: string, message: RegExp) => assert.rejects(chatTemplate(source, "folder/f", {}), message);
  await refused("a\n{% if x %}\nb", /^Error: folder\/f: the chat template cannot be read: line 2: endif is missing/);
  await refused("{{ 'a }}", /line 1: unexpected "'"/);
  await refused("\n\n{% nonsense %}", /line 3: unknown statement nonsense/);
  await refused("{{ a", /line 1: \}\} is missing/);
  await refused("{% for a b %}{% endfor %}", /line 1: expected in, got b/);
});

test("templates cannot run away, or reach beyond themselves", async () => {
  const refused = async (source: string, message: RegExp) => {
    const template = await chatTemplate(source, "f", {});
    assert.throws(() => template.render(messages), message);
  };
  await refused("{% for i in range(1000000000) %}{% endfor %}", /1000000000 numbers \(at most 100000\)/);
  await refused("{{ 'a' * 1000000000 }}", /more than 10000000 elements/);
  await refused("{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}", /calls itself too often|call stack/);
  await refused("{{ ''.__class__ }}", /access to attribute '__class__' of 'str' object is unsafe/);
  await refused("{{ messages.append(1) }}", /'append' of 'list' object is unsafe/);
  await refused("{{ messages.constructor.constructor('return 1')() }}", /refuses these messages/);
  await refused("{{ {}['constructor']('x') }}", /refuses these messages/);
});
