"""steelyard report: one HTML file that opens offline."""

from __future__ import annotations

from pathlib import Path

import typer


def report(
    benchmarks: list[str] = typer.Argument(None, help="Benchmarks to report on; all in the pool when none is named."),
    out: Path = typer.Option(Path("report.html"), "--out", "-o", help="The file to write."),
    pool: str = typer.Option(None, "--pool", help="Where measurements are kept. Default: $STEELYARD_POOL."),
) -> None:
    """Write rankings, charts, the ledger, failures and the machine into one self-contained HTML file.

    Examples:  steelyard report    steelyard report softmax --out softmax.html
    """
    from steelyard.report.html import write_report

    print(f"wrote {write_report(benchmarks or [], out, pool=pool)}")
