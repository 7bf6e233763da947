"""From an answer to a function body: the published post-processing of chat and of base models, rung by rung."""

from __future__ import annotations

import ast
import re
from typing import Literal

from steelyard.benchmarks.code.extract import Extraction

STUB = "    pass\n"
_FENCE = re.compile(r"```[^\n`]*\n(.*?)(?:```|\Z)", re.DOTALL)


def of_chat(answer: str, name: str, published: bool = False) -> Extraction:
    """The body of `name` in a chat answer (process_completion.py of EvoCodeBench), at whatever margin.

    The first fenced block (all of the answer without one). Where it defines `name`: that function's body without its
    docstring, behind every import of the block. Else its lines while they are indented at least as the first.
    published: the block is always the first one, and a definition that does not parse is lost (a stub). Sound: the first
    block that defines `name` goes before, tabs are four blanks, and of a definition that does not parse the lines are taken.
    """
    blocks = _FENCE.findall(answer)
    rung: Literal["fence", "heuristic"] = "fence" if blocks else "heuristic"
    defines = re.compile(rf"^[ \t]*(?:async[ \t]+)?def[ \t]+{re.escape(name)}[ \t]*\(", re.MULTILINE)
    block = (blocks or [answer])[0]
    if not published:
        block = next((b for b in blocks if defines.search(b)), block)
        block = block.expandtabs(4) if re.search(r"^ *\t", block, re.MULTILINE) else block
    found = defines.search(block)
    if not found:
        return _taken(_indented_lines(block), rung, "the answer does not define the function: its indented lines")
    tree, code = _parsed(block, published)
    if tree is None:
        if published:
            return Extraction(STUB, "none", "the definition in the answer does not parse")
        return _taken(
            _below(block[found.start() :]), rung, "the definition does not parse: the lines below its signature"
        )
    node = next(
        (n for n in ast.walk(tree) if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef) and n.name == name), None
    )
    if node is None:  # it stands in a text
        return Extraction(STUB, "none", "the answer does not define the function")
    text = _body_of(node, code, _imports(tree, node, published))
    return _taken(text, rung, "the body of the function in the answer")


def of_base(completion: str) -> Extraction:
    """The body that a base model wrote: its lines while they are indented at least as the first that is not blank."""
    return _taken(_indented_lines(completion), "heuristic", "the lines while they are indented as the first")


def is_stub(body: str) -> bool:
    """Whether a body is nothing, or only pass."""
    return body.strip() in ("", "pass")


def _taken(text: str, rung: Literal["fence", "heuristic"], why: str) -> Extraction:
    return Extraction(STUB, "none", "the answer holds no body") if is_stub(text) else Extraction(text, rung, why)


def parses(body: str) -> bool:
    """Whether a text is a function's body (under this Python), at whatever margin."""
    from steelyard.benchmarks.code.static.python import statements_of

    try:
        statements_of(body)
    except SyntaxError:
        return False
    return True


def mended(body: str) -> str:
    """The longest beginning of a body, line by line, that parses; "" where none does."""
    lines = body.rstrip().split("\n")
    for end in range(len(lines), 0, -1):
        text = "\n".join(lines[:end]) + "\n"
        if parses(text):
            return text
    return ""


def _parsed(block: str, published: bool) -> tuple[ast.Module | None, str]:
    """The tree of a block and the code it is the tree of; an indented block goes below an `if`."""
    for code in [block] if published else [block, f"if True:\n{block}"]:
        try:
            return ast.parse(code), code
        except (SyntaxError, ValueError):
            continue
    return None, block


def _body_of(node: ast.FunctionDef | ast.AsyncFunctionDef, code: str, imports: list[str]) -> str:
    documented = ast.get_docstring(node) is not None
    rest = node.body[1:] if documented else node.body
    if not rest:
        return STUB
    lines = code.split("\n")
    above = (node.body[0].end_lineno or 0) if documented else 0
    first = min([rest[0].lineno, *(d.lineno for d in getattr(rest[0], "decorator_list", []))])
    if first == node.lineno or first == above:  # on the line of its signature or docstring
        return "".join(f"    {ast.unparse(statement)}\n" for statement in rest)
    text = lines[first - 1 : rest[-1].end_lineno]
    margin = text[0][: len(text[0]) - len(text[0].lstrip())]
    return "\n".join([*(f"{margin}{statement}" for statement in imports), *text]) + "\n"


def _imports(tree: ast.Module, node: ast.AST, published: bool) -> list[str]:
    """Every import statement of the block; those that stand in the body already need not go before it (sound)."""
    inside = set() if published else {id(n) for n in ast.walk(node)}
    found = [n for n in ast.walk(tree) if isinstance(n, ast.Import | ast.ImportFrom) and id(n) not in inside]
    found = [
        n for n in found if not (isinstance(n, ast.ImportFrom) and (n.module == "__future__" or n.names[0].name == "*"))
    ]
    return [ast.unparse(n) for n in found]


def _below(definition: str) -> str:
    """The lines below a signature that does not parse together with its body."""
    lines = definition.split("\n")
    for number, line in enumerate(lines):
        if line.partition("#")[0].rstrip().endswith(":"):
            return _indented_lines("\n".join(lines[number + 1 :]))
    return STUB


def _indented_lines(text: str) -> str:
    lines = text.lstrip("\n").split("\n")
    while lines and not lines[0].strip():
        lines.pop(0)
    if not lines:
        return STUB
    least = len(lines[0]) - len(lines[0].lstrip())
    kept = []
    for line in lines:
        if line.strip() and len(line) - len(line.lstrip()) < least:
            break
        kept.append(line)
    return "\n".join(kept).rstrip("\n") + "\n"
