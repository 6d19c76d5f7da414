"""Ids and texts of Hugging Face's `tokenizers` 0.23.2 for tokenizer.json files of every kind, beside this file's cases.json.

    pip install tokenizers==0.23.2
    python reference.py                      # writes cases.json
    python reference.py --fuzz 7 400 FILE    # 400 random tokenizers from seed 7; SDTP_TOKENIZER_CASES=FILE makes the test read them

Each case: a tokenizer.json, texts with their ids (without and with special tokens), ids with their text.
"""
import json
import random
import sys

import tokenizers
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

assert tokenizers.__version__ == "0.23.2", tokenizers.__version__

CORPUS = [
    "The quick brown fox jumps over the lazy dog. It wasn't there, they're sure; we'll see what she'd do.",
    "In 1984, 3.14159 was already known: π ≈ 22/7. The cat sat on the mat, concatenated with the hat.",
    "function add(a, b) {\n    return a + b;\n}\n\nfor (let i = 0; i < 10; i++) {\n\tconsole.log(`${i}`);\n}\n",
    "Der Fluß fließt durch Köln, größer als die Straße. L'été, ça va déjà mieux à Noël.",
    "我们去北京吃饭。日本語のテキストです。カタカナも。한국어 문장도 있습니다.",
    "Привет, мир! Как дела? Всё хорошо. Ελληνικά και άλλα: Σίσυφος.",
    "العربية من اليمين إلى اليسار. עברית גם כן. हिन्दी में भी लिखते हैं।",
    "hello hello world world worlds hellos lower lowest newest widest  two  spaces   three",
] * 4

ODD = [
    " ", "  ", "   ", "\n", "\r\n", "\n\n", "\t", " \n ", "\u00a0", "\u2003", "\u3000", "\u200b", "\u200d", "\u2028", "\x85", "\x0b", "\x1c", "\ufeff", "\ufffd", "\x00", "\x7f",
    "½", "²", "①", "٣", "Ⅷ", "४२", "12345", "0x1F", "1,000.50", "3.14", "１２", "㊿",
    "'s", "'S", "'re", "'LL", "’s", "'ſ", "don't", "DON'T", "I'Ve", "'", "''", "_", "__init__", "snake_case", "camelCase", "HTTPServer", "ALLCAPS",
    "é", "e\u0301", "ﬁ", "Å", "ｶﾞ", "가", "\u1100\u1161", "ǅ", "İ", "ß", "ΣΑΣ", "ς", "ñ", "Ω", "ﷺ", "\u0301", "n\u0303o", "क्षि", "ä́̈",
    "🙂", "👩‍👩‍👧", "🇩🇪", "👍🏽", "❤️", "漢字", "。", "「", "ー", "カ", "𝒜", "𠀀", "\U000e0041", "\ue000", "~", "～",
    "!", "?!", "...", "$", "€", "+", "<", "=", "|", "^", "`", "¡", "«", "—", "·", "%", "@", "#1", "->", "://", "{}", "[]", "/*", "//",
    "hello", "world", "Hello", "the", "cat", "concat", "cats", "cat.", "lower", "newest", "Straße", "été", "мир", "北京", "한국어", "שלום", "مرحبا", "हिन्दी", "aaaaaaaaaaaa", "abababab",
    "▁", "▁▁", "Ġ", "##", "</w>", "<0x41>", "<unk>", "<s>", "</s>", "<|end|>", "[MASK]", "<mask>", " <mask> ", "<tool>", "YES", "yes", "YEP", "yep", "<s><s>", "<s >", "x<|end|>y",
]


def text_of(rng):
    parts = []
    for _ in range(rng.randint(0, 9)):
        parts.append(rng.choice(ODD))
        if rng.random() < 0.35:
            parts.append(" ")
    return "".join(parts)


