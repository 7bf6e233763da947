"""What is done to every program before it runs, in the published procedure: header, helpers, docstring."""

from __future__ import annotations

import ast

from steelyard.benchmarks.code.program_repair.seeds import Repair

HEADER = """from typing import *
import math
from heapq import *
import itertools
import re
import typing
import heapq
_str = str
"""


def whole(problem: Repair, program: str) -> str:
    """The program with the prompt in front where it is only a body, without the function's header."""
    if problem.source or not program.strip() or f"def {problem.entry_point}(" in program:
        return program
    return problem.prompt + program


def prepared(problem: Repair, program: str) -> str:
    """`whole`, with the helpers and the docstring of the prompt that it lacks; source: LDB's released code, step 2.

    Translations are left as they are. A program or prompt that does not parse gets no docstring and no helpers.
    """
    program = whole(problem, program)
    if problem.source or not program.strip():
        return program
    task, given = _parsed(problem.prompt + "    pass\n"), _parsed(program)
    if task is None or given is None:
        return program
    have = {f.name for f in _functions(given)}
    helpers = [f for f in _functions(task) if f.name != problem.entry_point and f.name not in have]
    parts = [ast.get_source_segment(problem.prompt + "    pass\n", f) or "" for f in helpers]
    wanted = next((f for f in _functions(task) if f.name == problem.entry_point), None)
    entry = next((f for f in _functions(given) if f.name == problem.entry_point), None)
    text = ast.get_docstring(wanted, clean=False) if wanted is not None else None
    if text is not None and entry is not None and ast.get_docstring(entry) is None:
        program = _with_docstring(program, entry, text)
    return "\n\n".join([*parts, program])


def _with_docstring(program: str, entry: ast.FunctionDef, text: str) -> str:
    first = entry.body[0]
    lines = program.split("\n")
    if first.lineno == entry.lineno:  # def f(x): return x
        return program
    at = min([first.lineno, *(d.lineno for d in getattr(first, "decorator_list", []))]) - 1
    quoted = text.replace("\\", "\\\\").replace('"""', '\\"\\"\\"')
    lines.insert(at, f'{" " * first.col_offset}"""{quoted}"""')
    return "\n".join(lines)


def _functions(tree: ast.Module) -> list[ast.FunctionDef]:
    return [node for node in tree.body if isinstance(node, ast.FunctionDef)]


def _parsed(source: str) -> ast.Module | None:
    try:
        return ast.parse(source)
    except (SyntaxError, ValueError):
        return None
