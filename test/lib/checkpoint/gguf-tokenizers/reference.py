"""What models' own tokenizers make of 5,000 odd texts each, beside this file in cases.json, and the fields that a GGUF of them has.

    pip install tokenizers==0.23.2 sentencepiece==0.2.* protobuf
    python reference.py

There are no real vocabularies here: one byte-level vocabulary whose merges were learnt over uncut text, so that ids show every cut that a
pre-tokenizer makes or fails to make, and small sentencepiece models. The pre-tokenizers are those of the models' tokenizer.json files.
Texts come from the generator `texts`, which the test has too. Only hashes of ids are kept: of a hundred texts each.
"""
import hashlib
import io
import json
import os
import sys

import sentencepiece
import tokenizers
from sentencepiece import sentencepiece_model_pb2
from tokenizers import Tokenizer, models, pre_tokenizers, trainers

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "tokenizer"))
from reference import CORPUS, ODD, charsmap  # noqa: E402

assert tokenizers.__version__ == "0.23.2", tokenizers.__version__
COUNT = 5000
PIECES = ODD + ["<|end|>", "<|bos|>", "<end_of_turn>", "    ", "\n\n\n", "1234567", "12 345", "LLaMA's", "WE'LL", "it'S", "$100", "a_b", "HTTPRequest2Go", "ﬀ", "Ǆ", "ʕ", "ＡＢ", "、", "！", "‘q’", "각", "ㄅ", "ก็", "বাংলা", "e\u0301\u0301", "\u00a0\u00a0x", " \r\n ", "\t\t", "=>", "```", "</", "&&", "||", "^^", "~~"]


def texts():
    """Pieces put together by a linear congruential generator."""
    state = 20261129
    def draw(n):
        nonlocal state
        state = (state * 1103515245 + 12345) & 0x7FFFFFFF
        return (state >> 8) % n
    for _ in range(COUNT):
        parts = []
        for _ in range(1 + draw(12)):
            parts.append(PIECES[draw(len(PIECES))])
            if draw(3) == 0:
                parts.append(" ")
        yield "".join(parts)


def hashes(encode):
    """Of each hundred texts, eight bytes."""
    found, lines = [], []
    for text in texts():
        lines.append(json.dumps(encode(text), separators=(",", ":")))
        if len(lines) == 100:
            found.append(hashlib.sha256("\n".join(lines).encode()).hexdigest()[:16])
            lines = []
    return found