def trained(kind):
    if kind == "bytes":
        tokenizer = Tokenizer(models.BPE())
        tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
        trainer = trainers.BpeTrainer(vocab_size=420, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False)
    elif kind == "spm":
        tokenizer = Tokenizer(models.BPE())
        tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
        trainer = trainers.BpeTrainer(vocab_size=500, special_tokens=["<unk>"] + [f"<0x{b:02X}>" for b in range(256)], limit_alphabet=60, show_progress=False)
    elif kind == "unigram":
        tokenizer = Tokenizer(models.Unigram())
        tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
        trainer = trainers.UnigramTrainer(vocab_size=420, special_tokens=["<unk>"] + [f"<0x{b:02X}>" for b in range(256)], unk_token="<unk>", show_progress=False)
    elif kind == "wordpiece":
        tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))
        tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
        trainer = trainers.WordPieceTrainer(vocab_size=300, special_tokens=["[UNK]", "[CLS]", "[SEP]"], limit_alphabet=80, show_progress=False)
    elif kind == "suffix":
        tokenizer = Tokenizer(models.BPE(unk_token="<unk>", end_of_word_suffix="</w>"))
        tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
        trainer = trainers.BpeTrainer(vocab_size=300, special_tokens=["<unk>"], end_of_word_suffix="</w>", limit_alphabet=80, show_progress=False)
    elif kind == "prefix":
        tokenizer = Tokenizer(models.BPE(unk_token="<unk>", continuing_subword_prefix="##"))
        tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
        trainer = trainers.BpeTrainer(vocab_size=300, special_tokens=["<unk>"], continuing_subword_prefix="##", limit_alphabet=80, show_progress=False)
    else:
        tokenizer = Tokenizer(models.WordLevel(unk_token="<unk>"))
        tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
        trainer = trainers.WordLevelTrainer(vocab_size=100, special_tokens=["<unk>"], show_progress=False)
    tokenizer.train_from_iterator(CORPUS, trainer)
    return json.loads(tokenizer.to_str())["model"]


MODELS = {}


def model(kind, **changes):
    if kind not in MODELS:
        MODELS[kind] = trained(kind)
    return {**MODELS[kind], **changes}


