# kvpress and SmolLM2-135M-Instruct as the scripts beside this load them, from the two folders that they are given. All in float32 on a CPU.
import base64
import importlib
import pathlib
import sys
import types

import torch
from tokenizers.pre_tokenizers import ByteLevel, Digits, Sequence
from transformers import AutoModelForCausalLM, AutoTokenizer

FOLDER, KVPRESS, FILE = sys.argv[1], sys.argv[2], "SmolLM2-135M-Instruct.Q4_1.gguf"
ROOT = pathlib.Path(__file__).resolve().parents[3]
TEXT = (ROOT / "lib/bench/prompts/held-out.txt").read_text()
torch.set_grad_enabled(False)

# Its presses alone: the package's own __init__ wants what its command line needs.
for name in ["kvpress", "kvpress.presses"]:
    package = types.ModuleType(name)
    package.__path__ = [f"{KVPRESS}/{name.replace('.', '/')}"]
    sys.modules[name] = package


def press_module(name):
    return importlib.import_module(f"kvpress.presses.{name}")


tokenizer = AutoTokenizer.from_pretrained(FOLDER, gguf_file=FILE)
tokenizer.backend_tokenizer.pre_tokenizer = Sequence([Digits(individual_digits=True), ByteLevel(add_prefix_space=False, use_regex=True)])
model = AutoModelForCausalLM.from_pretrained(FOLDER, gguf_file=FILE, dtype=torch.float32, attn_implementation="sdpa").eval()
ids = tokenizer.encode(TEXT[:20000], add_special_tokens=False)


def packed(places, count):
    """A bit for each of `count` positions, base64."""
    bits = bytearray((count + 7) // 8)
    for at in places:
        bits[at // 8] |= 1 << (at % 8)
    return base64.b64encode(bytes(bits)).decode()
