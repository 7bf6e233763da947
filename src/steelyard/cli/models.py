"""steelyard models: language models that run on this machine."""

from __future__ import annotations

import typer

app = typer.Typer(help="Language models that run on this machine, without an account.", no_args_is_help=True)


@app.command("list")
def list_(as_json: bool = typer.Option(False, "--json", help="JSON instead of a table.")) -> None:
    """List the local models: size, licence, whether they are here.

    Example:  steelyard models list
    """
    from steelyard.llm import list_models
    from steelyard.report.terminal import print_json, print_table

    rows = [
        {"name": m.name, "title": m.title, "size": f"{m.bytes / 1e6:.0f} MB", "licence": m.licence,
         "here": "yes" if m.present() else "no", "also": ", ".join(m.aliases)}
        for m in list_models()
    ]  # fmt: skip
    if as_json:
        print_json(rows)
    else:
        print_table(rows, ["name", "title", "size", "licence", "here", "also"])


@app.command("pull")
def pull(
    name: str = typer.Argument(help="A model, see `steelyard models list`."),
    accept_terms: bool = typer.Option(False, "--accept-terms", help="You have read and accept the model's terms."),
) -> None:
    """Fetch a model once; it is checked by hash and works offline afterwards.

    Examples:  steelyard models pull smollm2    steelyard models pull gemma3 --accept-terms
    """
    from rich.console import Console

    from steelyard.llm import pull as fetch

    with Console(stderr=True).status(f"fetching {name} ..."):
        path = fetch(name, accept_terms=accept_terms)
    print(f"{name}: {path}")
