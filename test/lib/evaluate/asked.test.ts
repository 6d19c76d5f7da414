import assert from "node:assert/strict";
import { after, test } from "node:test";
import { askedItem, type Asked, type Asking, type Turn } from "../../../lib/evaluate/asked.js";
import { infiniteTasks } from "../../../lib/evaluate/infinitebench.js";
import { gradingName, gradings, type Grading } from "../../../lib/evaluate/metrics.js";
import { chatTemplate } from "../../../lib/checkpoint/chat-template.js";
import { checkItems } from "../../../lib/evaluate/task.js";
import { load } from "../../../lib/runtime/model.js";

const model = await load("tiny", { threads: 1 });
const tokenizer = await model.tokenizer();
after(() => model.release());
const chat = await chatTemplate("{% for m in messages %}<{{ m.role }}>{{ m.content | trim }}</{{ m.role }}>{% endfor %}{% if add_generation_prompt %}<assistant>{% endif %}", "test", {});
const asking: Asking = { tokenizer, stopTokens: [0], chat: null, query: "aware" };
const turn: Turn = { question: " Recall: the pass key of Boston is", answers: ["48213"], grading: "string_match_all", maxNewTokens: 8 };
const facts = "The pass key of Boston is 48213. The wind was fair. The pass key of Rome is 90125. The ship sailed on.";
const asked: Asked = { id: "a", group: {}, context: facts, turns: [turn] };
const rome: Turn = { ...turn, question: " Recall: the pass key of Rome is", answers: ["90125"] };

const grade = async (item: ReturnType<typeof askedItem>) => item.grade(await model.prefill(item.promptIds, { reserve: item.reserve }));

test("aware and agnostic: the same tokens reach the model, so without pruning the loss is the same", async () => {
  for (const template of [null, chat]) {
    const [aware, agnostic] = (["aware", "agnostic"] as const).map((query) => askedItem(asked, { ...asking, query, chat: template }, true));
    assert.ok(agnostic!.promptIds.length < aware!.promptIds.length);
    assert.deepEqual(aware!.promptIds.slice(0, agnostic!.promptIds.length), agnostic!.promptIds);
    const text = tokenizer.decode(aware!.promptIds);
    assert.equal(text, template ? `<user>${facts}${turn.question}</user><assistant>` : facts + turn.question);
    const [a, b] = [await grade(aware!), await grade(agnostic!)];
    assert.ok(Math.abs(a.metrics["loss"]! - b.metrics["loss"]!) < 1e-3);
    assert.equal(a.output, b.output);
    assert.equal(a.metrics["answer_tokens"], 8);
  }
});

