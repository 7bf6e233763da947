"""steelyard models: language models that run on this machine."""

from __future__ import annotations

import typer

app = typer.Typer(help="Language models that run on this machine, without an account.", no_args_is_help=True)


@app.command("list")
def list_(as_json: bool = typer.Option(False, "--json", help="JSON instead of a table.")) -> None:
    """List the local models: size, parameters, licence, whether they are here.

    Example:  steelyard models list
    """
    from steelyard.llm import list_models
    from steelyard.report.plain import print_json
    from steelyard.report.terminal import print_table

    models = list_models()
    if as_json:
        print_json(
            [
                {"name": m.name, "title": m.title, "aliases": m.aliases, "bytes": m.bytes, "parameters": m.parameters,
                 "context": m.context, "chat": m.chat, "licence": m.licence, "terms": not m.free, "sha256": m.sha256,
                 "here": m.present(), "path": str(m.path)}
                for m in models
            ]
        )  # fmt: skip
        return
    rows = [
        {"name": m.name, "title": m.title, "size": f"{m.bytes / 1e6:.0f} MB",
         "parameters": f"{m.parameters / 1e6:.0f} M", "context": f"{m.context} tokens",
         "licence": m.licence + ("" if m.free else " (--accept-terms)"), "here": "yes" if m.present() else "no",
         "also": ", ".join(m.aliases)}
        for m in models
    ]  # fmt: skip
    print_table(rows, ["name", "title", "size", "parameters", "context", "licence", "here", "also"])


@app.command("pull")
def pull(
    name: str = typer.Argument(help="A model, see `steelyard models list`."),
    accept_terms: bool = typer.Option(False, "--accept-terms", help="You have read and accept the model's terms."),
) -> None:
    """Fetch a model once; it is checked by hash and works offline afterwards. An interrupted pull goes on.

    Examples:  steelyard models pull smollm2    steelyard models pull gemma3 --accept-terms
    """
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn

    from steelyard.llm import pull as fetch

    columns = (TextColumn("{task.description}"), BarColumn(bar_width=24), DownloadColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(f"fetching {name}", total=None)
        path = fetch(
            name,
            accept_terms=accept_terms,
            progress=lambda what, done, total: bar.update(task, description=what, completed=done, total=total),
        )
    print(f"{name}: {path}")
