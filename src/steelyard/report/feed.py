"""The ledger's changes as an Atom feed (RFC 4287): pure functions from changes to text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any
from xml.etree import ElementTree

from steelyard.report.changes import verdict_line
from steelyard.report.untrusted import visible

ATOM = "http://www.w3.org/2005/Atom"


def atom(changes: Sequence[Mapping[str, Any]], *, title: str, home: str, updated: float) -> str:
    """One entry for each change, the newest first.

    changes: as `report.changes.changes` gives them. home: the address at which the feed is served (its id; entries link
    below it). updated: when the feed was made, for one without entries (seconds since the epoch).
    """
    ElementTree.register_namespace("", ATOM)
    feed = ElementTree.Element(_name("feed"))
    newest = max((row["when"] for row in changes), default=updated)
    for tag, text in (("title", title), ("id", home), ("updated", _stamp(newest))):
        _add(feed, tag, text)
    _add(feed, "link", rel="self", href=home)
    _add(_add(feed, "author"), "name", "steelyard")
    for row in changes:
        entry = _add(feed, "entry")
        claim = f"{row['card']}/{row['claim']}"
        _add(entry, "title", f"{claim}: {row['before']} -> {row['after']}")
        # The same change keeps its id however often the feed is made; a later change of the claim gets another.
        _add(entry, "id", f"{home}#{claim}@{int(row['when'])}:{row['after'].replace(' ', '-')}")
        _add(entry, "updated", _stamp(row["when"]))
        _add(entry, "link", rel="alternate", href=f"{home}#{claim}")
        _add(entry, "category", term=row["after"])
        _add(entry, "summary", f"{row['says']} ({row['source']})")
        lines = [
            verdict_line(row),
            f"Expected: {row['published']}",
            f"Because of {row['why']}",
            f"Scale: {row['scale']}",
        ]
        _add(entry, "content", "\n".join(lines), type="text")
    ElementTree.indent(feed)
    body = ElementTree.tostring(feed, encoding="unicode")
    return f'<?xml version="1.0" encoding="utf-8"?>\n{body}\n'


def _add(parent: ElementTree.Element, tag: str, text: str = "", **attributes: str) -> ElementTree.Element:
    child = ElementTree.SubElement(parent, _name(tag), attributes)
    if text:
        child.text = str(visible(text))
    return child


def _name(tag: str) -> str:
    return f"{{{ATOM}}}{tag}"


def _stamp(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