SPLIT = lambda pattern: {"type": "Split", "pattern": {"Regex": pattern}, "behavior": "Isolated", "invert": False}
BYTES = lambda regex: {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": regex}
DIGITS = lambda each: {"type": "Digits", "individual_digits": each}
SEQ = lambda *steps: {"type": "Sequence", "pretokenizers": list(steps)}
NFC = {"type": "NFC"}
LLAMA3 = SEQ(SPLIT(r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"), BYTES(False))
QWEN2 = SEQ(SPLIT(r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"), BYTES(False))
QWEN35 = SEQ(SPLIT(r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+|\p{N}| ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"), BYTES(False))
GPT4O = SEQ(SPLIT(
    r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+"
), BYTES(False))
TEKKEN = SEQ(SPLIT(
    r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+"
), BYTES(False))
LATIN = (
    "A-Za-z\u00b5\u00c0-\u00d6\u00d8-\u00f6\u00f8-\u01ba\u01bc-\u01bf\u01c4-\u0293\u0295-\u02af\u0370-\u0373\u0376\u0377\u037b-\u037d\u037f\u0386\u0388-\u038a\u038c\u038e-\u03a1\u03a3-\u03f5\u03f7-\u0481\u048a-\u052f\u0531-\u0556\u10a0-\u10c5\u13a0-\u13f5\u13f8-\u13fd\u1c90-\u1cba\u1cbd-\u1cbf\u1d00-\u1d2b\u1d6b-\u1d77\u1d79-\u1d9a\u1e00-\u1f15\u1f18-\u1f1d\u1f20-\u1f45\u1f48-\u1f4d\u1f50-\u1f57\u1f59\u1f5b\u1f5d\u1f5f-\u1f7d\u1f80-\u1fb4\u1fb6-\u1fbc\u1fbe\u1fc2-\u1fc4\u1fc6-\u1fcc\u1fd0-\u1fd3\u1fd6-\u1fdb\u1fe0-\u1fec\u1ff2-\u1ff4\u1ff6-\u1ffc\u2102\u2107\u210a-\u2113\u2115\u2119-\u211d\u2124\u2126\u2128\u212a-\u212d\u212f-\u2134\u2139\u213c-\u213f\u2145-\u2149\u214e\u2183\u2184\u2c00-\u2c7b\u2c7e-\u2ce4\u2ceb-\u2cee\u2cf2\u2cf3\ua640-\ua66d\ua680-\ua69b\ua722-\ua76f\ua771-\ua787\ua78b-\ua78e\uab70-\uabbf\ufb00-\ufb06\ufb13-\ufb17\uff21-\uff3a\uff41-\uff5a\U00010400-\U0001044f\U000104b0-\U000104d3\U000104d8-\U000104fb\U00010c80-\U00010cb2\U00010cc0-\U00010cf2\U000118a0-\U000118df\U0001e900-\U0001e943"
)
DEEPSEEK_LLM = SEQ(
    SPLIT("[\r\n]"),
    SPLIT("\\s?[" + LATIN + "]+"),
    SPLIT("\\s?[!-/:-~\uff01-\uff0f\uff1a-\uff5e\u2018-\u201f\u3000-\u3002]+"), SPLIT("\\s+$"), SPLIT("[\u4e00-\u9fa5\u0800-\u4e00\uac00-\ud7ff]+"), DIGITS(True), BYTES(False),
)
DEEPSEEK_CODER = SEQ(SPLIT("[\r\n]"), SPLIT(r"\s?\p{L}+"), SPLIT(r"\s?\p{P}+"), SPLIT("[\u4e00-\u9fa5\u0800-\u4e00\uac00-\ud7ff]+"), DIGITS(True), BYTES(False))
DEEPSEEK_V3 = SEQ(
    SPLIT(r"\p{N}{1,3}"), SPLIT("[\u4e00-\u9fa5\u3040-\u309f\u30a0-\u30ff]+"),
    SPLIT("[!\"#$%&'()*+,\\-./:;<=>?@\\[\\\\\\]^_`{|}~][A-Za-z]+|[^\r\n\\p{L}\\p{P}\\p{S}]?[\\p{L}\\p{M}]+| ?[\\p{P}\\p{S}]+[\r\n]*|\\s*[\r\n]+|\\s+(?!\\S)|\\s+"), BYTES(False),
)
BLOOM = SEQ(SPLIT(" ?[^(\\s|[.,!?\u2026\u3002\uff0c\u3001\u0964\u06d4\u060c])]+"), BYTES(False))
FALCON = SEQ({"type": "Punctuation", "behavior": "Contiguous"}, BYTES(True), DIGITS(False), SPLIT("[0-9][0-9][0-9]"))
DEFAULT = SEQ(SPLIT(r"[\p{P}\$\+<=>\^~\|]+"), SPLIT(r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)"), SPLIT(r"\p{N}+"), SPLIT("[0-9][0-9][0-9]"), BYTES(False))
SINGLE = SEQ(DIGITS(True), BYTES(True))
# name: pre-tokenizer, normalizer, whole pieces before merges, bos
BYTE_LEVEL = {
    "llama-bpe": (LLAMA3, None, True, True), "dbrx": (LLAMA3, None, False, False), "qwen2": (QWEN2, NFC, False, False), "deepseek-r1-qwen": (QWEN2, NFC, False, False), "qwen35": (QWEN35, NFC, False, False),
    "gpt-2": (BYTES(True), None, False, False), "olmo": (BYTES(True), NFC, False, False), "gpt-4o": (GPT4O, None, False, False), "llama4": (GPT4O, None, False, False), "tekken": (TEKKEN, None, True, True),
    "smollm": (SINGLE, None, False, False), "starcoder": (SINGLE, None, False, False), "refact": (SINGLE, None, False, False), "command-r": (SINGLE, NFC, False, False),
    "deepseek-llm": (DEEPSEEK_LLM, None, False, False), "deepseek-coder": (DEEPSEEK_CODER, None, False, False), "deepseek-v3": (DEEPSEEK_V3, None, False, False),
    "bloom": (BLOOM, None, False, False), "falcon": (FALCON, None, False, False), "default": (DEFAULT, None, False, False),
}
ADDED = lambda content, **more: {"content": content, "single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": True, **more}
TEMPLATE = lambda bos, eos, ids: {
    "type": "TemplateProcessing",
    "single": [{"SpecialToken": {"id": bos, "type_id": 0}}] * (bos is not None) + [{"Sequence": {"id": "A", "type_id": 0}}] + [{"SpecialToken": {"id": eos, "type_id": 0}}] * (eos is not None),
    "pair": [{"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 0}}],
    "special_tokens": {token: {"id": token, "ids": [ids[token]], "tokens": [token]} for token in (bos, eos) if token},
}


def byte_vocabulary():
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    trainer = trainers.BpeTrainer(vocab_size=1500, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False, max_token_length=12)
    pieces = [text.replace("<", "").replace("|", "") for text in texts()]
    tokenizer.train_from_iterator(pieces[:3000:3] + CORPUS, trainer)
    model = json.loads(tokenizer.to_str())["model"]
    # Tokens that no merges lead to: only those who look for whole pieces first use them.
    for whole in ("Ġnewest", "hello", "Ġcats"):
        if whole not in model["vocab"]:
            model["vocab"][whole] = len(model["vocab"])
    return model


def byte_level(model, how):
    cut, normalizer, whole, bos = how
    n = len(model["vocab"])
    definition = {
        "version": "1.0", "added_tokens": [{"id": n + i, **ADDED(content)} for i, content in enumerate(["<|bos|>", "<|end|>"])] + [{"id": n + 2, **ADDED("<tool>", special=False)}],
        "normalizer": normalizer, "pre_tokenizer": cut, "decoder": BYTES(True), "model": {**model, "ignore_merges": whole},
        "post_processor": TEMPLATE("<|bos|>", None, {"<|bos|>": n}) if bos else None,
    }
    tokenizer = Tokenizer.from_str(json.dumps(definition))
    return hashes(lambda text: tokenizer.encode(text).ids)


def sentencepiece_model(**options):
    out = io.BytesIO()
    sentences = (line for line in [*CORPUS, *("hello world the newest lower cats " * 3,)] for line in line.split("\n") if line)
    sentencepiece.SentencePieceTrainer.train(sentence_iterator=iter(list(sentences) * 3), model_writer=out, hard_vocab_limit=False, minloglevel=2, normalization_rule_name="identity", remove_extra_whitespaces=False, character_coverage=0.98, num_threads=1, **options)
    proto = sentencepiece_model_pb2.ModelProto()
    proto.ParseFromString(out.getvalue())
    return [(piece.piece, piece.score, piece.type) for piece in proto.pieces]


def merges(pieces):
    """As transformers' convert_slow_tokenizer makes them of a sentencepiece model."""
    vocabulary = {piece: i for i, (piece, _, _) in enumerate(pieces)}
    found = []
    for piece, score, _ in pieces:
        local = [(piece[:i], piece[i:], score) for i in range(1, len(piece)) if piece[:i] in vocabulary and piece[i:] in vocabulary]
        found.extend(sorted(local, key=lambda pair: (vocabulary[pair[0]], vocabulary[pair[1]])))
    return [(left, right) for left, right, _ in sorted(found, key=lambda pair: (pair[2], len(pair[0]), len(pair[1])), reverse=True)]


def sentencepieces(pieces, bos, prefix):
    """LlamaTokenizer's and GemmaTokenizer's tokenizer.json."""
    ids = {piece: i for i, (piece, _, _) in enumerate(pieces)}
    added = [{"id": i, **ADDED(piece, special=kind != 4)} for i, (piece, _, kind) in enumerate(pieces) if kind in (2, 3, 4)]
    spaces = {"type": "Replace", "pattern": {"String": " "}, "content": "▁"}
    definition = {
        "version": "1.0", "added_tokens": added, "post_processor": TEMPLATE(bos, None, ids),
        "normalizer": {"type": "Sequence", "normalizers": [{"type": "Prepend", "prepend": "▁"}] * prefix + [spaces]},
        "pre_tokenizer": None if prefix else {"type": "Split", "pattern": {"String": " "}, "behavior": "MergedWithPrevious", "invert": False},
        "decoder": {"type": "Fuse"},
        "model": {"type": "BPE", "unk_token": "<unk>", "fuse_unk": True, "byte_fallback": True, "vocab": ids, "merges": merges(pieces)},
    }
    tokenizer = Tokenizer.from_str(json.dumps(definition))
    return hashes(lambda text: tokenizer.encode(text).ids)


def unigrams(pieces, map):
    ids = {piece: i for i, (piece, _, _) in enumerate(pieces)}
    definition = {
        "version": "1.0", "added_tokens": [{"id": i, **ADDED(piece)} for i, (piece, _, kind) in enumerate(pieces) if kind in (2, 3)],
        "normalizer": {"type": "Precompiled", "precompiled_charsmap": map}, "decoder": {"type": "Fuse"}, "post_processor": TEMPLATE(None, "</s>", ids),
        "pre_tokenizer": SEQ({"type": "WhitespaceSplit"}, {"type": "Metaspace", "replacement": "▁", "prepend_scheme": "always", "split": True}),
        "model": {"type": "Unigram", "unk_id": ids["<unk>"], "vocab": [[piece, score] for piece, score, _ in pieces]},
    }
    tokenizer = Tokenizer.from_str(json.dumps(definition))
    return hashes(lambda text: tokenizer.encode(text).ids)


if __name__ == "__main__":
    model = byte_vocabulary()
    tokens = [token for token, _ in sorted(model["vocab"].items(), key=lambda pair: pair[1])]
    llama = sentencepiece_model(model_type="bpe", vocab_size=700, byte_fallback=True, unk_id=0, bos_id=1, eos_id=2)
    gemma = sentencepiece_model(model_type="bpe", vocab_size=720, byte_fallback=True, pad_id=0, eos_id=1, bos_id=2, unk_id=3, add_dummy_prefix=False, split_digits=True, allow_whitespace_only_pieces=True, user_defined_symbols=["<end_of_turn>", "\n\n", "▁▁", "<tool>"])
    t5 = sentencepiece_model(model_type="unigram", vocab_size=400, pad_id=0, eos_id=1, unk_id=2, bos_id=-1)
    fields = lambda pieces: {"tokens": [p for p, _, _ in pieces], "scores": [s for _, s, _ in pieces], "token_type": [t for _, _, t in pieces]}
    cases = {
        "pieces": PIECES,
        "byteLevel": {"tokens": [*tokens, "<|bos|>", "<|end|>", "<tool>"], "token_type": [1] * len(tokens) + [3, 3, 4], "merges": [" ".join(pair) for pair in model["merges"]]},
        "byPre": {name: byte_level(model, how) for name, how in BYTE_LEVEL.items()},
        "sentencepiece": {
            "llama": {"fields": {"model": "llama", **fields(llama), "bos_token_id": 1}, "hashes": sentencepieces(llama, "<s>", True)},
            "gemma": {"fields": {"model": "llama", **fields(gemma), "bos_token_id": 2, "eos_token_id": 1, "unknown_token_id": 3, "add_space_prefix": False}, "hashes": sentencepieces(gemma, "<s>", False)},
            "t5": {"fields": {"model": "t5", **fields(t5), "precompiled_charsmap": charsmap()}, "hashes": unigrams(t5, charsmap())},
        },
    }
    with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "cases.json"), "w") as out:
        json.dump(cases, out, ensure_ascii=True, separators=(",", ":"))
