"""What LongBench's own scripts make of predictions, beside this file in cases.json.

    pip install rouge fuzzywuzzy jieba numpy      # as its requirements.txt has them: fuzzywuzzy compares with difflib
    python reference.py PATH                      # PATH: the folder LongBench/ of https://github.com/THUDM/LongBench
"""
import json
import os
import random
import sys
import warnings

warnings.simplefilter("ignore")
sys.path.insert(0, sys.argv[1])

from eval import dataset2metric, scorer, scorer_e  # noqa: E402

HERE = os.path.dirname(os.path.abspath(__file__))
RNG = random.Random(5)
WORDS = "the a an The A cat dog Peñ Peña año Ano é e\u0301 naïve 日本 Ωmega anna banana theory U.S. it's don't co-op 12 3 007 ３ ½ state-of-the-art _x a_b ( ) , ; ! ? « “quoted” … — \u00a0 \u200b \ufeff \x1f a\u0301 ß İstanbul ΣΑΣ".split(" ")
CODE = ["    return x", "return x", "for i in range(10):", "# a comment", "int a = 3; // b", "`", "```python", "foo(bar, baz)", "", "   ", "x = {'a': [1, 2]}", "self.value = value", "é = 1"]
LABELS = ["Food", "Food and drink", "Animal", "An", "Animal kingdom", "number", "Date", "foo"]


def words(most):
    return " ".join(RNG.choice(WORDS) for _ in range(RNG.randint(0, most)))


def sentences():
    return ".".join(words(8) + RNG.choice(["", " ", "\n"]) for _ in range(RNG.randint(0, 4)))


def code(most):
    return "\n".join(RNG.choice(CODE) + RNG.choice(["", "", "y", "()"]) for _ in range(RNG.randint(0, most)))


def numbers():
    return " ".join(RNG.choice(["3", "12", "Paragraph 3", "13", "and", "3.", "３", "1,2", "003", "x12y"]) for _ in range(RNG.randint(0, 5)))


def pair(dataset):
    if dataset in ("lcc", "repobench-p"):
        long = RNG.random() < 0.15
        return (code(5) if not long else "".join(RNG.choice("abcdef (=)") for _ in range(260))), ([RNG.choice(CODE)] if not long else ["".join(RNG.choice("abcdef (=)") for _ in range(250))])
    if dataset == "passage_count":
        return numbers(), [RNG.choice(["3", "12", "3 "])]
    if dataset == "passage_retrieval_en":
        return numbers(), [RNG.choice(["Paragraph 3", "Paragraph 12"])]
    if dataset in ("trec", "lsht"):
        return RNG.choice(["", "\n", "Type: "]) + RNG.choice(LABELS) + RNG.choice(["", " or " + RNG.choice(LABELS), "\nType: Food"]), [RNG.choice(LABELS)]
    if dataset in ("gov_report", "qmsum", "multi_news", "samsum"):
        return RNG.choice(["", "\n\n"]) + sentences(), [sentences()]
    return RNG.choice(["", "\n"]) + words(8), [words(5) for _ in range(RNG.randint(1, 3))]


if __name__ == "__main__":
    scores, sets = [], []
    english = [name for name, metric in dataset2metric.items() if "zh" not in metric.__name__ and name != "lsht"]
    for dataset in english:
        for _ in range(40):
            prediction, answers = pair(dataset)
            scores.append([dataset, prediction, answers, scorer(dataset, [prediction], [answers], LABELS)])
            # The script rounds to a hundredth of a percent; the metric itself, for one answer, does not.
            scores[-1].append(dataset2metric[dataset](prediction, answers[0], all_classes=LABELS))
    for dataset in ("qasper", "trec", "samsum", "lcc"):
        rows = [(*pair(dataset), RNG.choice([10, 3999, 4000, 7999, 8000, 20000])) for _ in range(30)]
        predictions, answers, lengths = map(list, zip(*rows))
        sets.append({"dataset": dataset, "rows": rows, "score": scorer(dataset, predictions, answers, LABELS), "byLength": scorer_e(dataset, predictions, answers, lengths, LABELS)})
    with open(os.path.join(sys.argv[1], "config", "dataset2prompt.json"), encoding="utf-8") as file:
        prompts = json.load(file)
    with open(os.path.join(sys.argv[1], "config", "dataset2maxlen.json"), encoding="utf-8") as file:
        lengths = json.load(file)
    import hashlib
    templates = {name: {"prompt": hashlib.sha256(prompts[name].encode()).hexdigest(), "maxNewTokens": lengths[name]} for name in english}
    with open(os.path.join(HERE, "cases.json"), "w") as out:
        out.write('{"labels":' + json.dumps(LABELS) + ',"templates":' + json.dumps(templates) + ',\n"scores":[\n' + ",\n".join(map(json.dumps, scores)) + '\n],"sets":' + json.dumps(sets) + "}\n")
