"""The scores of SCBench, one for each kind of turn, as released (`published`) and as meant (`sound`)."""

from __future__ import annotations

import re
import string
from collections import Counter
from collections.abc import Sequence
from functools import cache
from typing import Any

from steelyard.benchmarks.serving.scbench.records import Answer, Record, Turn
from steelyard.core.errors import InputError

_CJK = "！？｡。＂＃＄％＆＇（）＊＋，－／：；＜＝＞＠［＼］＾＿｀｛｜｝～､、〃》「」『』【】〔〕〖〗〘〙〚〛〜〝〞〟〰〾〿–—‘’‛“”„‟…‧﹏."
_PREFIXES = ("answer is:", "answer:", "answer is", "option is")
SIMILAR = 0.8


def score(record: Record, turn: Turn, prediction: str, profile: str = "sound", mode: str = "multi-turn") -> float:
    """The worth of one answer in [0, 1].

    published: plain-text labels are walked through letter by letter (many_shot, Zh.QA), and in multi-request mode the
    key-value half of the mixed code task is always wrong, as in the release.
    Raises InputError naming the record where the label does not fit its task.
    """
    label, kind = turn.answer, turn.task.removeprefix("scbench_")
    if profile == "published" and kind == "kv" and mode == "multi-request" and record.task == "scbench_repoqa_and_kv":
        return 0.0  # the released scorer is handed the whole prediction record there, never its text
    many = _labels(label, letters=profile == "published" and kind in ("many_shot", "qa_chn"))
    try:
        if kind in ("kv", "prefix_suffix"):
            return float(str(label) in prediction)
        if kind == "vt":
            return round(sum(name.lower() in prediction.lower() for name in many) / len(many), 2)
        if kind in ("qa_eng", "many_shot"):
            return float(any(x.upper() in prediction.upper() for x in many))
        if kind == "qa_chn":
            return max(character_f1(prediction, x) for x in many)
        if kind == "choice_eng":
            return choice(prediction, (str(label), "ABCD"[turn.options.index(str(label))]))
        if kind == "mf":
            return math_find(prediction, label)
        if kind == "passkey":
            found = re.search(r"\d+", prediction)
            return float(found is not None and found[0] == str(label))
        if kind == "summary":
            return rouge_lsum(prediction, str(label))
        if kind == "repoqa":
            return repeated_function(prediction, turn.name, record)
    except (ValueError, TypeError, AttributeError) as error:
        raise InputError(f"{record.id}: the label {label!r} does not fit {turn.task}: {error}.") from error
    raise InputError(f"{record.id}: {turn.task!r} is no kind of turn.")


def _labels(label: Answer, letters: bool) -> Sequence[str]:
    if isinstance(label, str):
        return list(label) if letters else [label]
    return [str(x) for x in label] if isinstance(label, list) else [str(label)]


def character_f1(prediction: str, label: str) -> float:
    """F1 over characters (as a multiset), lower-cased, without punctuation and blanks."""
    ours, theirs = (_characters(t) for t in (prediction, label))
    same = sum((ours & theirs).values())
    if not same:
        return 0.0
    precision, recall = same / ours.total(), same / theirs.total()
    return 2 * precision * recall / (precision + recall)


def _characters(text: str) -> Counter[str]:
    dropped = set(string.punctuation + _CJK)
    return Counter(c for c in text.lower() if c not in dropped and not c.isspace())


def choice(prediction: str, label: tuple[str, str]) -> float:
    """label: (text of the right option, its letter). The released rules, in their order."""
    text = prediction.strip()
    if not text:
        return 0.0
    if text[0] in "ABCD":
        return float(text[0] in label)
    if text in label:
        return 1.0
    for mark in "\n\"'.,?!{}":
        text = text.replace(mark, " ")
    text = re.sub(" +", " ", text)
    for prefix in _PREFIXES:
        at = text.find(prefix)
        if at == -1:
            continue
        rest = text[at + len(prefix) + 1 :]
        return float(bool(rest) and any(rest.startswith(x) for x in label))
    for word in text.split():
        if word in "ABCD":
            return float(word in label)
    return 0.0


def math_find(prediction: str, label: Answer) -> float:
    """The first number in the answer; of a whole label its decimals are cut off, and a minus sign is not seen."""
    found = re.search(r"\d+\.\d+|\d+", prediction)
    if found is None:
        return 0.0
    if isinstance(label, int):
        return float(int(float(found[0])) == label)
    return float(float(found[0]) == float(str(label)))


def rouge_lsum(prediction: str, label: str) -> float:
    """F of ROUGE-Lsum without stemming, by `rouge-score`."""
    return float(_rouge().score(label, prediction)["rougeLsum"].fmeasure)


@cache
def _rouge() -> Any:
    from rouge_score.rouge_scorer import RougeScorer

    return RougeScorer(["rougeLsum"], use_stemmer=False)


def repeated_function(prediction: str, name: str, record: Record) -> float:
    """1 where the answer's function is most like the one asked for, by at least 0.8 (BLEU, smoothing 4, on words)."""
    code = _function(prediction, record.lang)
    best, best_name = 0.0, ""
    for needle, source in record.needles:
        similar = _bleu(source, code)
        if similar > best:
            best, best_name = similar, needle
    return float(best_name == name and best >= SIMILAR)


def _bleu(reference: str, code: str) -> float:
    from nltk.translate.bleu_score import SmoothingFunction, sentence_bleu

    if not code.split():
        return 0.0
    return float(sentence_bleu([reference.split()], code.split(), smoothing_function=SmoothingFunction().method4))


_FUNCTIONS = {
    "python": {"function_definition"}, "java": {"method_declaration"}, "rust": {"function_item"},
    "cpp": {"function_definition"}, "go": {"function_declaration", "method_declaration"},
    "typescript": {"function_declaration", "method_definition"},
}  # fmt: skip


def _function(answer: str, lang: str) -> str:
    """The first function of the first code block; the block where it has none; the answer where there is no block."""
    block = re.search(r"```[^\n]*\n(.*?)```", answer, re.DOTALL)
    if block is None:
        return answer
    code = block[1]
    if lang not in _FUNCTIONS:
        return code
    from steelyard.benchmarks.code.static.trees import parse, text, walk

    nodes = walk(parse(lang, code).root_node)
    return next((text(node) for node in nodes if node.type in _FUNCTIONS[lang]), code)
