"""steelyard doctor: what is here, what is missing, and how to get it."""

from __future__ import annotations

import typer


def doctor(as_json: bool = typer.Option(False, "--json", help="JSON instead of a table.")) -> None:
    """Check the machine: sandbox, native kernels, models, libraries, counters. Exit 3 when something needed is missing.

    Example:  steelyard doctor
    """
    from steelyard.report.health import checks
    from steelyard.report.plain import print_json
    from steelyard.report.terminal import print_table

    rows = checks()
    if as_json:
        print_json(rows)
    else:
        print_table(rows, ["what", "state", "detail", "cure"])
    if any(row["state"] == "missing" for row in rows):
        raise typer.Exit(3)