test("several questions: as requests each starts from the context, as a conversation each follows the right answer before it", async () => {
  const two = { ...asked, turns: [turn, rome] };
  const requests = await grade(askedItem(two, { ...asking, query: "agnostic" }, true));
  assert.equal(requests.cells!.length, 2);
  for (const [i, each] of [turn, rome].entries()) {
    const alone = await grade(askedItem({ ...asked, turns: [each] }, { ...asking, query: "agnostic" }, true));
    assert.ok(Math.abs(Number(requests.cells![i]!["loss"]) - alone.metrics["loss"]!) < 1e-4);
  }
  const item = askedItem(two, { ...asking, query: "agnostic", turns: "conversation" }, true);
  const conversation = await grade(item);
  const whole = `${facts}${turn.question} 48213\n\n${rome.question.trim()}`;
  const ids = [...item.promptIds, ...[`${turn.question}`, " 48213", `\n\n${rome.question.trim()}`].flatMap((part) => tokenizer.encode(part, { addSpecialTokens: false }))];
  assert.equal(tokenizer.decode(ids), whole);
  const written = await grade({ ...askedItem({ ...asked, context: "", turns: [{ ...rome, question: whole }] }, asking, true), promptIds: ids });
  assert.ok(Math.abs(Number(conversation.cells![1]!["loss"]) - written.metrics["loss"]!) < 1e-3, `${conversation.cells![1]!["loss"]} and ${written.metrics["loss"]}`);
  // With the first question in the prompt the second still sees the right answer to it.
  const known = await grade(askedItem(two, asking, true));
  assert.ok(Math.abs(Number(known.cells![1]!["loss"]) - Number(conversation.cells![1]!["loss"])) < 1e-3);
  assert.throws(() => askedItem(two, { ...asking, turns: "requests" }, true), /turns: requests \(several questions start anew from a context that is pruned alone/);
  assert.ok(Math.abs(conversation.metrics["loss"]! - (Number(conversation.cells![0]!["loss"]) + Number(conversation.cells![1]!["loss"])) / 2) < 1e-9);
});

test("a choice is made by likelihood, nothing generated; texts end an answer; long contexts lose their middle", async () => {
  const choice = await grade(askedItem({ ...asked, turns: [{ ...turn, choices: ["11111", "48213", "90125"] }] }, asking, false));
  assert.deepEqual([choice.output, choice.metrics["score"], choice.decodedTokens], ["48213", 1, 0]);
  const said = await grade(askedItem({ ...asked, turns: [{ ...turn, until: ["."], maxNewTokens: 20 }] }, asking, true));
  assert.ok(!said.output!.includes("."));
  assert.equal(said.metrics["ended"], 1);
  assert.equal(said.metrics["score"], 1);
  const long = askedItem({ ...asked, context: `START ${"and so on ".repeat(400)} END` }, { ...asking, maxLength: 200 }, true);
  assert.equal(long.promptIds.length + turn.maxNewTokens, 200);
  assert.match(tokenizer.decode(long.promptIds), /^START .* END Recall/s);
  assert.throws(() => askedItem(asked, { ...asking, maxLength: 20 }, true), /a: its question and answer take more than 20 tokens/);
  assert.throws(() => askedItem({ ...asked, context: "" }, { ...asking, query: "agnostic" }, true), /a: has no context apart from its question/);
});

test("prompts that the model has no positions for are refused by name before anything is measured", () => {
  const item = askedItem({ ...asked, turns: [{ ...turn, maxNewTokens: 50000 }] }, asking, true);
  assert.throws(() => checkItems(model, [{ name: "mine", settings: {}, metric: "score", better: "higher", items: [item] }]), /mine, a: prompt \+ new tokens: \d+ \+ 50000 = \d+ \(the model has 40960 positions\)/);
});

test("InfiniteBench's retrieval: what is asked for stands in the context once, at any length, with one question or several", () => {
  const make = (extra: object) => infiniteTasks({ tasks: ["passkey", "number_string", "kv_retrieval"], lengths: [1500], samples: 2, seeds: [0, 1], asking: { ...asking, query: "agnostic" }, config: model.config, ...extra });
  const made = make({});
  assert.deepEqual(made.map(({ name, items }) => [name, items.length]), [["infinitebench-passkey", 4], ["infinitebench-number_string", 4], ["infinitebench-kv_retrieval", 4]]);
  for (const { items } of made) {
    for (const { promptIds, reserve } of items) assert.ok(promptIds.length + reserve <= 1510 && promptIds.length + reserve > 1300, `${promptIds.length} + ${reserve}`);
  }
  assert.match(tokenizer.decode(made[0]!.items[0]!.promptIds), /The pass key is (\d{5})\. Remember it\. \1 is the pass key\./);
  const [turns] = make({ tasks: ["kv_retrieval"], questions: 3 });
  assert.equal(turns!.name, "turns-kv_retrieval");
  assert.equal(turns!.settings["questions"], 3);
  assert.throws(() => make({ questions: 2 }), /questions: 2 \(passkey has one thing to ask for/);
  assert.throws(() => make({ lengths: [30] }), /length: 30 \(too short for passkey\)/);
});

test("gradings: RULER's two, exact, the beginning; an unknown one is refused with those known", () => {
  const grade = (name: string, said: string, ...answers: string[]) => (gradings[gradingName(name)] as Grading)(said, answers, []);
  assert.equal(grade("string_match_all", "1. APPLE 2. pear", "apple", "plum"), 0.5);
  assert.equal(grade("string_match_part", "1. APPLE 2. pear", "apple", "plum"), 1);
  assert.equal(grade("string_match_part", "none", "apple", "plum"), 0);
  // A control character inside does not match white space, as in RULER's cleaning: it becomes a line end.
  assert.equal(grade("string_match_all", "a\u0001b", "a\nb"), 1);
  assert.equal(grade("exact", " 42 \n", "42"), 1);
  assert.equal(grade("exact", "42.", "42"), 0);
  assert.equal(grade("starts_with", " Paris, I think", "paris"), 1);
  assert.throws(() => gradingName("bleu"), /metric: bleu \(known: string_match_all, string_match_part, exact/);
});
