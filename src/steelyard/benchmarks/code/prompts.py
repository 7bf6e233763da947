"""The prompt texts of CodeEval-Pro, verbatim, for they are the protocol (its eval/utils.py and prompt_template.py)."""

from __future__ import annotations

import ast
import doctest

from steelyard.core.interfaces import Message

SYSTEM = (
    "You are an exceptionally intelligent coding assistant that consistently delivers accurate and reliable responses "
    "to user instructions."
)
TWO_PROBLEMS = (
    "Write a solution of python file to the following problems, the solution of the second problem requires single or "
    "multiple calls to the first solution."
)
STEPS = "Let's think step by step."


def two_problems(raw: str, new: str, after: str = "") -> str:
    """The instruction for a pair of problems. after: what follows them inside the fence, with its line ends."""
    return f"{TWO_PROBLEMS}\n```python\n{raw.strip()}\n{new.strip()}{after}\n```"


def one_problem(source: str) -> str:
    """The instruction for a problem given as signature and docstring (HumanEval)."""
    return f"Write a solution to the following problem:\n```python\n{source.strip()}\n```"


def one_sentence(sentence: str, test: str) -> str:
    """The instruction for a problem given as a sentence and one test (MBPP)."""
    stop = "" if sentence.endswith(".") else "."
    return f"{sentence}{stop} Your code should satisfy the following assertion:\n```python\n{test}\n```"


def wrapped(instruction: str, prefix: str | None, *, steps: bool = False, primed: bool = True) -> list[Message]:
    """An instruction as one raw text that ends in `prefix` (completion), or as a chat of system and user (prefix None).

    steps: the answer is primed with "Let's think step by step.". The released chat script drops that line, so that its
    chain-of-thought prompt is the plain one; primed=False does the same.
    """
    if prefix is not None:
        begun = f"{STEPS}\n" if steps else ""
        text = f"{SYSTEM}\n@@ Instruction\n{instruction}\n\n@@ Response\n{begun}```python\n{prefix.strip()}\n"
        return [Message("raw", text)]
    begun = f"{STEPS}\n" if steps and primed else ""
    return [Message("system", SYSTEM), Message("user", f"\n@@ Instruction\n{instruction}\n@@ Response\n{begun}")]


def docstring_asserts(source: str) -> list[str]:
    """The examples (`>>> call` and its result) in the docstrings of a source, as asserts, where both are plain."""
    try:
        functions = [node for node in ast.parse(source).body if isinstance(node, ast.FunctionDef)]
        texts = [ast.get_docstring(node) or "" for node in functions]
        examples = [example for text in texts for example in doctest.DocTestParser().get_examples(text)]
    except (SyntaxError, ValueError):  # without a docstring there is no body; examples may be malformed
        return []
    out = []
    for example in examples:
        want = example.want.strip()
        try:
            call = ast.unparse(ast.parse(example.source.strip(), mode="eval"))
            ast.literal_eval(want)
        except (ValueError, SyntaxError):
            continue
        out.append(f"assert ({call}) == ({want})")
    return out