SPLIT = lambda pattern, behavior="Isolated", invert=False, kind="Regex": {"type": "Split", "pattern": {kind: pattern}, "behavior": behavior, "invert": invert}
BYTES = lambda prefix=False, regex=True: {"type": "ByteLevel", "add_prefix_space": prefix, "trim_offsets": True, "use_regex": regex}
SEQ = lambda key, *steps: {"type": "Sequence", key: list(steps)}
META = lambda scheme="always", split=True, replacement="▁": {"type": "Metaspace", "replacement": replacement, "prepend_scheme": scheme, "split": split}
TOKEN = lambda content, **flags: {"content": content, "single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": False, **flags}
LLAMA3 = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
O200K = (
    r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?"
    r"|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?"
    r"|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
BEHAVIORS = ["Removed", "Isolated", "MergedWithPrevious", "MergedWithNext", "Contiguous"]


def charsmap():
    """A small precompiled map, built as sentencepiece builds them: a double-array trie in darts-clone's layout."""
    rules = {"ﬁ": "fi", "²": "2", "½": "1/2", "\u00a0": " ", "\u3000": " ", "～": "~", "①": "1", "Å": "Å", "e\u0301": "é", "\u0301": "", "\ufeff": "", "１": "1", "２": "2", "ﷺ": "صلى", "a\u0308\u0301": "x"}
    blob, index = b"", {}
    for value in rules.values():
        if value not in index:
            index[value] = len(blob)
            blob += value.encode() + b"\0"
    trie = {}
    for key, value in rules.items():
        node = trie
        for byte in key.encode():
            node = node.setdefault(byte, {})
        node[None] = index[value]
    units, used = {0: 0}, {0}
    def place(at, node):
        labels = sorted(byte for byte in node if byte is not None)
        base = at ^ 1
        while True:
            slots = [base ^ byte for byte in labels] + ([base] if None in node else [])
            if all(slot not in used for slot in slots) and (at ^ base) < (1 << 21) and base not in used:
                break
            base += 1
        used.add(base)
        used.update(slots)
        units[at] = units.get(at, 0) | ((at ^ base) << 10) | (1 << 8 if None in node else 0)
        if None in node:
            units[base] = node[None] | (1 << 31)
        for byte in labels:
            units[base ^ byte] = byte
        for byte in labels:
            place(base ^ byte, node[byte])
    place(0, trie)
    size = max(max(units), max(used)) + 257
    import base64, struct
    array = struct.pack(f"<{size}I", *(units.get(i, 0) for i in range(size)))
    return base64.b64encode(struct.pack("<I", len(array)) + array + blob).decode()


NORMALIZERS = [
    {"type": "NFC"}, {"type": "NFD"}, {"type": "NFKC"}, {"type": "NFKD"}, {"type": "Lowercase"}, {"type": "Nmt"}, {"type": "StripAccents"},
    {"type": "Strip", "strip_left": True, "strip_right": True}, {"type": "Strip", "strip_left": True, "strip_right": False}, {"type": "Strip", "strip_left": False, "strip_right": True},
    {"type": "Prepend", "prepend": "▁"}, {"type": "Replace", "pattern": {"String": " "}, "content": "▁"}, {"type": "Replace", "pattern": {"Regex": " {2,}"}, "content": " "},
    {"type": "Replace", "pattern": {"Regex": r"\d"}, "content": "#"}, {"type": "Replace", "pattern": {"String": "cat"}, "content": "$& dog"}, {"type": "Replace", "pattern": {"String": "-"}, "content": "$1"},
    {"type": "BertNormalizer", "clean_text": True, "handle_chinese_chars": True, "strip_accents": None, "lowercase": True},
    {"type": "BertNormalizer", "clean_text": True, "handle_chinese_chars": False, "strip_accents": False, "lowercase": True},
    {"type": "BertNormalizer", "clean_text": False, "handle_chinese_chars": True, "strip_accents": True, "lowercase": False},
    {"type": "Precompiled", "precompiled_charsmap": charsmap()},
]
CUTS = [
    BYTES(), BYTES(prefix=True), BYTES(regex=False), META(), META("first"), META("never"), META("first", False), META("always", False), META("always", True, "_"),
    {"type": "Whitespace"}, {"type": "WhitespaceSplit"}, {"type": "BertPreTokenizer"}, {"type": "Digits", "individual_digits": True}, {"type": "Digits", "individual_digits": False},
    {"type": "CharDelimiterSplit", "delimiter": "a"}, {"type": "UnicodeScripts"}, {"type": "FixedLength", "length": 3},
    SPLIT(LLAMA3), SPLIT(O200K), SPLIT(r"\w+|[^\w\s]+", "Removed", True), SPLIT(" ", "MergedWithPrevious", kind="String"), SPLIT(".", "Isolated", kind="String"), SPLIT(r"\s*", "MergedWithNext"), SPLIT("-", kind="String"), SPLIT("/", "Removed", kind="String"), SPLIT("{}", "MergedWithPrevious", kind="String"), SPLIT("|", "Isolated", True, kind="String"), META("always", True, "-"), SPLIT("", "Isolated", kind="String"),
    SPLIT(r"[\r\n]"), SPLIT(r"\b"), SPLIT(r"^.", "Isolated"), SPLIT(r".$", "Isolated"), SPLIT(r"\p{Han}+"), SPLIT(r"(?<=a)b|\h", "Contiguous"), SPLIT(r"[[:alpha:]]+", "Contiguous"), SPLIT(r"\p{N}{1,3}(?=(?:\p{N}{3})*\b)"),
    SPLIT(r"\s?[A-Za-zµÀ-ÖØ-öø-ƺƼ-ƿǄ-ʓ]+"), SPLIT(r"[一-龥ࠀ-一가-퟿]+"), SPLIT(r"[!\"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+"),
] + [SPLIT(r"\s+", behavior, invert) for behavior in BEHAVIORS for invert in (False, True)] + [{"type": "Punctuation", "behavior": behavior} for behavior in BEHAVIORS]
ADDED = [
    TOKEN("<s>", special=True), TOKEN("</s>", special=True), TOKEN("<|end|>", special=True, normalized=True), TOKEN("[MASK]", lstrip=True), TOKEN("<mask>", lstrip=True, rstrip=True, special=True),
    TOKEN("cat", single_word=True), TOKEN("yes", normalized=True), TOKEN("YEP", normalized=True, single_word=True), TOKEN("<tool>", rstrip=True), TOKEN("  "), TOKEN("hello", normalized=True, lstrip=True),
    TOKEN("<s><s>"), TOKEN("é", normalized=True), TOKEN("北京", single_word=True), TOKEN("▁▁"), TOKEN("the"), TOKEN("\n\n"),
]
REPLACE = {"type": "Replace", "pattern": {"String": "▁"}, "content": " "}
DECODERS = [
    None, BYTES(), META(), META("first"), META("never"), {"type": "WordPiece", "prefix": "##", "cleanup": True}, {"type": "WordPiece", "prefix": "##", "cleanup": False}, {"type": "BPEDecoder", "suffix": "</w>"},
    {"type": "CTC", "pad_token": "<pad>", "word_delimiter_token": "|", "cleanup": True}, {"type": "ByteFallback"}, {"type": "Fuse"},
    SEQ("decoders", REPLACE, {"type": "ByteFallback"}, {"type": "Fuse"}), SEQ("decoders", REPLACE, {"type": "ByteFallback"}, {"type": "Fuse"}, {"type": "Strip", "content": " ", "start": 1, "stop": 0}),
    SEQ("decoders", {"type": "Replace", "pattern": {"Regex": "[aeiou]"}, "content": "*"}, {"type": "Fuse"}, {"type": "Strip", "content": " ", "start": 2, "stop": 1}), SEQ("decoders", {"type": "ByteFallback"}, META()),
]


def posts(ids):
    template = lambda single: {
        "type": "TemplateProcessing", "single": single, "pair": [{"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 1}}],
        "special_tokens": {"<s>": {"id": "<s>", "ids": [1], "tokens": ["<s>"]}, "two": {"id": "two", "ids": [5, 6], "tokens": ["a", "b"]}},
    }
    bos, a, two = {"SpecialToken": {"id": "<s>", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}, {"SpecialToken": {"id": "two", "type_id": 0}}
    return [
        None, template([bos, a]), template([a, two]), template([bos, a, two, a]), template([bos]), BYTES(), {"type": "BertProcessing", "sep": ["</s>", 2], "cls": ["<s>", 1]},
        {"type": "RobertaProcessing", "sep": ["</s>", 2], "cls": ["<s>", 1], "trim_offsets": True, "add_prefix_space": True},
        SEQ("processors", BYTES(), template([bos, a])), SEQ("processors", template([bos, a]), BYTES()), SEQ("processors", template([bos, a]), {"type": "BertProcessing", "sep": ["</s>", 2], "cls": ["<s>", 1]}),
    ]


def case(name, definition, texts, rng):
    definition = {"version": "1.0", "truncation": None, "padding": None, "added_tokens": [], "normalizer": None, "pre_tokenizer": None, "post_processor": None, "decoder": None, **definition}
    added = [{"id": 0, **token} for token in definition["added_tokens"]]
    tokenizer = Tokenizer.from_str(json.dumps({**definition, "added_tokens": added}))
    # The ids that the library gives, so that the file is as one that it wrote.
    definition["added_tokens"] = [{**token, "id": tokenizer.token_to_id(token["content"])} for token in added]
    size = tokenizer.get_vocab_size()
    def text_for(ids, skip):
        try:
            decoded.append([ids, skip, tokenizer.decode(ids, skip_special_tokens=skip)])
        except BaseException as error:  # The library panics where a Strip finds less than it takes away.
            assert "panic" in type(error).__name__.lower(), error

    encoded = []
    for text in texts:
        try:
            encoded.append([text, tokenizer.encode(text, add_special_tokens=False).ids, tokenizer.encode(text).ids])
        except BaseException as error:
            encoded.append([text, str(error), None])
    decoded = []
    for text, ids, _ in encoded[: len(encoded) // 2]:
        if isinstance(ids, list) and ids:
            text_for(ids, False)
    for _ in range(4):
        ids = [rng.randrange(size + 3) for _ in range(rng.randint(1, 12))]
        text_for(ids, rng.random() < 0.5)
    return {"name": name, "definition": definition, "encoded": encoded, "decoded": decoded}


def fuzz(seed, count, texts=24):
    rng = random.Random(seed)
    for i in range(count):
        kind = rng.choice(["bytes", "bytes", "spm", "spm", "unigram", "unigram", "wordpiece", "suffix", "prefix", "words"])
        changes = {}
        if kind == "bytes":
            changes = {"ignore_merges": rng.random() < 0.5}
        elif kind == "spm":
            changes = {"byte_fallback": rng.random() < 0.7, "fuse_unk": rng.random() < 0.5, "unk_token": "<unk>"}
        elif kind == "unigram":
            changes = {"byte_fallback": rng.random() < 0.6}
        elif kind in ("suffix", "prefix"):
            changes = {"fuse_unk": rng.random() < 0.5}
        normalizer = [rng.choice(NORMALIZERS) for _ in range(rng.choice([0, 0, 1, 1, 2, 3]))]
        cuts = [rng.choice(CUTS) for _ in range(rng.choice([0, 1, 1, 1, 2, 3]))]
        if kind == "bytes":
            cuts = [cut for cut in cuts if cut["type"] != "ByteLevel"] + [BYTES(rng.random() < 0.2, rng.random() < 0.5)]
        definition = {
            "model": model(kind, **changes),
            "normalizer": SEQ("normalizers", *normalizer) if len(normalizer) != 1 else normalizer[0],
            "pre_tokenizer": SEQ("pretokenizers", *cuts) if len(cuts) != 1 else cuts[0],
            "added_tokens": rng.sample(ADDED, rng.randint(0, 9)),
            "post_processor": rng.choice(posts(None)),
            "decoder": rng.choice(DECODERS),
        }
        yield case(f"{kind} {i} of seed {seed}", definition, [text_of(rng) for _ in range(texts)], rng)


def chosen():
    """Each part by itself, then what went wrong once, then a hundred combinations."""
    rng = random.Random(16)
    texts = lambda count=10, *more: [*more, *(text_of(rng) for _ in range(count))]
    label = lambda step: "none" if step is None else json.dumps({k: v for k, v in step.items() if k not in ("precompiled_charsmap", "special_tokens", "pair")}, ensure_ascii=False)[:110]
    for step in NORMALIZERS:
        yield case(f"normalizer {label(step)}", {"model": model("spm", byte_fallback=True, unk_token="<unk>"), "normalizer": step}, texts(), rng)
    for step in CUTS:
        kind = "bytes" if step["type"] == "ByteLevel" else "spm"
        yield case(f"pre-tokenizer {label(step)}", {"model": model(kind, byte_fallback=kind == "spm", unk_token="<unk>" if kind == "spm" else None), "pre_tokenizer": step}, texts(), rng)
    for step in DECODERS:
        kind = "bytes" if step and step["type"] == "ByteLevel" else "wordpiece" if step and step["type"] == "WordPiece" else "spm"
        yield case(f"decoder {label(step)}", {"model": model(kind), "decoder": step, "pre_tokenizer": BYTES() if kind == "bytes" else None, "added_tokens": ADDED[:2]}, texts(), rng)
    for step in posts(None):
        yield case(f"post-processor {label(step)}", {"model": model("bytes"), "pre_tokenizer": BYTES(), "post_processor": step}, texts(3), rng)
    for kind, changes in [("bytes", {}), ("bytes", {"ignore_merges": True}), ("spm", {"byte_fallback": True, "unk_token": "<unk>"}), ("spm", {"fuse_unk": True, "unk_token": "<unk>"}), ("spm", {"unk_token": "<unk>"}), ("spm", {}), ("unigram", {}), ("unigram", {"byte_fallback": True}), ("wordpiece", {}), ("suffix", {}), ("prefix", {"fuse_unk": True}), ("words", {})]:
        cut = {"bytes": BYTES(), "spm": META(), "unigram": META(), "wordpiece": {"type": "BertPreTokenizer"}}.get(kind, {"type": "WhitespaceSplit"})
        yield case(f"model {kind} {changes}", {"model": model(kind, **changes), "pre_tokenizer": cut, "added_tokens": ADDED}, texts(14), rng)
    yield case("single_word tokens inside words", {"model": model("spm"), "added_tokens": [TOKEN("cat", single_word=True), TOKEN("北京", single_word=True)]}, ["concat", "cat", "a cat.", "cats", "cat_", "cat½", "cat²", "catcat cat", "北京北京", "我北京 北京", "cat\u0301", "cat\u200d"], rng)
    yield case("spaces taken by tokens", {"model": model("bytes"), "pre_tokenizer": BYTES(), "added_tokens": [TOKEN("<m>", lstrip=True), TOKEN("<r>", rstrip=True), TOKEN(" x"), TOKEN("<b>", lstrip=True, rstrip=True)]}, ["a  <m>  b", "a<r>   x b", "<m>  <m>", "<r>\u3000\ufeff<r>", "<b> <b>  <m>", " \n<b>\t<r> x x"], rng)
    yield case("one BOM is kept", {"model": model("bytes"), "pre_tokenizer": BYTES(), "decoder": BYTES()}, ["\ufeff", "\ufeffa", "a\ufeff"], rng)
    yield case("BOM of byte tokens is kept", {"model": model("spm", byte_fallback=True), "decoder": DECODERS[12]}, ["\ufeff", "\ufeffa", "\ufeff\ufeff"], rng)
    yield from fuzz(16, 100, 8)


if __name__ == "__main__":
    if len(sys.argv) == 1:
        cases = list(chosen())
        for one in cases:
            own = one["definition"]["model"]
            name, base = next((name, base) for name, base in MODELS.items() if base["vocab"] == own["vocab"] and base["type"] == own["type"])
            one["definition"]["model"] = {"as": name, **{key: value for key, value in own.items() if base.get(key, "absent") != value}}
        with open(__file__.replace("reference.py", "cases.json"), "w") as out:
            lines = ",\n".join(json.dumps(one, ensure_ascii=True, separators=(",", ":")) for one in cases)
            out.write('{"models":' + json.dumps(MODELS, ensure_ascii=True, separators=(",", ":")) + ',"cases":[\n' + lines + "\n]}\n")
    if sys.argv[1:2] == ["--fuzz"]:
        with open(sys.argv[4], "w") as out:
            json.dump({"models": {}, "cases": list(fuzz(int(sys.argv[2]), int(sys.argv[3])))}, out, ensure_ascii=True)
