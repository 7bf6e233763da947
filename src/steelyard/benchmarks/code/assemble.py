"""Puts an output into a file: replaced lines, a body with its indentation, a middle, an end. Texts in, texts out."""

from __future__ import annotations

import textwrap


def reindented(code: str, indent: int | str) -> str:
    """`code` without the margin its lines share, then with `indent` (blanks, or the text itself) before each line.

    The rule of DevEval and EvoCodeBench. Blank lines stay empty. Lines that mix tabs and blanks share no margin.
    """
    return textwrap.indent(textwrap.dedent(code), " " * indent if isinstance(indent, int) else indent)


def replace_lines(source: str, first: int, last: int, text: str) -> str:
    """Lines `first` to `last` (from 1, both inclusive) replaced by `text`, which ends its own last line or gets an end.

    last = first - 1 inserts before line `first`. The other lines are kept to the byte. Raises ValueError where the file
    has no such lines.
    """
    lines = source.split("\n")
    if not 1 <= first <= last + 1 <= len(lines) + 1:
        raise ValueError(f"lines {first} to {last} of a file of {len(lines)}")
    middle = text.removesuffix("\n").split("\n")
    return "\n".join([*lines[: first - 1], *middle, *lines[last:]])


def replace_body(source: str, body: tuple[int, int], completion: str, indent: int | str) -> str:
    """The body at lines `body` (from 1, inclusive) replaced: an empty line, the re-indented completion, an empty line.

    Source: pass_k.py of EvoCodeBench. In a file with CRLF the new lines get it too.
    """
    code = f"\n{reindented(completion.replace(chr(13), ''), indent)}\n\n"
    return replace_lines(source, *body, code.replace("\n", "\r\n") if "\r\n" in source else code)


def replace_span(source: str, start: int, end: int, text: str) -> str:
    """The characters from `start` up to `end` replaced by `text`."""
    if not 0 <= start <= end <= len(source):
        raise ValueError(f"characters {start} to {end} of {len(source)}")
    return source[:start] + text + source[end:]


def fill(prefix: str, middle: str, suffix: str) -> str:
    """A middle between what stands before and after it, nothing added."""
    return prefix + middle + suffix


def append(source: str, text: str) -> str:
    """`text` after `source`, on a line of its own."""
    return source + text if not source or source.endswith("\n") else f"{source}\n{text}"
