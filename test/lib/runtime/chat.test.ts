import assert from "node:assert/strict";
import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, after, test } from "node:test";
import { loadChatTemplate } from "../../../lib/checkpoint/chat-template.js";
import { load } from "../../../lib/runtime/model.js";
import { tinyCheckpoint } from "../../reference/checkpoints.js";
import { forward } from "../../reference/forward.js";
import { TINY_SPECIAL } from "../../reference/tokenizer.js";
import { sdtp } from "../cli/sdtp.js";

const source = `{{ bos_token }}{% for m in messages %}
{%- if m.role not in ['system', 'user', 'assistant'] %}{{ raise_exception('no role ' + m.role) }}{% endif -%}
[{{ m.role }}]{{ m.content | trim }}{{ eos_token }}
{% endfor %}{% if add_generation_prompt %}[assistant]{% endif %}`;

describe("chat", async () => {
  const tiny = tinyCheckpoint("llama");
  const configFile = join(tiny.folder, "tokenizer_config.json");
  const original = JSON.parse(readFileSync(configFile, "utf8")) as Record<string, unknown>;
  const [bos, eos] = ["bos_token", "eos_token"].map((name) => String(original[name])) as [string, string];
  const configure = (changes: object) => writeFileSync(configFile, JSON.stringify({ ...original, ...changes }));
  configure({ chat_template: source });
  const model = await load(tiny.folder, { threads: 1 });
  after(async () => {
    await model.release();
    tiny.remove();
  });
  const messages = [{ role: "system", content: " the sea " }, { role: "user", content: "who was king" }];
  const written = `${bos}[system]the sea${eos}\n[user]who was king${eos}\n[assistant]`;

  test("messages go through the folder's template, special tokens once, and the answer is the greedy continuation", async () => {
    const pieces: string[] = [];
    const reply = await model.chat(messages, { maxNewTokens: 6, fixedLength: true, onText: (piece) => pieces.push(piece) });
    assert.equal(reply.prompt, written);
    const prompt = [...reply.run.ids];
    const tokenizer = await model.tokenizer();
    assert.deepEqual(prompt, tokenizer.encode(written, { addSpecialTokens: false }));
    assert.equal(prompt.filter((id) => id === TINY_SPECIAL.bos).length, 1);
    assert.equal(prompt.filter((id) => id === TINY_SPECIAL.eos).length, 2);
    const all = [...prompt];
    for (const id of reply.ids) {
      const { logits } = forward(tiny.config, tiny.weights, all);
      assert.equal(id, logits.indexOf(Math.max(...logits)));
      all.push(id);
    }
    assert.equal(reply.text, tokenizer.decode(reply.ids, { skipSpecialTokens: true }));
    assert.equal(pieces.join(""), reply.text);
  });

  test("generation ends at the end tokens of generation_config.json", async (t) => {
    const { ids } = await model.chat(messages, { maxNewTokens: 6, fixedLength: true });
    const file = join(tiny.folder, "generation_config.json");
    writeFileSync(file, JSON.stringify({ eos_token_id: [TINY_SPECIAL.eos, ids[2]] }));
    t.after(() => rmSync(file));
    const again = await load(tiny.folder, { threads: 1 });
    t.after(() => again.release());
    assert.deepEqual((await again.chat(messages, { maxNewTokens: 6 })).ids, ids.slice(0, ids.indexOf(ids[2]!) + 1));
  });

  test("the command takes a message and a system message", async () => {
    const { stdout, code } = await sdtp(tiny.folder, "generate", "--model", tiny.folder, "--chat", "--system", "the sea", "--prompt", "who was king", "--max-new-tokens", "3", "--ignore-eos", "--json");
    assert.equal(code, 0);
    const { ids, prompt_length } = JSON.parse(stdout) as { ids: number[]; prompt_length: number };
    const reply = await model.chat(messages, { maxNewTokens: 3, fixedLength: true });
    assert.deepEqual([ids, prompt_length], [reply.ids, reply.run.ids.length]);
    const wrong = await sdtp(tiny.folder, "generate", "--model", tiny.folder, "--chat", "--prompt-ids", "1,2");
    assert.equal(wrong.code, 1);
    assert.match(wrong.stderr, /--chat: takes text/);
  });

  test("what the template refuses, and messages that are none, are errors that say so", async () => {
    await assert.rejects(model.chat([{ role: "judge", content: "x" }]), /chat: the template refuses these messages: no role judge/);
    await assert.rejects(model.chat([]), /chat: no messages/);
    await assert.rejects(model.chat([{ role: "user" } as never]), /chat: message 0: \{"role":"user"\} \(must have role and content/);
    await assert.rejects(model.chat(messages, { maxNewTokens: 5000 }), /prompt \+ new tokens/);
  });

  test("a file of its own goes before the configuration, the default before other named ones; none and a broken one are errors", async (t) => {
    const render = async () => (await loadChatTemplate(tiny.folder)).render([{ role: "user", content: "hi" }], false);
    configure({ chat_template: [{ name: "tools", template: "T" }, { name: "default", template: "D{{ messages[0].content }}" }] });
    assert.equal(await render(), "Dhi");
    configure({ chat_template: "{{ eos_token }}{{ strftime_now('%Y') }}", eos_token: { content: "<x>", lstrip: false } });
    assert.equal(await render(), `<x>${new Date().getFullYear()}`);
    const own = join(tiny.folder, "chat_template.jinja");
    writeFileSync(own, "own {{ messages | length }}");
    t.after(() => rmSync(own, { force: true }));
    assert.equal(await render(), "own 1");
    writeFileSync(own, "{% for %}");
    await assert.rejects(render(), /chat_template\.jinja: the chat template cannot be read/);
    rmSync(own);
    configure({});
    await assert.rejects(render(), /has no chat template \(chat_template\.jinja, or chat_template in tokenizer_config\.json/);
  });
});
