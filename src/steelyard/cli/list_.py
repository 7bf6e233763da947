"""steelyard list: the benchmarks and contenders there are."""

from __future__ import annotations

import typer

SEARCHED = ("name", "title", "track", "family", "summary", "interface")


def list_(
    words: list[str] = typer.Argument(None, help="Show only what has all these words in its name, title or track."),
    kind: str = typer.Option("", "--kind", help="benchmark or contender."),
    as_json: bool = typer.Option(False, "--json", help="JSON instead of a table."),
) -> None:
    """List benchmarks and contenders, from their cards.

    Examples:  steelyard list    steelyard list kernels    steelyard list --kind contender --json
    """
    from steelyard import catalog
    from steelyard.core.errors import InputError
    from steelyard.report.plain import print_json, print_plain

    if kind not in ("", "benchmark", "contender"):
        raise InputError(f"--kind is {kind!r}.", "It may be benchmark or contender.")
    rows = []
    for entry in catalog.entries().values():
        head = {"track": "", "family": "", "row": 0, **entry.head}
        text = " ".join(str(head[field]) for field in SEARCHED).lower()
        if kind in ("", entry.kind) and all(word.lower() in text for word in words or []):
            place = head["track"] or head["family"]
            row = {"name": entry.name, "kind": entry.kind, "track": place, "row": head["row"], "is": head["summary"]}
            rows.append(row)
    rows.sort(key=lambda r: (r["kind"], r["track"], r["name"]))
    if as_json:
        print_json(rows)
    elif rows:
        print_plain(rows, ["name", "kind", "track", "is"])
    else:
        raise InputError(f"nothing matches {' '.join(words or [])!r}.", "`steelyard list` shows everything.")
