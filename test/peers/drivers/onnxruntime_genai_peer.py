"""onnxruntime-genai on the CPU, with the model that its own builder makes; keys and values in one buffer of the whole length."""
import importlib.metadata
import json

import numpy
import onnxruntime_genai as og
from peer import serve

model, max_tokens = None, 0


def load(message):
    global model, max_tokens
    max_tokens = message["maxTokens"]
    config = og.Config(message["model"])
    config.overlay(json.dumps({"model": {"decoder": {"session_options": {"intra_op_num_threads": message["threads"], "inter_op_num_threads": 1}}}}))
    model = og.Model(config)
    return {"versions": {"onnxruntime-genai": importlib.metadata.version("onnxruntime-genai")}, "settings": {"kv_cache": "fp32", "past_present_share_buffer": True}}


def run(ids, new_tokens, on_token):
    params = og.GeneratorParams(model)
    params.set_search_options(min_length=max_tokens + 1, max_length=max_tokens + 1, do_sample=False, past_present_share_buffer=True)
    generator = og.Generator(model, params)
    prompt = numpy.array(ids, dtype=numpy.int32)
    generator.append_tokens(prompt)
    for _ in range(new_tokens + 1):
        generator.generate_next_token()
        on_token(generator.get_next_tokens()[0])
    return generator.get_sequence(0)[: len(ids)]


serve(load, run)
