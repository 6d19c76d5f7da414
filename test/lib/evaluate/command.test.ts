import assert from "node:assert/strict";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { tinyCheckpoint } from "../../reference/checkpoints.js";
import { command } from "../bench/command.js";

const folder = await mkdtemp(join(tmpdir(), "sdtp-evaluate-command-"));
const tiny = tinyCheckpoint("llama");
after(async () => {
  tiny.remove();
  await rm(folder, { recursive: true });
});

test("sdtp train saliency, train pruner and evaluate, one after the other, on a checkpoint and files of one's own", async () => {
  const data = join(folder, "data.jsonl");
  const text = Array.from({ length: 300 }, (_, i) => `The ship sailed ${i} miles.`).join(" ");
  await writeFile(data, Array.from({ length: 8 }, (_, i) => JSON.stringify({ prompt: text.slice(40 * i, 40 * i + 120), response: text.slice(40 * i + 120, 40 * i + 130) })).join("\n"));
  await writeFile(join(folder, "prose.txt"), text);
  const run = (name: string, ...args: string[]) => {
    const { status, stdout, stderr } = command(name, [...args, "--model", tiny.folder, "--threads", "1"], folder);
    assert.equal(status, 0, stderr);
    return stdout;
  };

  assert.match(run("train", "saliency", "--data", data, "--blocks", "0,1", "--out", "saliency.safetensors"), /block 1: \d+\.\d % of the prompt's tokens/);
  assert.match(run("train", "pruner", "--saliency", "saliency.safetensors", "--held-out", "0.25", "--out", "modules.safetensors"), /block 0: rank correlation with saliency/);

  const agreement = JSON.parse(run("evaluate", "agreement", "--saliency", "saliency.safetensors", "--scorer", "learned:modules.safetensors", "norm", "--json")) as { scorer: string; block: number; examples: number }[];
  assert.deepEqual(agreement.map(({ scorer, block, examples }) => [scorer, block, examples]), [["learned:modules.safetensors", 0, 8], ["learned:modules.safetensors", 1, 8], ["norm", 0, 8], ["norm", 1, 8]]);

  const result = JSON.parse(run("evaluate", "retrieval", "--text", "prose.txt", "--lengths", "300", "--depths", "0.2,0.8", "--samples", "1", "--keys", "2",
    "--config", "keep07", "--scorer", "norm", "random", "--kv-policy", "both", "--html", "map.html", "--json")) as { tasks: { configurations: { label: string; prompts: number }[] }[] };
  assert.deepEqual(result.tasks[0]!.configurations.map(({ label, prompts }) => `${label} ${prompts}`),
    ["baseline 2", "keep07 norm retain 2", "keep07 norm evict 2", "keep07 random retain 2", "keep07 random evict 2"]);
  assert.equal((await readFile(join(folder, "results", "evaluate", "retrieval.jsonl"), "utf8")).trim().split("\n").length, 10);
  assert.match(await readFile(join(folder, "map.html"), "utf8"), /<table>/);
  assert.match(run("evaluate", "perplexity", "--text", "prose.txt", "--lengths", "60", "--samples", "2", "--continuation", "5", "--config", "keep07", "--scorer", "norm"), /keep07 norm evict/);

  // Without --scorer: those that are any good after an early block; the others say so, once, where they are asked for.
  const quick = ["perplexity", "--text", "prose.txt", "--lengths", "60", "--samples", "1", "--continuation", "5", "--model", tiny.folder, "--threads", "1", "--output", "none.jsonl"];
  const usual = command("evaluate", [...quick, "--config", "keep07", "--json"], folder);
  assert.deepEqual((JSON.parse(usual.stdout) as typeof result).tasks[0]!.configurations.map(({ label }) => label), ["baseline", "keep07 norm evict", "keep07 recency evict", "keep07 random evict"]);
  assert.doesNotMatch(usual.stderr, /early block/);
  const early = command("evaluate", [...quick, "--config", "keep07", "0:0.5/3", "--scorer", "window", "attention"], folder);
  assert.equal(early.status, 0, early.stderr);
  assert.equal(early.stderr.match(/window, attention: by what an early block looks at \(keep07, 0-0\.5_of3\)/g)?.length, 1);
  assert.doesNotMatch(command("evaluate", [...quick, "--config", "1:0.5/3", "--scorer", "window"], folder).stderr, /early block/);

  const wrong = command("evaluate", ["perplexity", "--text", "none.txt", "--model", tiny.folder], folder);
  assert.equal(wrong.status, 1);
  assert.match(wrong.stderr, /text: none\.txt \(no such file\)/);
});
