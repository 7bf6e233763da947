"""How hard a query is by its clauses: easy, medium, hard or extra, as Spider's evaluation counts them."""

from __future__ import annotations

import re

LEVELS = ("easy", "medium", "hard", "extra")
_TOKEN = re.compile(r"'(?:[^']|'')*'|\"[^\"]*\"|`[^`]*`|\[[^\]]*\]|--[^\n]*|\w+(?:\.\w+)*|\S")
_CLAUSES = ("select", "from", "where", "group", "having", "order", "limit")
_SETS = ("union", "intersect", "except")
_AGGREGATES = ("count", "sum", "avg", "min", "max")


def tokens(sql: str) -> list[str]:
    """Lower-case words and signs; texts and quoted names become one token each, comments none."""
    found = [t for t in _TOKEN.findall(sql) if not t.startswith("--")]
    return ["''" if t[0] in "'\"`[" else t.lower() for t in found]


def ordered(sql: str) -> bool:
    """Whether the outermost query has ORDER BY."""
    depth = 0
    for token in tokens(sql):
        depth += (token == "(") - (token == ")")
        if depth == 0 and token == "order":
            return True
    return False


def hardness(sql: str) -> str:
    """The class from three counts over the outermost query, before a UNION, INTERSECT or EXCEPT; these and subqueries in
    FROM, WHERE and HAVING count as nested. Source: Spider's evaluation.py, eval_hardness.

    As there, NOT counts among the aggregates, and an aggregate in HAVING does not.
    """
    clauses, nested = _outermost(sql)
    where, having, select, order = (clauses.get(c, []) for c in ("where", "having", "select", "order"))
    joined = clauses.get("from", [])
    conditions = [*where, *having, *joined]
    main = sum(c in clauses for c in ("where", "group", "order", "limit"))
    main += joined.count("join") + joined.count(",") + conditions.count("or") + conditions.count("like")
    aggregates = sum(t in _AGGREGATES for t in [*select, *order]) + conditions.count("not")
    parts = _and_or(where) + bool(where)
    others = (aggregates > 1) + (select.count(",") > 0) + (parts > 1) + (clauses.get("group", []).count(",") > 0)
    if main <= 1 and others == nested == 0:
        return "easy"
    if nested == 0 and ((others <= 2 and main <= 1) or (main <= 2 and others < 2)):
        return "medium"
    if nested == 0 and ((others > 2 and main <= 2) or (2 < main <= 3 and others <= 2)):
        return "hard"
    return "hard" if main <= 1 and others == 0 and nested <= 1 else "extra"


def _and_or(where: list[str]) -> int:
    """Conditions joined in a WHERE: its ANDs and ORs without the AND of each BETWEEN."""
    return where.count("and") + where.count("or") - where.count("between")


def _outermost(sql: str) -> tuple[dict[str, list[str]], int]:
    """Clause -> its tokens outside subqueries (those of a function's brackets stay), and how many queries are nested."""
    clauses: dict[str, list[str]] = {}
    at, nested, depth, inner = "", 0, 0, 0
    words = tokens(sql)
    for place, word in enumerate(words):
        depth += word == "("
        if word == "(" and not inner and words[place + 1 : place + 2] == ["select"]:
            inner, nested = depth, nested + 1
        if not inner:
            if word in _SETS and depth == 0:
                return clauses, nested + 1
            if word in _CLAUSES and depth == 0:
                at = word
                clauses.setdefault(at, [])
            elif at and word not in ("(", ")"):
                clauses[at].append(word)
        if word == ")":
            inner = 0 if inner == depth else inner
            depth -= 1
    return clauses, nested
