"""What a model is asked: files of the repository, then the code around the gap, in the format of its family."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from steelyard.benchmarks.code import budget
from steelyard.benchmarks.code.execrepobench import context, gaps
from steelyard.benchmarks.code.execrepobench.context import File
from steelyard.benchmarks.code.execrepobench.gaps import Gap

Fill = Literal["comment", "qwen", "deepseek", "starcoder", "codellama"]
FILLS = ("comment", "qwen", "deepseek", "starcoder", "codellama")
STOPS = {
    "qwen": ("<|endoftext|>", "<|file_sep|>", "<|fim_prefix|>", "<|fim_pad|>"),
    "deepseek": ("<｜end▁of▁sentence｜>",),
    "starcoder": ("<|endoftext|>", "<file_sep>"),
    "codellama": ("<EOT>",),
    "comment": (),
}


def parts(gap: Gap, query: context.Query, order: context.Order, shown: Gap | None, window: int, context_room: int,
          generated: int) -> tuple[list[File], str, str]:  # fmt: skip
    """(files, prefix, suffix) within the budgets: `context_room` tokens for the files of the gap `shown`, the rest for the file itself.

    In-file room = window - generated - context_room, half for the prefix (cut left), half for the suffix (cut right).
    """
    files = context.packed(gaps.ranked(shown, query), context_room, order) if shown else []
    before, after = budget.halves(gap.prefix, gap.suffix, max(0, window - generated - context_room))
    return files, before, after


def raw(gap: Gap, files: Sequence[File], before: str, after: str, fill: str) -> str:
    """The text that a base model continues; without fill-in-the-middle tokens the suffix stands above as comments."""
    if fill == "qwen":
        around = "".join(f"<|file_sep|>{path}\n{text}\n" for path, text in files)
        head = f"<|repo_name|>{gap.repository}\n{around}<|file_sep|>{gap.path}\n"
        return f"{head}<|fim_prefix|>{before}<|fim_suffix|>{after}<|fim_middle|>"
    around = "".join(f"# {path}\n{text}\n" for path, text in files)
    if fill == "deepseek":
        return f"<｜fim▁begin｜>{around}# {gap.path}\n{before}<｜fim▁hole｜>{after}<｜fim▁end｜>"
    if fill == "starcoder":
        return f"<fim_prefix>{around}# {gap.path}\n{before}<fim_suffix>{after}<fim_middle>"
    if fill == "codellama":
        return f"<PRE> {around}# {gap.path}\n{before} <SUF>{after} <MID>"
    below = "".join(f"# {line}".rstrip() + "\n" for line in after.split("\n"))
    return f"{around}# {gap.path}\n# What follows the gap:\n{below}{before}"


def headed(gap: Gap, files: Sequence[File], before: str, after: str) -> str:
    """The form for instructed models: four headed parts, the last one to be written."""
    around = "\n".join(f"### {path}\n```python\n{text.rstrip()}\n```" for path, text in files) or "(none)"
    return (
        f"A piece is missing from the Python file {gap.path} of the repository {gap.repository}: it stood exactly between "
        "the prefix and the suffix. Write it.\n\n"
        f"## Context\n{around}\n\n## Prefix\n```python\n{before}\n```\n\n## Suffix\n```python\n{after}\n```\n\n"
        "## Middle\nAnswer with the missing piece alone, in one fenced block."
    )
