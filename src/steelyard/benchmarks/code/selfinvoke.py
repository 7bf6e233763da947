"""Does the new function really call the base function? Once by reading the program, once by watching it."""

from __future__ import annotations

import ast
import re
import warnings

_DEF = re.compile(r"^(?:async )?def (\w+)", re.MULTILINE)
NOT_CALLED = 93  # the exit code of a watched script whose tests never reached the base function


def defined(source: str) -> list[str]:
    """Names of the functions that stand at the left margin of a source, in order (it need not parse)."""
    return _DEF.findall(source)


def tested(test_code: str, candidates: list[str]) -> list[str]:
    """Those of `candidates` that the tests name; all of them when the tests name none."""
    words = set(re.findall(r"\w+", test_code))
    return [name for name in candidates if name in words] or candidates


def parsed(program: str) -> ast.Module | None:
    """The syntax tree of a program that nobody vouches for; None when it has none."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # its odd escape sequences are its own affair
        try:
            return ast.parse(program)
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            return None


def calls_statically(program: str, new: list[str], base: str) -> bool:
    """Whether a function of `new`, or a function of the program it uses, names `base` (a call, or passing it on).

    The last definition of a name counts, as in Python. False for a program that does not parse.
    """
    tree = parsed(program)
    if tree is None:
        return False
    bodies = {node.name: node for node in tree.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}
    todo, seen = [name for name in new if name != base], set()
    while todo:
        name = todo.pop()
        if name in seen or name not in bodies:
            continue
        seen.add(name)
        used = {n.id for n in ast.walk(bodies[name]) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Load)}
        if base in used:
            return True
        todo.extend(used)
    return False


def watched(candidate: str, tests: str, base: str) -> str:
    """A script that runs tests that `candidate` is known to pass and exits with 0 only if `base` was called meanwhile.

    A call counts when any function made it, however it came by `base` (by name, through map, from a dictionary), and
    not when the tests made it themselves.
    """
    return f"""\
import os, sys
namespace = {{"__name__": "candidate"}}
exec(compile({candidate!r}, "candidate", "exec"), namespace)
called = []
def watch(frame, event, argument):
    if event == "call" and frame.f_code.co_name == {base!r} and not called:
        if frame.f_back is not None and frame.f_back.f_code.co_name != "<module>":
            called.append(True)
tests = compile({tests!r}, "tests", "exec")
sys.setprofile(watch)
exec(tests, namespace)
sys.setprofile(None)
os._exit(0 if called else {NOT_CALLED})
"""
