"""The function in an answer: out of fences and chat, with its declaration exactly once, cut where it ends."""

from __future__ import annotations

import re

from steelyard.benchmarks.code.extract import Extraction, fences
from steelyard.benchmarks.code.multicodebench.tasks import Task
from steelyard.benchmarks.code.static.fragments import enclosing, errors, is_function

_ENDS = ";}) \t\r\n"  # what may be left behind a function and belong to it
_CONTINUES = ":{;=-(<"  # what may follow a declaration on its line


BODY_ALONE = "the declaration put before the body"


def extract(task: Task, output: str) -> Extraction:
    """Take the function out of an answer; why: what was done to it. Nothing of the reference is looked at.

    Of several fences the first that has the declaration counts, else the first. What stands before the declaration and
    after the end of the function is cut. A body alone is put after the declaration; whether an opening (`:`, `{`) or a
    closing brace is lacking is decided by what parses best.
    """
    source, steps = output, list[str]()
    signature = _signature(task.signature)
    fenced = [] if signature.match(source.lstrip()) else fences(source)  # a docstring may hold a fence
    if fenced:
        source = next((f for f in fenced if signature.search(f)), fenced[0])
        steps = ["a fence opened"]
    if not source.strip():
        return Extraction("", "none", "no code in the answer")
    found = signature.search(source)
    if found:
        if source[: found.start()].strip():
            steps.append("text before the declaration cut")
        source = source[found.end() :]
    elif source[:1].strip() and is_function(task.language, source):
        text = source[: enclosing(task.language, source, 0)]
        steps.append("a function with another declaration")
        return Extraction(text, "fence" if fenced else "heuristic", "; ".join(steps))
    else:
        steps.append(BODY_ALONE)
    if not source.strip(" \t\r\n:{}"):
        return Extraction("", "none", "the declaration without a body")
    text, mended = _assembled(task, source)
    cut = enclosing(task.language, text, len(task.signature))
    if mended:
        steps.append(f"{mended} added")
    if not text[cut:].strip(_ENDS):
        cut = len(text.rstrip())
    else:
        steps.append("text after the function cut")
    return Extraction(text[:cut], "fence" if fenced else "heuristic", "; ".join(steps))


def respelled(task: Task) -> str:
    """The reference with its declaration spaced as the task gives it, as extraction spaces that of an answer."""
    found = _signature(task.signature).match(task.truth.lstrip())
    return f"{task.signature}{task.truth.lstrip()[found.end() :]}" if found else task.truth


def _signature(declaration: str) -> re.Pattern[str]:
    """The declaration with any spacing between its words."""
    words = re.findall(r"\w+|[^\w\s]", declaration)
    return re.compile(r"\s*".join(map(re.escape, words)) or r"(?!)")


def _assembled(task: Task, rest: str) -> tuple[str, str]:
    """Declaration and rest as they are, or with the opening or closing that lets them parse best; and what was added."""
    joint = "" if rest[:1].isspace() or rest[:1] in _CONTINUES else "\n"
    plain = f"{task.signature}{joint}{rest}"
    choices = [(plain, "")]
    if task.language == "python":
        if rest.lstrip()[:1] != ":":
            choices.append((f"{task.signature}:{_on_new_line(rest)}", "a colon"))
    elif task.language == "lua":
        choices.append((f"{plain}\nend", "an end"))
    else:
        opened = f"{task.signature} {{{joint}{rest}"
        if rest.lstrip()[:1] not in ("{", ":", "=") and not task.signature.endswith("{"):
            choices += [(opened, "an opening brace"), (f"{opened}\n}}", "braces")]
    return min(choices, key=lambda choice: errors(task.language, choice[0]))


def _on_new_line(rest: str) -> str:
    return rest if "\n" in rest[: len(rest) - len(rest.lstrip())] else f"\n    {rest.strip()}"
