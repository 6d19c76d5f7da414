import assert from "node:assert/strict";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { loadChatTemplate } from "../../../../lib/checkpoint/chat-template.js";
import { ggufChatTemplate } from "../../../../lib/checkpoint/gguf/chat-template.js";
import { temporaryFolder } from "../fixtures.js";

const user = [{ role: "user", content: "x" }];

async function folderOf(t: TestContext, files: Record<string, unknown>): Promise<string> {
  const folder = await temporaryFolder(t);
  await mkdir(join(folder, "additional_chat_templates"));
  for (const [name, content] of Object.entries(files)) await writeFile(join(folder, name), typeof content === "string" ? content : JSON.stringify(content));
  return folder;
}

test("of a list, the one called default; others by name; with tools the one called tool_use", async (t) => {
  const list = [{ name: "rag", template: "R{{ messages[0].content }}" }, { name: "tool_use", template: "T{{ tools | length }}" }, { name: "default", template: "D{{ bos_token }}" }];
  const template = await loadChatTemplate(await folderOf(t, { "tokenizer_config.json": { chat_template: list, bos_token: { content: "<s>" } } }));
  assert.equal(template.render(user), "D<s>");
  assert.equal(template.source, "D{{ bos_token }}");
  assert.deepEqual(template.names, ["rag", "tool_use", "default"]);
  assert.equal(template.render(user, true, { template: "rag" }), "Rx");
  assert.equal(template.render(user, true, { variables: { tools: [{}] } }), "T1");
  assert.throws(() => template.render(user, true, { template: "other" }), /has no chat template called other \(choose one: rag, tool_use, default\)/);
});

test("of a list without a default none is taken silently", async (t) => {
  const folder = await folderOf(t, { "tokenizer_config.json": { chat_template: [{ name: "rag", template: "R" }, { name: "tool_use", template: "T" }] } });
  const template = await loadChatTemplate(folder);
  assert.equal(template.source, undefined);
  assert.throws(() => template.render(user), /has several chat templates and none is called default \(choose one: rag, tool_use\)/);
  assert.equal(template.render(user, true, { template: "rag" }), "R");
});

test("files come before tokenizer_config.json, that before chat_template.json", async (t) => {
  const all = { "chat_template.json": { chat_template: "J" }, "tokenizer_config.json": { chat_template: "C" }, "chat_template.jinja": "F", "additional_chat_templates/rag.jinja": "R" };
  const { "chat_template.jinja": _, "additional_chat_templates/rag.jinja": __, ...both } = all;
  const { "tokenizer_config.json": ___, ...json } = both;
  const template = await loadChatTemplate(await folderOf(t, all));
  assert.equal(template.render(user), "F");
  assert.equal(template.render(user, true, { template: "rag" }), "R");
  assert.equal((await loadChatTemplate(await folderOf(t, both))).render(user), "C");
  assert.equal((await loadChatTemplate(await folderOf(t, json))).render(user), "J");
});

test("what is no template is named", async (t) => {
  await assert.rejects(loadChatTemplate(await folderOf(t, {})), /has no chat template \(chat_template\.jinja, or chat_template in tokenizer_config\.json; a base model has none/);
  await assert.rejects(loadChatTemplate(await folderOf(t, { "tokenizer_config.json": { chat_template: [{ name: "a" }] } })), /tokenizer_config\.json: chat_template\[0\]: \{"name":"a"\} \(must have name and template, both text\)/);
  await assert.rejects(loadChatTemplate(await folderOf(t, { "tokenizer_config.json": { chat_template: "{% if %}" } })), /tokenizer_config\.json: the chat template cannot be read: line 1: expected a value/);
});

test("special tokens that the model has none of are undefined; tools are none", async (t) => {
  const template = await loadChatTemplate(await folderOf(t, { "tokenizer_config.json": { chat_template: "{{ pad_token is defined }}{{ tools is none }}{{ tools is defined }}{{ enable_thinking is defined }}", pad_token: null } }));
  assert.equal(template.render(user), "FalseTrueTrueFalse");
  assert.equal(template.render(user, true, { variables: { enable_thinking: false } }), "FalseTrueTrueTrue");
});

test("a GGUF file's templates", async () => {
  const metadata = { "tokenizer.chat_template": "D{{ eos_token }}", "tokenizer.chat_template.rag": "R", "tokenizer.chat_templates": ["rag"], "tokenizer.ggml.tokens": ["a", "</s>"], "tokenizer.ggml.eos_token_id": 1 };
  const template = await ggufChatTemplate(metadata, "m.gguf");
  assert.equal(template.render(user), "D</s>");
  assert.equal(template.render(user, true, { template: "rag" }), "R");
  await assert.rejects(ggufChatTemplate({}, "m.gguf"), /chat: m\.gguf has no chat template/);
});
