"""steelyard view: the pool in a browser."""

from __future__ import annotations

import typer


def view(
    pool: str = typer.Option(None, "--pool", help="Where measurements are kept. Default: $STEELYARD_POOL."),
    port: int = typer.Option(None, "--port", min=0, max=65535, help="Default: the first free one from 8765 on."),
    host: str = typer.Option("127.0.0.1", "--host", help="Others can reach it on 0.0.0.0; a token is then needed."),
    token: str = typer.Option("", "--token", help="Asked of every visitor. Made and printed on a wider host."),
    open_browser: bool = typer.Option(False, "--open", help="Open a browser on it."),
) -> None:
    """Serve the pool as pages: papers and claims, leaderboards, cases, comparisons; they follow a run while it measures.

    Examples:  steelyard view    steelyard view --pool ./pool --port 9000 --open    steelyard view --host 0.0.0.0
    """
    from steelyard.report.viewer.serve import view as serve

    serve(pool, port=port, host=host, token=token, open_browser=open_browser)
