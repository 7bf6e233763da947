"""What a model is asked: signature and requirement, with nothing, the code above, or the code on both sides."""

from __future__ import annotations

import textwrap
from typing import Literal

from steelyard.benchmarks.code import budget
from steelyard.benchmarks.code.evocodebench.samples import Sample
from steelyard.benchmarks.code.repositories.functions import text_of
from steelyard.core.interfaces import Message

Setting = Literal["baseline", "local_completion", "local_infilling", "shuffled"]
SETTINGS = ("baseline", "local_completion", "local_infilling", "shuffled")
FILLS = ("none", "deepseek", "starcoder")
GENERATED = 500  # tokens kept free for the answer (LM_inference.py)
LITERAL = "js['class_name']"  # what the released script for open models writes for the class of a method


def context(sample: Sample, setting: str, room: int) -> tuple[str, str]:
    """The code above and below the target that goes into a prompt of `room` tokens for both.

    Above is cut from the left, below from the right; for infilling the room is split in proportion to the two lengths.
    """
    if setting == "baseline":
        return "", ""
    lines = sample.source.count("\n") + 1
    first = sample.signature[0]
    above = text_of(sample.source, 1, first - 1) if first > 1 else ""
    below = text_of(sample.source, sample.body[1] + 1, lines).rstrip("\n") if sample.body[1] < lines else ""
    if setting != "local_infilling":
        return budget.cut_left(above, room), ""
    return budget.both_sides(above, below, room)


def target(sample: Sample) -> str:
    """The signature with the requirement as its docstring."""
    margin = " " * sample.indent
    words = "\n".join(filter(None, [sample.functionality.strip(), sample.arguments.strip()])).replace('"""', "'''")
    text = textwrap.indent(words, margin)
    return f'{sample.header}{margin}"""\n{text}\n{margin}"""\n'


def head(sample: Sample, published: bool, chat: bool) -> str:
    """The line that tells a method's class where no code above does.

    published: the script for open models writes the text js['class_name'] instead of the name.
    """
    if sample.type != "method":
        return ""
    return f"class {LITERAL if published and not chat else sample.qualname.split('.')[-2]}:\n"


def prompt(
    sample: Sample, setting: str, route: str, fill: str, window: int, published: bool, other: Sample
) -> list[Message]:
    """One prompt. route completion: the raw text to continue (fill: with the tokens of a family, in its order).

    setting shuffled: the code above `other` stands in the place of that above the target.
    """
    wanted = target(sample)
    room = max(0, window - GENERATED - budget.tokens(wanted) - 200 * (route == "chat"))
    above, below = context(other if setting == "shuffled" else sample, setting, room)
    if setting == "baseline":
        above = head(sample, published, route == "chat")
    if route == "completion":
        return [Message("raw", _raw(above + wanted, below, setting, fill))]
    parts = [f"Complete the Python function `{sample.name}`."]
    if setting != "baseline" and above.strip():
        parts.append(f"The code above it in its file:\n```python\n{above.rstrip()}\n```")
    if below.strip():
        parts.append(f"The code below it in its file:\n```python\n{below.strip(chr(10))}\n```")
    shown = (above if setting == "baseline" else "") + wanted
    parts.append(f"The function to complete:\n```python\n{shown.rstrip()}\n```")
    parts.append("Answer with the completed function alone, in one fenced block.")
    return [Message("user", "\n\n".join(parts))]


def _raw(before: str, after: str, setting: str, fill: str) -> str:
    if setting != "local_infilling":
        return before
    if fill == "deepseek":
        return f"<｜fim▁begin｜>{before}<｜fim▁hole｜>\n{after}<｜fim▁end｜>"
    if fill == "starcoder":
        return f"<fim_prefix>{before}<fim_suffix>\n{after}<fim_middle>"
    below = "".join(f"# {line}".rstrip() + "\n" for line in after.split("\n"))
    return f"# What stands below the function to complete:\n{below}\n{before}"
