"""steelyard build: new cases for a benchmark, from real sources."""

from __future__ import annotations

import typer


def build(
    name: str = typer.Argument(help="A benchmark that can be built, such as evocodebench."),
    package: list[str] = typer.Option(
        None, "--package", "-p", help="A project of the package index. Repeat or use commas."
    ),
    since: str = typer.Option("", "--since", help="Only releases uploaded on this day (YYYY-MM-DD) or later."),
    until: str = typer.Option("", "--until", help="Only releases uploaded on this day or earlier."),
    recipe: str = typer.Option("", "--recipe", help="Make a known slice again: its name, or a recipe's file."),
    out: str = typer.Option("", "--out", help="The folder to make. Default: the slice's name in the cache folder."),
    limit: int = typer.Option(None, "--limit", min=1, help="At most so many cases of one package."),
    writer: str = typer.Option(
        "", "--writer", help="A model that writes the requirements. Default: they are the docstrings."
    ),
    labeller: str = typer.Option("", "--labeller", help="A model that labels the domains. Default: rules."),
    seed: int = typer.Option(None, "--seed", help="Which functions are drawn where there are more than --limit."),
    as_json: bool = typer.Option(False, "--json", help="What was made and what was dropped, as JSON."),
) -> None:
    """Build new cases from real sources; a build that was interrupted goes on where it was.

    Examples:

      steelyard build evocodebench --since 2026-01-01 --package tomlkit,glom --limit 5

      steelyard build evocodebench --recipe 2611
    """
    from steelyard.report.building import build_and_print

    build_and_print(
        name,
        out=out,
        as_json=as_json,
        packages=[p.strip() for given in package or [] for p in given.split(",") if p.strip()],
        since=since,
        until=until,
        recipe=recipe,
        limit=limit,
        writer=writer,
        labeller=labeller,
        seed=seed,
    )
